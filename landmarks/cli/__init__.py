"""The `landmarks` command."""
