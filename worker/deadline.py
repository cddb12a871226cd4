"""Measures how long jobs take, and predicts whether there is time for another one."""

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

# A job must have this many times the 75th percentile of recent durations left. With the maximum,
# one image that makes two detectors fail would keep all others from starting.
_MARGIN: Final = 2.0

# The next photograph may show a crowd after many portraits, so recent durations don't include it:
# 16 people on 50 megapixels took up to 2.4 s of a vCPU at complexity 2.
_SECONDS_PER_FURTHER_PERSON: Final = 0.15


class Stopwatch:
    """Measures laps and the total time."""

    def __init__(self) -> None:
        self._start = self._lap = time.monotonic()

    def lap_ms(self) -> int:
        """Return the milliseconds since the last lap, rounded, and start a new lap."""
        last, self._lap = self._lap, time.monotonic()
        return round((self._lap - last) * 1000)

    def total_ms(self) -> int:
        """Return the milliseconds since the start, rounded."""
        return round((time.monotonic() - self._start) * 1000)


class Forecast:
    """Predicts from recent jobs whether the next one can finish in time.

    Args:
        max_people: how many people are looked for; the next image may show all of them.
    """

    def __init__(self, max_people: int = 1) -> None:
        self._crowd_seconds = _SECONDS_PER_FURTHER_PERSON * (max_people - 1)
        self._seconds = deque([_FIRST_GUESS_SECONDS] * _GUESSED_JOBS, maxlen=_REMEMBERED_JOBS)

    def require_time(self, deadline: float) -> None:
        """Check that a job started now is likely to finish by the deadline.

        Args:
            deadline: on the monotonic clock, in seconds.

        Raises:
            DeadlineError: it is not.
        """
        seconds = sorted(self._seconds)[(len(self._seconds) - 1) * 3 // 4]
        if time.monotonic() + seconds * _MARGIN + self._crowd_seconds > deadline:
            # Lets slow durations age out even if no job is started.
            self._seconds.append(_FIRST_GUESS_SECONDS)
            raise DeadlineError("not started: not enough time left")

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Record how long the block takes, unless it raises."""
        start = time.monotonic()
        yield
        self._seconds.append(time.monotonic() - start)
