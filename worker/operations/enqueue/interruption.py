"""Ctrl-C and SIGTERM, taken where they do no harm."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class InterruptedReadingError(BaseException):
    """Raised in the middle of waiting for a source, which may be a terminal or a service.

    As with KeyboardInterrupt, nothing on its way may take it for an error of its own.
    """


class Interruption:
    """Whether to stop, and why.

    Attributes:
        stopped: set when nothing new should be begun.
        signal: which signal came, if one did.
    """

    def __init__(self) -> None:
        """Go on, until told otherwise."""
        self.stopped = threading.Event()
        self.signal: signal.Signals | None = None
        self._reading = False

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Take signals in this block: the first stops orderly, a second one at once.

        What is ignored stays so: whoever says `nohup` wants to walk away.
        """
        heeded = [each for each in _SIGNALS if signal.getsignal(each) is not signal.SIG_IGN]
        former = {number: signal.signal(number, self._take) for number in heeded}
        try:
            yield
        finally:
            for number, handler in former.items():
                signal.signal(number, handler)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Have a signal end this block at once, as nothing gets lost in it."""
        self._reading = True
        try:
            if self.stopped.is_set():
                raise InterruptedReadingError
            yield
        finally:
            self._reading = False

    def _take(self, number: int, _frame: FrameType | None) -> None:
        if self.signal is not None:
            raise KeyboardInterrupt
        self.signal = signal.Signals(number)
        self.stopped.set()
        if self._reading:
            raise InterruptedReadingError
