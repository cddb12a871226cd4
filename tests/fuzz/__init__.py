"""Damaged messages and images, by the hundred thousand: `make fuzz SECONDS=300`.

`corpus/` holds what is known to break decoders, and whatever fuzzing finds: it is tried in
every test run.
"""
