"""Fuzzing with damaged messages and images: `make fuzz SECONDS=300`.

`corpus/` has files that are known to break decoders and what fuzzing has found; every test run
tries them.
"""
