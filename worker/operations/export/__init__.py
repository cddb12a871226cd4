"""The results table, or a part of it, as one file.

`run.py` reads the table and hands results on, in constant memory; `formats.py`
knows the forms of the file, `json_lines.py` and `parquet.py` are them.
"""
