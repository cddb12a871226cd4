"""What is assumed of service times, of Lambda's scaling and of retries, as formulas."""

import math
from dataclasses import dataclass, field
from typing import Final

import numpy as np

# Of the normal distribution: how many standard deviations the 95th percentile is away.
_P95_DEVIATIONS: Final = 1.6449


@dataclass(frozen=True, slots=True)
class ServiceTime:
    """What an image takes in a warm function: lognormal, in seconds.

    Raises:
        ValueError: the 95th percentile is below the median.
    """

    median: float
    p95: float

    def __post_init__(self) -> None:
        """Refuse figures that cannot belong together."""
        if self.p95 < self.median:
            raise ValueError(
                f"95th percentile {self.p95:g} s is below the median, {self.median:g} s: "
                "are they of one run?"
            )

    @property
    def mean(self) -> float:
        """Above the median, for the slow ones weigh more."""
        return self.median * math.exp(self._sigma**2 / 2)

    @property
    def _sigma(self) -> float:
        return math.log(self.p95 / self.median) / _P95_DEVIATIONS

    def draw(self, chance: np.random.Generator, images: int) -> float:
        """What so many images take, one after the other."""
        return float(chance.lognormal(math.log(self.median), self._sigma, images).sum())


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """How many functions Lambda has at work on a queue.

    Attributes:
        start: as soon as there are messages.
        per_minute: how many more, while messages wait.
        maximum: the least of MaximumConcurrency, the mapping's own limit (1,250) and what
            the account has left of its concurrency (1,000).
    """

    start: int = 5
    per_minute: float = 300
    maximum: int = 1000

    @property
    def first(self) -> int:
        """Functions at once."""
        return min(self.start, self.maximum)

    @property
    def full_seconds(self) -> float:
        """Until all are at work."""
        return (self.maximum - self.first) * 60 / self.per_minute

    def work_seconds(self, seconds: float) -> float:
        """Seconds of work that are done so long after the start, if messages always wait."""
        ramp = min(seconds, self.full_seconds)
        growing = self.first * ramp + self.per_minute / 60 * ramp**2 / 2
        return growing + self.maximum * (seconds - ramp)

    def drain_seconds(self, work_seconds: float) -> float:
        """The inverse of `work_seconds`: how long so much work takes."""
        rest = work_seconds - self.work_seconds(self.full_seconds)
        if rest >= 0:
            return self.full_seconds + rest / self.maximum
        growth = self.per_minute / 60
        return (math.sqrt(self.first**2 + 2 * growth * work_seconds) - self.first) / growth


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """When what failed comes again: the schedule of `worker/queue.py`, in seconds."""

    base: float = 60
    growth: float = 4
    longest: float = 3600
    spread_from: float = 0.5
    max_receive_count: int = 8

    def delay(self, attempts: int, chance: np.random.Generator) -> float:
        """After so many receives."""
        delay = min(self.base * self.growth ** (attempts - 1), self.longest)
        return delay * chance.uniform(self.spread_from, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """The function behind the queue.

    Attributes:
        service: what an image takes.
        batch_size: messages an invocation gets at most.
        window_seconds: that messages may wait for a batch to fill.
        init_seconds: what a cold start adds to an invocation.
        kept_seconds: how long Lambda keeps an idle sandbox; it doesn't say, this is a guess.
        failure_share: of images that fail and come again, 0 to 1.
        retry: when they do.
    """

    service: ServiceTime
    batch_size: int = 10
    window_seconds: float = 0
    init_seconds: float = 0
    kept_seconds: float = 300
    failure_share: float = 0
    retry: Retry = field(default_factory=Retry)
