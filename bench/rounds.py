"""The rounds of a benchmark.

Each round measures everything once, so that a slow or fast phase of the machine affects everything
that is compared.
"""

import json
import os
import sys
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from itertools import count, cycle, islice
from pathlib import Path
from typing import Any, Final, Self

from bench.local import BUCKET, LocalServices
from bench.people import People
from bench.program import Program, Usage

_BATCH: Final = 10
_LARGE_BATCH: Final = 100
_LARGE_IMAGES: Final = 4
_WARM_IMAGES: Final = 5

_REDUCED_SIDE: Final = 1920
_OTHER_COMPLEXITIES: Final = (0, 1)

ONE_CORE: Final = (0,)


class Samples:
    """Measured values by name, one for each round."""

    def __init__(self) -> None:
        """Start empty."""
        self.values: defaultdict[str, list[float]] = defaultdict(list)

    def add(self, name: str, value: float) -> None:
        """Add a value."""
        self.values[name].append(value)

    def add_usage(self, name: str, usage: Usage) -> None:
        """Add CPU and wall times."""
        self.add(f"{name}_cpu_ms", usage.cpu_ms)
        self.add(f"{name}_parent_cpu_ms", usage.parent_cpu_ms)
        self.add(f"{name}_wall_ms", usage.wall_ms)


