"""Measurements: each program prints figures of this very run, and nothing else decides by them."""
