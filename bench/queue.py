"""Simulation of the queue, batch by batch: arrivals, Lambda's scaling, retries.

It models SQS's event source mapping in standard mode, as AWS describes it:
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html. The unknown overhead of
polling and invoking is left out.
"""

import heapq
import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from bench.queue_model import Scaling, Worker

_DAY_SECONDS: Final = 86_400

# A rounding error rather than a time.
_MOMENT_SECONDS: Final = 1e-6
# When messages arrive, in seconds, and how many.
Arrivals = Iterable[tuple[float, int]]


@dataclass(slots=True)
class Timeline:
    """Samples in columns; functions are the mean since the last sample."""

    seconds: list[float] = field(default_factory=list)
    waiting: list[int] = field(default_factory=list)
    delayed: list[int] = field(default_factory=list)
    functions: list[float] = field(default_factory=list)
    oldest_seconds: list[float] = field(default_factory=list)


@dataclass(slots=True)
class Totals:
    """The result.

    Attributes:
        done: processed images.
        dead: images in the dead-letter queue.
        invocations: number of batches.
        cold_starts: number of cold starts.
        drained_seconds: when the last image was done.
    """

    done: int = 0
    dead: int = 0
    invocations: int = 0
    cold_starts: int = 0
    drained_seconds: float = 0


def burst(images: int) -> Iterator[tuple[float, int]]:
    """All at once."""
    yield 0.0, images


def constant(per_second: float, seconds: float) -> Iterator[tuple[float, int]]:
    """At a constant rate."""
    for number in range(round(per_second * seconds)):
        yield number / per_second, 1


def daily_wave(images: int, days: int = 1) -> Iterator[tuple[float, int]]:
    """A day's images, none at midnight, twice the mean rate at noon; a group a second."""

    def sent_by(second: int) -> int:
        share = second / _DAY_SECONDS
        return round(images * (share - math.sin(2 * math.pi * share) / (2 * math.pi)))

    for second in range(days * _DAY_SECONDS):
        count = sent_by(second + 1) - sent_by(second)
        if count:
            yield float(second), count


