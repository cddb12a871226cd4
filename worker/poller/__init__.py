"""The worker in any container: does what Lambda's event source mapping does.

`python -m worker.poller` polls SQS, or a stand-in for it, and hands the same events to the
same handler. Beside that it keeps what it has received, gives back what it can't finish,
and says whether it is well.
"""
