"""The subcommands of `landmarks`, one module each: arguments in, words out.

The only folder that knows click; what a command does lives elsewhere. Imports that a
`--help` can do without stand inside the functions.
"""
