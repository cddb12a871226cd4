"""Counts and distributions of all results, gathered one by one."""

import math
from array import array
from collections import Counter
from datetime import datetime
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from landmarks.item import iso
from landmarks.result import LandmarkResult

# About how many bars the histogram of durations has. Its axis ends where the slowest hundredth
# begins: one slow result would squeeze all others into one bar.
_BARS: Final = 24
_SHOWN_SHARE: Final = 0.99

_SCORE_STEP: Final = 0.05
_USUAL_SCORE: Final = 0.5


class Summary:
    """Counts results, and keeps a few bytes of each."""

    _first: datetime | None = None
    _last: datetime | None = None

    def __init__(self) -> None:
        self._outcomes = Counter[str]()
        self._codes = Counter[str]()
        self._options = Counter[str]()
        self._models: dict[str, Any] = {}
        self._people = Counter[str]()
        self._people_counted = False
        self._durations_ms = array("I")
        self._scores = array("d")

    @property
    def total(self) -> int:
        """The number of results."""
        return self._outcomes.total()

    def add(self, result: LandmarkResult) -> None:
        """Count a result."""
        self._outcomes[result.status] += 1
        if result.error_code:
            self._codes[result.error_code] += 1
        self._add_people(result)
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

    def _add_people(self, result: LandmarkResult) -> None:
        people = len(result.people)
        self._people["total"] += people
        self._people["several"] += people > 1
        if result.people_count is not None:
            self._people_counted = True
            self._people["unconfirmed"] += people > 0 and result.person_score is None

    def as_json(self) -> dict[str, Any]:
        """Everything, under the names that the page's script expects."""
        return {
            "total": self.total,
            "outcomes": dict(self._outcomes),
            "codes": self._codes.most_common(),
            "options": [
                {"hash": name, "count": count, "model": self._models[name]}
                for name, count in self._options.most_common()
            ],
            "people": dict(self._people) if self._people_counted else None,
            "first": self._first and iso(self._first),
            "last": self._last and iso(self._last),
            "durations": _duration_histogram(np.sort(np.array(self._durations_ms, np.float64))),
            "scores": _score_histogram(np.sort(np.array(self._scores, np.float64))),
        }


def _duration_histogram(ascending: npt.NDArray[np.float64]) -> dict[str, Any] | None:
    """Bars of a round width from the shortest duration on; the slowest are one bar beyond them."""
    if not len(ascending):
        return None
    first, last = float(ascending[0]), _nearest_rank(ascending, _SHOWN_SHARE)
    step = _round_step((last - first) / _BARS)
    start = math.floor(first / step) * step
    return _histogram(ascending, start, step, math.floor((last - start) / step) + 1)


def _score_histogram(ascending: npt.NDArray[np.float64]) -> dict[str, Any] | None:
    """Bars of a twentieth, from 0.5 or the lowest score to 1."""
    if not len(ascending):
        return None
    start_bar = math.floor(min(_USUAL_SCORE, float(ascending[0])) / _SCORE_STEP)
    bars = round(1 / _SCORE_STEP) - start_bar
    return _histogram(ascending, round(start_bar * _SCORE_STEP, 2), _SCORE_STEP, bars)


def _histogram(
    ascending: npt.NDArray[np.float64], start: float, step: float, bars: int
) -> dict[str, Any]:
    # Rounding must not move 0.85 out of the bar that begins with it.
    places = np.floor((ascending - start) / step + 1e-6).astype(int)
    places[(places >= bars) & (ascending <= start + bars * step)] = bars - 1  # a score of 1
    counts = np.bincount(np.clip(places, 0, bars), minlength=bars + 1).tolist()
    return {
        "start": start,
        "step": step,
        "counts": counts[:bars],
        "beyond": counts[bars],
        "median": _nearest_rank(ascending, 0.5),
        "p95": _nearest_rank(ascending, 0.95),
        "max": float(ascending[-1]),
    }


def _nearest_rank(ascending: npt.NDArray[np.float64], share: float) -> float:
    """The percentile that is one of the values."""
    return float(ascending[math.ceil(len(ascending) * share) - 1])


def _round_step(width: float) -> int:
    """The next of 1, 2, 5, 10, 20, 50 and so on."""
    if width <= 1:
        return 1
    power = 10 ** math.floor(math.log10(width))
    return next(int(factor * power) for factor in (1, 2, 5, 10) if factor * power >= width)
