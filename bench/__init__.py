"""What an image costs: benchmarks of the worker, and what they cost in dollars."""
