"""The model of the queue: service times, Lambda's scaling, retries."""

import math
from dataclasses import dataclass, field
from typing import Final

import numpy as np

# The 95th percentile of the normal distribution, in standard deviations.
_P95_DEVIATIONS: Final = 1.6449


@dataclass(frozen=True, slots=True)
class ServiceTime:
    """Time of an image in a warm function: lognormal, in seconds.

    Raises:
        ValueError: the 95th percentile is below the median.
    """

    median: float
    p95: float

    def __post_init__(self) -> None:
        """Check the figures."""
        if self.p95 < self.median:
            raise ValueError(
                f"95th percentile {self.p95:g} s is below the median, {self.median:g} s: "
                "are they of one run?"
            )

    @property
    def mean(self) -> float:
        """The mean, which is above the median."""
        return self.median * math.exp(self._sigma**2 / 2)

    @property
    def _sigma(self) -> float:
        return math.log(self.p95 / self.median) / _P95_DEVIATIONS

    def draw(self, chance: np.random.Generator, images: int) -> float:
        """The random time of a number of images."""
        return float(chance.lognormal(math.log(self.median), self._sigma, images).sum())


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """How many functions Lambda runs for a queue.

    Attributes:
        start: functions at the start.
        per_minute: further functions a minute, while messages wait.
        maximum: the minimum of MaximumConcurrency, the mapping's limit (1,250) and the
            account's unused concurrency (1,000).
    """

    start: int = 5
    per_minute: float = 300
    maximum: int = 1000

    @property
    def first(self) -> int:
        """Functions at the start, within the maximum."""
        return min(self.start, self.maximum)

    @property
    def full_seconds(self) -> float:
        """Seconds until the maximum is reached."""
        return (self.maximum - self.first) * 60 / self.per_minute

    def work_seconds(self, seconds: float) -> float:
        """Work done after this time, in seconds, if messages always wait."""
        ramp = min(seconds, self.full_seconds)
        growing = self.first * ramp + self.per_minute / 60 * ramp**2 / 2
        return growing + self.maximum * (seconds - ramp)

    def drain_seconds(self, work_seconds: float) -> float:
        """Time that this work takes: the inverse of `work_seconds`."""
        rest = work_seconds - self.work_seconds(self.full_seconds)
        if rest >= 0:
            return self.full_seconds + rest / self.maximum
        growth = self.per_minute / 60
        return (math.sqrt(self.first**2 + 2 * growth * work_seconds) - self.first) / growth


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """The delays of retries, as in `worker/queue.py`, in seconds."""

    base: float = 60
    growth: float = 4
    longest: float = 3600
    spread_from: float = 0.5
    max_receive_count: int = 8

    def delay(self, attempts: int, chance: np.random.Generator) -> float:
        """The delay after a number of receives."""
        delay = min(self.base * self.growth ** (attempts - 1), self.longest)
        return delay * chance.uniform(self.spread_from, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """The function behind the queue.

    Attributes:
        service: time of an image.
        batch_size: maximum number of messages in an invocation.
        window_seconds: how long messages may wait for a batch to fill.
        init_seconds: time of a cold start.
        kept_seconds: how long Lambda keeps an idle sandbox; undocumented, so a guess.
        failure_share: share of images that fail, 0 to 1.
        retry: delays of their retries.
    """

    service: ServiceTime
    batch_size: int = 10
    window_seconds: float = 0
    init_seconds: float = 0
    kept_seconds: float = 300
    failure_share: float = 0
    retry: Retry = field(default_factory=Retry)
