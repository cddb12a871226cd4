"""Benchmarks of the worker, and the cost model of docs/cost.md."""
