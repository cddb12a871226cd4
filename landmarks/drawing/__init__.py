"""Draws landmarks on photographs."""
