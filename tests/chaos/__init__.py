"""`make chaos`: the worker as it is, among failing services, hostile files and murdered processes.

plan (what happens, pure) → run (has it happen: world, services, proxy, pollers, producer,
conductor) → check (what is right, pure and independent) → report.
"""
