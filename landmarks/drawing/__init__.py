"""Landmarks as pictures."""
