"""The figures of a benchmark, computed from its samples, and their targets."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Any, Final

from bench.encodings import in_16_bits
from bench.items import item_bytes, write_units

_BLOG_MEGABYTES: Final = 5120
_WORKER_MEGABYTES: Final = 1769

# Latency of a batch that cannot overlap: S3's 50 ms before the first image, DynamoDB's 20 ms after
# the last.
_UNHIDDEN_MS: Final = 70
_BATCH: Final = 10

Values = Mapping[str, Sequence[float]]


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure.

    Attributes:
        name: as in `build/bench.json`.
        what: a description.
        value: median of all rounds.
        target: the bound that it should meet, if any.
        at_least: whether the target is a lower bound.
    """

    name: str
    what: str
    value: float
    target: float | None = None
    at_least: bool = False

    @property
    def met(self) -> bool:
        """Whether it meets its target."""
        if self.target is None:
            return True
        return self.value >= self.target if self.at_least else self.value <= self.target


def figures(values: Values, items: Sequence[Mapping[str, Any]]) -> Iterator[Figure]:
    """All figures.

    Args:
        values: a value for each round, by sample.
        items: the stored items, as DynamoDB's JSON.
    """
    yield from _usual(values)
    yield from _waiting(values)
    yield from _starting(values)
    yield from _large(values)
    yield from _people(values)
    yield from _holding(values, items)


def _usual(values: Values) -> Iterator[Figure]:
    yield _of(values, "baseline_cpu_ms", "blog's handler, CPU an image")
    yield _of(values, "baseline_wall_ms", "blog's handler, wall an image, all processors")
    yield _of(values, "limit_cpu_ms", "bare MediaPipe on decoded images, CPU an image")
    yield _of(values, "worker_cpu_ms", "worker, parent and child, CPU an image, batches of ten")
    parent = median(values["worker_parent_cpu_ms"])
    yield Figure("parent_cpu_ms", "of that, the parent's", parent, 2.5)
    yield _of(values, "worker_wall_ms", "worker, wall an image, one processor")
    what = "one image in an invocation: 19 of 20 take less"
    yield Figure("worker_wall_p95_ms", what, _p95(values["single_wall_ms"]))
    for complexity in (0, 1):
        wall = f"worker_complexity_{complexity}_wall_ms"
        name = f"worker_wall_ms_complexity_{complexity}"
        yield Figure(name, f"the same, complexity {complexity}", median(values[wall]))
    over = _ratio(values, "worker_cpu_ms", "limit_cpu_ms")
    yield Figure("worker_over_limit", "worker's CPU ÷ bare MediaPipe's", over, 1.0)
    for complexity in (0, 1):
        upper, lower = (f"{who}_complexity_{complexity}_cpu_ms" for who in ("worker", "limit"))
        name, over = f"worker_over_limit_complexity_{complexity}", _ratio(values, upper, lower)
        yield Figure(name, f"the same, complexity {complexity}", over, 0.97)
    memory = _BLOG_MEGABYTES / _WORKER_MEGABYTES
    saving = _ratio(values, "baseline_wall_ms", "worker_wall_ms") * memory
    what = "blog's wall at 5,120 MB ÷ worker's at 1,769 MB"
    yield Figure("baseline_over_worker_gb_seconds", what, saving, 12, at_least=True)
    most = _ratio(values, "baseline_wall_ms", "limit_cpu_ms") * memory
    yield Figure("baseline_over_limit_gb_seconds", "the same for bare MediaPipe", most)


def _waiting(values: Values) -> Iterator[Figure]:
    penalty = _ratio(values, "far_wall_ms", "near_wall_ms")
    yield Figure("latency_penalty", "S3 50 ms and DynamoDB 20 ms away ÷ near", penalty, 1.10)
    floor = 1 + _UNHIDDEN_MS / _BATCH / median(values["near_wall_ms"])
    yield Figure("latency_floor", "the same, for the first read and the last write alone", floor)
    speedup = _ratio(values, "hundred_wall_ms", "hundred_two_children_wall_ms")
    what = "one child on one processor ÷ two on two"
    yield Figure("children_speedup", what, speedup, 1.85, at_least=True)
    polled = _ratio(values, "polled_wall_ms", "polled_two_children_wall_ms")
    what = "the same, in batches by the poller"
    yield Figure("poller_speedup", what, polled, 1.85, at_least=True)
    duplicate = _ratio(values, "duplicate_wall_ms", "worker_wall_ms")
    yield Figure("duplicate_over_image", "a duplicate ÷ a new image", duplicate, 0.05)
    scaling = _ratio(values, "hundred_wall_ms", "worker_wall_ms")
    yield Figure("batch_scaling", "an image in a batch of 100 ÷ of 10", scaling, 1.02)


