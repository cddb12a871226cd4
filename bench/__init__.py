"""What things cost in time and money, measured and calculated."""
