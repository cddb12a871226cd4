"""What the page tells of all results: counts and distributions, gathered one by one."""

import math
from array import array
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from landmarks.report.entries import iso
from landmarks.result import LandmarkResult

if TYPE_CHECKING:
    from datetime import datetime

# Bars of the histogram of durations, about. Its axis ends where the slowest hundredth begins:
# a single slow one would squeeze all others into one bar.
_BARS: Final = 24


_SHOWN_SHARE: Final = 0.99


_SCORE_STEP: Final = 0.05


_USUAL_SCORE: Final = 0.5


class Summary:
    """Counts results, and keeps of each one a few bytes."""

    def __init__(self) -> None:
        """Nothing is counted yet."""
        self._outcomes = Counter[str]()
        self._codes = Counter[str]()
        self._options = Counter[str]()
        self._models: dict[str, Any] = {}
        self._durations_ms = array("I")
        self._scores = array("d")
        self._first: datetime | None = None
        self._last: datetime | None = None

    @property
    def total(self) -> int:
        """How many were counted."""
        return self._outcomes.total()

    def add(self, result: LandmarkResult) -> None:
        """Count one more."""
        self._outcomes[result.status] += 1
        if result.error_code:
            self._codes[result.error_code] += 1
        if result.duration_ms:
            self._durations_ms.append(round(result.duration_ms.total))
        if result.pose_score is not None:
            self._scores.append(result.pose_score)
        if result.processed_at:
            self._first = min(self._first or result.processed_at, result.processed_at)
            self._last = max(self._last or result.processed_at, result.processed_at)
        if result.options_hash:
            self._options[result.options_hash] += 1
            if result.options_hash not in self._models:  # equal hash, equal model
                self._models[result.options_hash] = result.model and result.model._asdict()

    def as_json(self) -> dict[str, Any]:
        """All of it, under the names that the page's script knows."""
        return {
            "total": self.total,
            "outcomes": dict(self._outcomes),
            "codes": self._codes.most_common(),
            "options": [
                {"hash": name, "count": count, "model": self._models[name]}
                for name, count in self._options.most_common()
            ],
            "first": iso(self._first),
            "last": iso(self._last),
            "durations": duration_histogram(np.array(self._durations_ms, np.float64)),
            "scores": score_histogram(np.array(self._scores, np.float64)),
        }


def duration_histogram(values: npt.NDArray[np.float64]) -> dict[str, Any] | None:
    """Bars of a round width from the shortest duration on; the slowest are one bar beyond them.

    Args:
        values: in milliseconds.
    """
    if not len(values):
        return None
    ascending = np.sort(values)
    first, last = float(ascending[0]), nearest_rank(ascending, _SHOWN_SHARE)
    step = _round_step((last - first) / _BARS)
    start = math.floor(first / step) * step
    bars = math.floor((last - start) / step) + 1
    return _histogram(ascending, start, step, bars)


def score_histogram(values: npt.NDArray[np.float64]) -> dict[str, Any] | None:
    """Bars of a twentieth, from 0.5 or the lowest score to 1."""
    if not len(values):
        return None
    ascending = np.sort(values)
    start_bar = math.floor(min(_USUAL_SCORE, float(ascending[0])) / _SCORE_STEP)
    bars = round(1 / _SCORE_STEP) - start_bar
    return _histogram(ascending, round(start_bar * _SCORE_STEP, 2), _SCORE_STEP, bars)


def nearest_rank(ascending: npt.NDArray[np.float64], share: float) -> float:
    """A percentile that is one of the values."""
    return float(ascending[math.ceil(len(ascending) * share) - 1])


def _histogram(
    ascending: npt.NDArray[np.float64], start: float, step: float, bars: int
) -> dict[str, Any]:
    # A millionth: 0.85 lies in the bar that begins with it, whatever its last bit says.
    places = np.floor((ascending - start) / step + 1e-6).astype(int)
    end = start + bars * step
    places[(places >= bars) & (ascending <= end)] = bars - 1  # a score of 1 ends the last bar
    counts = np.bincount(np.clip(places, 0, bars), minlength=bars + 1).tolist()
    return {
        "start": start,
        "step": step,
        "counts": counts[:bars],
        "beyond": counts[bars],
        "median": nearest_rank(ascending, 0.5),
        "p95": nearest_rank(ascending, 0.95),
        "max": float(ascending[-1]),
    }


def _round_step(width: float) -> int:
    """The next of 1, 2, 5, 10, 20, 50 and so on."""
    if width <= 1:
        return 1
    power = 10 ** math.floor(math.log10(width))
    return next(int(factor * power) for factor in (1, 2, 5, 10) if factor * power >= width)