def _starting(values: Values) -> Iterator[Figure]:
    yield _of(values, "init_one_core_ms", "worker, process start to ready, one processor")
    yield _of(values, "init_ms", "the same, all processors")
    yield _of(values, "baseline_init_ms", "blog's handler, start to first answer, all processors")
    ratio = _ratio(values, "init_ms", "baseline_init_ms")
    yield Figure("init_ratio", "worker's start ÷ the blog's handler's", ratio, 0.5)
    first = _ratio(values, "first_wall_ms", "warm_wall_ms")
    yield Figure("first_over_warm", "first image after the start ÷ a later one", first, 1.2)


def _large(values: Values) -> Iterator[Figure]:
    yield _of(values, "large_limit_cpu_ms", "12 MP: decoding and bare MediaPipe, CPU an image")
    yield _of(values, "large_worker_cpu_ms", "12 MP: worker, CPU an image")
    yield _of(values, "large_worker_wall_ms", "12 MP: worker, wall an image, one processor")
    for complexity in (0, 1):
        wall = f"large_worker_complexity_{complexity}_wall_ms"
        name = f"large_worker_wall_ms_complexity_{complexity}"
        yield Figure(name, f"the same, complexity {complexity}", median(values[wall]))
    what = "the same, MAX_IMAGE_SIDE=1920"
    yield _of(values, "large_reduced_worker_wall_ms", what)
    yield _of(values, "large_baseline_wall_ms", "12 MP: blog's handler, wall, all processors")
    full = _ratio(values, "large_worker_cpu_ms", "large_limit_cpu_ms")
    yield Figure("large_over_limit", "worker's CPU ÷ decoding and bare MediaPipe", full, 0.70)
    reduced = _ratio(values, "large_reduced_worker_cpu_ms", "large_limit_cpu_ms")
    yield Figure("large_reduced_over_limit", "with MAX_IMAGE_SIDE=1920 ÷ the same", reduced, 0.70)


def _people(values: Values) -> Iterator[Figure]:
    """What several people take; nothing for photos without people."""
    if "everyone_cpu_ms" in values:
        ideal = _ratio(values, "everyone_cpu_ms", "everyone_ideal_cpu_ms")
        what = "MAX_PEOPLE=16, CPU ÷ one detection and a run a person"
        yield Figure("people_over_ideal", what, ideal, 1.5)
    if "alone_cpu_ms" in values:
        single = _ratio(values, "alone_cpu_ms", "alone_single_cpu_ms")
        what = "photos of one person, CPU ÷ MAX_PEOPLE=1"
        yield Figure("one_person_over_single", what, single, 1.4)


def _holding(values: Values, items: Sequence[Mapping[str, Any]]) -> Iterator[Figure]:
    units, size = max(map(write_units, items)), median(map(item_bytes, items))
    yield Figure("item_bytes", "an item, median", size)
    yield Figure("write_units", "DynamoDB's write units of the largest item", units, 8)
    small = max(write_units(in_16_bits(item)) for item in items)
    yield Figure("write_units_int16", "the same with LANDMARK_ENCODING=int16", small, 4)
    peak = max(values["peak_mb"])
    yield Figure("peak_mb", "peak memory of parent and child, complexity 2, 12 MP", peak, 600)


def _of(values: Values, name: str, what: str) -> Figure:
    return Figure(name, what, median(values[name]))


def _ratio(values: Values, upper: str, lower: str) -> float:
    """The median of the ratios of each round."""
    return median(a / b for a, b in zip(values[upper], values[lower], strict=True))


def _p95(samples: Sequence[float]) -> float:
    return quantiles(samples, n=20, method="inclusive")[-1]
