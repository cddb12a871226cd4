"""The results table: one item per object, the newest content's.

`item.py` knows its attributes, `table.py` writes and reads it. Nobody else
knows DynamoDB.
"""
