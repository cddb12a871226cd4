"""Clocks: how long the parts of a job took, and whether there is time for another one."""

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from landmarks.errors import DeadlineError

# A job's assumed duration until enough have finished.
_FIRST_GUESS_SECONDS: Final = 1.0
_GUESSED_JOBS: Final = 3
_REMEMBERED_JOBS: Final = 20

# A job is given this many times what three quarters of the last ones took at most. Not what the
# slowest took: an image that takes down two detectors would have all others refused.
_MARGIN: Final = 2.0


class Stopwatch:
    """Measures laps, and the time since it was made."""

    def __init__(self) -> None:
        self._start = self._lap = time.monotonic()

    def lap_ms(self) -> int:
        """Whole milliseconds since the last lap."""
        last, self._lap = self._lap, time.monotonic()
        return round((self._lap - last) * 1000)

    def total_ms(self) -> int:
        """Whole milliseconds since the start."""
        return round((time.monotonic() - self._start) * 1000)


class Forecast:
    """Foresees from the last jobs whether the next one can finish in time."""

    def __init__(self) -> None:
        self._seconds = deque([_FIRST_GUESS_SECONDS] * _GUESSED_JOBS, maxlen=_REMEMBERED_JOBS)

    def require_time(self, deadline: float) -> None:
        """Check that a job started now would finish by the deadline.

        Args:
            deadline: by the monotonic clock, in seconds.

        Raises:
            DeadlineError: it probably would not.
        """
        seconds = sorted(self._seconds)[(len(self._seconds) - 1) * 3 // 4]
        if time.monotonic() + seconds * _MARGIN > deadline:
            # So that slow times are forgotten even while no job is started.
            self._seconds.append(_FIRST_GUESS_SECONDS)
            raise DeadlineError("not started: too little time left")

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Remember how long the block took, unless it raised."""
        start = time.monotonic()
        yield
        self._seconds.append(time.monotonic() - start)
