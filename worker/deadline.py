"""Clocks: how long a job's parts took, and whether there is time for another job."""

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from landmarks.errors import DeadlineError

# What a job is thought to take before any has been seen to finish.
_FIRST_GUESS_SECONDS: Final = 1.0


# A job is given this many times what three of four of the last ones took. Not what
# the slowest took: an image that uses up two detectors would have all others refused.
_MARGIN: Final = 2.0


_REMEMBERED_JOBS: Final = 20


_GUESSED_JOBS: Final = 3


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
        self._seconds = deque([_FIRST_GUESS_SECONDS] * _GUESSED_JOBS, maxlen=_REMEMBERED_JOBS)

    def require_time(self, deadline: float) -> None:
        """See that a job begun now would be done by the deadline.

        Args:
            deadline: by the monotonic clock, in seconds.

        Raises:
            DeadlineError: it would probably not.
        """
        seconds = sorted(self._seconds)[(len(self._seconds) - 1) * 3 // 4]
        if time.monotonic() + seconds * _MARGIN > deadline:
            # So that slow times are forgotten even where nothing is begun any more.
            self._seconds.append(_FIRST_GUESS_SECONDS)
            raise DeadlineError("not started: too little time left")

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Remember how long the block took, if it ended well."""
        start = time.monotonic()
        yield
        self._seconds.append(time.monotonic() - start)
