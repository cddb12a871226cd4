"""`landmarks export`: results as JSON Lines or Parquet, in constant memory."""