class Simulation:
    """A queue and its functions, from the first message to the last."""

    def __init__(
        self, arrivals: Arrivals, worker: Worker, scaling: Scaling, *, seed: int = 1
    ) -> None:
        """Prepare a run; equal arguments give equal runs."""
        self.timeline, self.totals = Timeline(), Totals()
        self._arrivals = iter(arrivals)
        self._worker, self._scaling = worker, scaling
        self._chance = np.random.default_rng(seed)
        self._now = 0.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        # Groups of messages: time sent, receives, number.
        self._waiting: list[tuple[float, int, int]] = []
        self._waiting_count = self._delayed_count = self._running = 0
        self._allowed = scaling.first
        self._growing = False
        self._work_seconds = self._noted_work_seconds = 0.0  # of all functions, until now
        self._idle_since: list[float] = []  # of warm sandboxes; the last is used first

    def run(self, sample_seconds: float = 1) -> None:
        """Run until the queue is empty, and sample the state at this interval."""
        self._expect_arrival()
        samples = itertools.count()
        next_sample = 0.0
        while self._events:
            moment, _, happen = heapq.heappop(self._events)
            while next_sample < moment:
                self._note(next_sample)
                next_sample = (next(samples) + 1) * sample_seconds
            self._work_seconds += self._running * (moment - self._now)
            self._now = moment
            happen()
        self._note(self._now)

    def _at(self, moment: float, happen: Callable[[], None]) -> None:
        heapq.heappush(self._events, (moment, next(self._numbers), happen))

    def _note(self, moment: float) -> None:
        oldest = moment - self._waiting[0][0] if self._waiting else 0.0
        work_seconds = self._work_seconds + self._running * (moment - self._now)
        passed = moment - self.timeline.seconds[-1] if self.timeline.seconds else 0.0
        did = work_seconds - self._noted_work_seconds
        functions = did / passed if passed > _MOMENT_SECONDS else float(self._running)
        self._noted_work_seconds = work_seconds
        self.timeline.seconds.append(moment)
        self.timeline.waiting.append(self._waiting_count)
        self.timeline.delayed.append(self._delayed_count)
        self.timeline.functions.append(functions)
        self.timeline.oldest_seconds.append(oldest)

    def _expect_arrival(self) -> None:
        arrival = next(self._arrivals, None)
        if arrival is None:
            return
        moment, count = arrival

        def arrive() -> None:
            self._expect_arrival()
            self._enqueue(moment, 0, count)

        self._at(moment, arrive)

    def _enqueue(self, sent: float, attempts: int, count: int) -> None:
        heapq.heappush(self._waiting, (sent, attempts, count))
        self._waiting_count += count
        self._dispatch()

    def _dispatch(self) -> None:
        """Start batches, and scale."""
        while self._running < self._allowed and self._batch_is_ready():
            self._invoke(self._take())
        if not self._waiting:
            # AWS: "scales back when traffic is low". The rate is undocumented.
            self._allowed = max(self._scaling.first, self._running)
        elif self._running == self._allowed < self._scaling.maximum and not self._growing:
            self._growing = True
            self._at(self._now + 60 / self._scaling.per_minute, self._grow)

    def _grow(self) -> None:
        self._growing = False
        if self._waiting and self._running == self._allowed:
            self._allowed = min(self._allowed + 1, self._scaling.maximum)
        self._dispatch()

    def _batch_is_ready(self) -> bool:
        if not self._waiting:
            return False
        due = self._waiting[0][0] + self._worker.window_seconds
        if self._waiting_count >= self._worker.batch_size or due <= self._now:
            return True
        self._at(due, self._dispatch)
        return False

    def _take(self) -> list[tuple[float, int, int]]:
        """Take a batch of the oldest messages."""
        batch, free = [], self._worker.batch_size
        while free and self._waiting:
            sent, attempts, count = self._waiting[0]
            taken = min(free, count)
            if taken == count:
                heapq.heappop(self._waiting)
            else:
                heapq.heapreplace(self._waiting, (sent, attempts, count - taken))
            batch.append((sent, attempts + 1, taken))
            free -= taken
        self._waiting_count -= self._worker.batch_size - free
        return batch

    def _invoke(self, batch: list[tuple[float, int, int]]) -> None:
        images = sum(count for _, _, count in batch)
        seconds = self._start_seconds() + self._worker.service.draw(self._chance, images)
        self._running += 1
        self.totals.invocations += 1
        self._at(self._now + seconds, lambda: self._finish(batch))

    def _start_seconds(self) -> float:
        """The time of a cold start; 0 in a warm sandbox."""
        if self._idle_since and self._now - self._idle_since[-1] <= self._worker.kept_seconds:
            self._idle_since.pop()
            return 0
        self._idle_since.clear()
        self.totals.cold_starts += 1
        return self._worker.init_seconds

    def _finish(self, batch: list[tuple[float, int, int]]) -> None:
        self._running -= 1
        self._idle_since.append(self._now)
        for sent, attempts, count in batch:
            share = self._worker.failure_share
            failed = int(self._chance.binomial(count, share)) if share else 0
            self.totals.done += count - failed
            self._retry(sent, attempts, failed)
        self.totals.drained_seconds = self._now
        self._dispatch()

    def _retry(self, sent: float, attempts: int, failed: int) -> None:
        retry = self._worker.retry
        if attempts >= retry.max_receive_count:
            self.totals.dead += failed
            return
        self._delayed_count += failed
        for _ in range(failed):
            delay = retry.delay(attempts, self._chance)
            self._at(self._now + delay, lambda: self._return(sent, attempts))

    def _return(self, sent: float, attempts: int) -> None:
        self._delayed_count -= 1
        self._enqueue(sent, attempts, 1)
