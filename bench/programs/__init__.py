"""What is measured: each a process that answers lines of JSON, to be looked at from outside.

A line in on standard input, a line out on the descriptor that the only argument names; the first
line out says that the program is ready. Standard output is the program's own.
"""
