"""The measured programs: processes that answer lines of JSON.

They read requests from standard input and write answers to the file descriptor given as argument;
the first line says that the program is ready.
"""