class Bench:
    """Runs the compared programs for the duration of the block."""

    def __init__(
        self,
        photos: Sequence[Path],
        large: Sequence[Path],
        groups: Sequence[Path],
        blog_python: Path,
        log: Path,
    ) -> None:
        """Use ten `photos`, some `large` ones, and `groups`, of which some show several people.

        The blog's handler has its own Python.
        """
        _require(len(photos) == _BATCH, f"{len(photos)} photos instead of {_BATCH}")
        self._photos, self._large, self._groups = photos, large, groups
        self._blog_python = blog_python
        self._log = log
        self._numbers = count()
        self.samples = Samples()

    def __enter__(self) -> Self:
        """Start and warm up everything."""
        with ExitStack() as stack:
            self._services = stack.enter_context(LocalServices())
            self._bare = self._start_bare(stack, complexity=2)
            self._lighter_bare = {
                complexity: self._start_bare(stack, complexity)
                for complexity in _OTHER_COMPLEXITIES
            }
            self._worker = self._start_worker(stack)
            self._pair = self._start(
                stack, "worker", cores=_all_cores(), environment={"DETECTORS": "2"}
            )
            self._reducing = self._start_worker(stack, MAX_IMAGE_SIDE=str(_REDUCED_SIDE))
            self._lighter = {
                complexity: self._start_worker(stack, MODEL_COMPLEXITY=str(complexity))
                for complexity in _OTHER_COMPLEXITIES
            }
            self._blog = self._start_blog(stack)
            self._people = People(self._start(stack, "people", cores=ONE_CORE), self._groups)
            self._warm_up()
            self._running = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop everything."""
        self._running.close()

    def run_round(self) -> None:
        """Measure everything once."""
        self._usual()
        self._one_by_one()
        self._two_children()
        self._far_services()
        self._large_images()
        self._several_people()
        self._starts()

    def items(self) -> list[dict[str, Any]]:
        """The stored items."""
        return self._services.items()

    def _start_bare(self, stack: ExitStack, complexity: int) -> Program:
        environment = {"MODEL_COMPLEXITY": str(complexity)}
        return self._start(stack, "bare", cores=ONE_CORE, environment=environment)

    def _start_worker(self, stack: ExitStack, **environment: str) -> Program:
        """As in a function of 1,769 MB: one processor, one detector."""
        return self._start(
            stack, "worker", cores=ONE_CORE, environment={"DETECTORS": "1"} | environment
        )

    def _start_blog(self, stack: ExitStack) -> Program:
        """As in a function of 5,120 MB: all processors."""
        return self._start(stack, "blog", cores=_all_cores(), python=self._blog_python)

    def _start(
        self,
        stack: ExitStack,
        name: str,
        *,
        cores: Collection[int],
        python: Path = Path(sys.executable),
        environment: Mapping[str, str] | None = None,
    ) -> Program:
        settings = (
            {"MODEL_COMPLEXITY": "2"} | dict(self._services.environment) | dict(environment or {})
        )
        program = Program(name, settings, cores=cores, log=self._log, python=python)
        return stack.enter_context(program).wait_until_ready()

    def _warm_up(self) -> None:
        for bare in (self._bare, *self._lighter_bare.values()):
            bare.ask({"keep": [str(path) for path in self._photos]})
            bare.ask({"process": [str(path) for path in self._photos]})
        for program in (self._worker, self._pair, self._reducing, *self._lighter.values()):
            self._batch(program, self._photos, _BATCH)
        self._batch_of_one(self._blog, self._photos[0])

    def _one_by_one(self) -> None:
        """Each photo in its own invocation, for the spread."""
        for photo in self._photos:
            self.samples.add_usage("single", self._batch(self._worker, [photo], 1))

    def _usual(self) -> None:
        """Bare MediaPipe, the worker and the blog's handler on typical photos, and duplicates."""
        samples, paths = self.samples, [str(path) for path in self._photos]
        _, bare = self._bare.ask({"process": paths})
        samples.add_usage("limit", bare.per(_BATCH))
        event = self._upload(self._photos, _BATCH)
        worker = self._ask(self._worker, event).per(_BATCH)
        samples.add_usage("worker", worker)
        samples.add_usage("duplicate", self._ask(self._worker, event).per(_BATCH))
        blog = [self._batch_of_one(self._blog, photo) for photo in self._photos]
        samples.add_usage("baseline", _mean(blog))
        for complexity, program in self._lighter.items():
            _, bare = self._lighter_bare[complexity].ask({"process": paths})
            samples.add_usage(f"limit_complexity_{complexity}", bare.per(_BATCH))
            usage = self._batch(program, self._photos, _BATCH)
            samples.add_usage(f"worker_complexity_{complexity}", usage)

    def _two_children(self) -> None:
        """A hundred images with one detector on one processor, and with two on two.

        Once as one event, and once in batches of ten for each detector, by the poller.
        """
        one = self._batch(self._worker, self._photos, _LARGE_BATCH)
        two = self._batch(self._pair, self._photos, _LARGE_BATCH)
        self.samples.add_usage("hundred", one)
        self.samples.add_usage("hundred_two_children", two)
        for name, program in {"polled": self._worker, "polled_two_children": self._pair}.items():
            event = {**self._upload(self._photos, _LARGE_BATCH), "poll": True}
            self.samples.add_usage(name, self._ask(program, event).per(_LARGE_BATCH))

    def _far_services(self) -> None:
        """Ten images with fast and with slow services."""
        near = self._batch(self._worker, self._photos, _BATCH)
        self._services.move_away()
        far = self._batch(self._worker, self._photos, _BATCH)
        self._services.come_near()
        self.samples.add_usage("near", near)
        self.samples.add_usage("far", far)

    def _large_images(self) -> None:
        """Twelve megapixels: bare MediaPipe with decoding, and the worker."""
        samples = self.samples
        paths = [str(path) for path in islice(cycle(self._large), _LARGE_IMAGES)]
        _, bare = self._bare.ask({"both": paths})
        samples.add_usage("large_limit", bare.per(_LARGE_IMAGES))
        for name, program in {
            "large_worker": self._worker,
            "large_reduced_worker": self._reducing,
            **{f"large_worker_complexity_{n}": program for n, program in self._lighter.items()},
        }.items():
            samples.add_usage(name, self._batch(program, self._large, _LARGE_IMAGES))
        samples.add_usage("large_baseline", self._batch_of_one(self._blog, self._large[0]))
        samples.add("peak_mb", self._worker.peak_mb())

    def _several_people(self) -> None:
        """Everyone, compared with the least that it could take and with one person."""
        people = self._people
        if people.prominent:
            self.samples.add("everyone_cpu_ms", people.cpu_ms("everyone", people.some))
            self.samples.add("everyone_ideal_cpu_ms", people.ideal_ms())
        if people.alone:
            self.samples.add("alone_cpu_ms", people.cpu_ms("everyone", people.alone))
            self.samples.add("alone_single_cpu_ms", people.cpu_ms("one", people.alone))

    def _starts(self) -> None:
        """Cold starts: until the worker is ready, and until the blog's handler has answered."""
        photo = self._photos[0]
        with ExitStack() as stack:
            confined = self._start_worker(stack)
        with ExitStack() as stack:
            worker = self._start(
                stack, "worker", cores=_all_cores(), environment={"DETECTORS": "1"}
            )
            first = self._batch(worker, [photo], 1)
            warm = [self._batch(worker, [photo], 1) for _ in range(_WARM_IMAGES)]
        with ExitStack() as stack:
            blog = self._start_blog(stack)
            first_of_blog = self._batch_of_one(blog, photo)
        self.samples.add("init_one_core_ms", confined.start_ms)
        self.samples.add("init_ms", worker.start_ms)
        self.samples.add("baseline_init_ms", blog.start_ms + first_of_blog.wall_ms)
        self.samples.add("first_wall_ms", first.wall_ms)
        self.samples.add("warm_wall_ms", _mean(warm).wall_ms)

    def _batch(self, program: Program, photos: Sequence[Path], size: int) -> Usage:
        """The share of one image in a batch of new ones."""
        return self._ask(program, self._upload(photos, size)).per(size)

    def _batch_of_one(self, blog: Program, photo: Path) -> Usage:
        status, usage = blog.ask({"bucket": BUCKET, "key": self._put(photo)})
        _require(status == 200, f"the blog's handler answered {status}")  # noqa: PLR2004
        return usage

    def _upload(self, photos: Sequence[Path], size: int) -> Mapping[str, Any]:
        """Upload new objects; returns an event about them."""
        keys = [self._put(photo) for photo in islice(cycle(photos), size)]
        return {"Records": [record(key) for key in keys]}

    def _put(self, photo: Path) -> str:
        key = f"2026/album {next(self._numbers)}/{photo.name}"
        self._services.put(key, photo.read_bytes())
        return key

    @staticmethod
    def _ask(program: Program, event: Mapping[str, Any]) -> Usage:
        answer, usage = program.ask(event)
        _require(answer == {"batchItemFailures": []}, f"the worker answered {answer}")
        return usage


def _all_cores() -> Collection[int]:
    return os.sched_getaffinity(0)


def _require(good: bool, complaint: str) -> None:  # noqa: FBT001, like an assertion
    if not good:
        raise RuntimeError(complaint)


def _mean(usages: Sequence[Usage]) -> Usage:
    return Usage(
        sum(usage.wall_ms for usage in usages) / len(usages),
        sum(usage.cpu_ms for usage in usages) / len(usages),
        sum(usage.parent_cpu_ms for usage in usages) / len(usages),
    )


def record(key: str) -> Mapping[str, Any]:
    """A message in the form of Lambda's events."""
    return {
        "messageId": key,
        "receiptHandle": "handle",
        "body": json.dumps({"key": key}),
        "attributes": {"ApproximateReceiveCount": "1"},
        "messageAttributes": {},
        "md5OfBody": "",
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:111122223333:bench",
        "awsRegion": "us-east-1",
    }
