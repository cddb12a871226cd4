"""What processes that a test starts make of a closed terminal."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def hang_ups(answer: signal.Handlers) -> Iterator[None]:
    """Have what is started in the block begin with this answer to SIGHUP.

    Args:
        answer: SIG_IGN is what `nohup` gives; SIG_DFL what there is without, even where the
            tests themselves run under it.
    """
    former = signal.signal(signal.SIGHUP, answer)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, former)
