"""How the processes that a test starts react when their terminal closes."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def hang_ups(answer: signal.Handlers) -> Iterator[None]:
    """Start the block's processes with this disposition of SIGHUP.

    Args:
        answer: SIG_IGN as under `nohup`; SIG_DFL as without it, even if the tests run under it.
    """
    former = signal.signal(signal.SIGHUP, answer)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, former)
