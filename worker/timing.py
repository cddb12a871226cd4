"""Clocks: how long a job's parts took, and whether there is time for another job."""

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from worker.errors import DeadlineError

# What a job is thought to take before any has been seen to finish.
_FIRST_GUESS_SECONDS: Final = 1.0

# A job is given this many times what the slowest of the last ones took.
_MARGIN: Final = 2.0
_REMEMBERED_JOBS: Final = 20


class Stopwatch:
    """Measures from its making, in laps."""

    def __init__(self) -> None:
        """Start now."""
        self._start = self._lap = time.monotonic()

    def lap_ms(self) -> int:
        """Whole milliseconds since the last lap."""
        last, self._lap = self._lap, time.monotonic()
        return round((self._lap - last) * 1000)

    def total_ms(self) -> int:
        """Whole milliseconds since the start."""
        return round((time.monotonic() - self._start) * 1000)


class Pace:
    """What the last jobs took, to foresee whether the next one can finish in time."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._seconds: deque[float] = deque(maxlen=_REMEMBERED_JOBS)

    def require_time(self, deadline: float) -> None:
        """See that a job begun now would be done by the deadline.

        Args:
            deadline: by the monotonic clock, in seconds.

        Raises:
            DeadlineError: it would probably not.
        """
        slowest = max(self._seconds, default=_FIRST_GUESS_SECONDS)
        if time.monotonic() + slowest * _MARGIN > deadline:
            raise DeadlineError("not started: too little time left")

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Remember how long the block took, if it ended well."""
        start = time.monotonic()
        yield
        self._seconds.append(time.monotonic() - start)
