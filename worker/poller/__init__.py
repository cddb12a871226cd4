"""The worker outside Lambda: polls a queue as Lambda's event source mapping would.

`python -m worker.poller` hands SQS messages to the same handler in the same events. It also
extends their visibility while they are worked on, drains on SIGTERM, and answers health checks.
"""
