"""`landmarks export`: write results as JSON Lines or Parquet, in constant memory."""
