"""Embedded services, sample photographs and the worker, all on one machine."""
