"""A job's durations, measured with a clock that only the test advances."""

import time
from collections.abc import Iterator

import boto3
import pytest

from landmarks.groups import MaskPlace
from landmarks.job import Job
from tests.fakes import Cloud, RiggedDetectors, nobody, seen_person
from worker.model import ModelOptions
from worker.pipeline import Pipeline
from worker.result import Detection, Result
from worker.s3 import MaskStore, ObjectReader, OpenObject
from worker.table import ResultsTable
from worker.telemetry import Telemetry
from worker.verdict import Stored


class Clock:
    """Replaces the module `time` in `worker.deadline`."""

    def __init__(self) -> None:
        self.now = time.monotonic()

    def monotonic(self) -> float:
        """Return the test's time."""
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A clock by which a lookup takes 1 s, reading 2 s and storing a mask 8 s."""
    clock = Clock()
    monkeypatch.setattr("worker.deadline.time", clock)
    read = OpenObject.read

    def slow_lookup(_table: ResultsTable, _job: Job) -> Stored | None:
        clock.now += 1
        return None

    def slow_read(source: OpenObject, deadline: float) -> bytes:
        clock.now += 2
        return read(source, deadline)

    def slow_put(_store: MaskStore, _job: Job, _etag: str, _png: bytes) -> MaskPlace:
        clock.now += 8
        return MaskPlace("masks", "mask.png")

    monkeypatch.setattr(ResultsTable, "stored", slow_lookup)
    monkeypatch.setattr(OpenObject, "read", slow_read)
    monkeypatch.setattr(MaskStore, "put", slow_put)
    return clock


def durations(cloud: Cloud, clock: Clock, max_bytes: int = 1000) -> Iterator[int]:
    """Process one job with a detection of 4 s, and return fetch, detect and total."""

    def slow_detect(_content: bytes, _deadline: float) -> Detection:
        clock.now += 4
        return Detection(seen_person().landmarks, 640, 480, "jpeg", mask=b"PNG")

    cloud.put("photo.png", nobody())
    s3 = boto3.client("s3")
    pipeline = Pipeline(
        ObjectReader(s3, max_bytes),
        RiggedDetectors(slow_detect),
        ResultsTable(cloud.stack.table, ModelOptions()),
        Telemetry(),
        MaskStore(s3, "masks"),
    )
    result = pipeline.process(Job(cloud.stack.bucket, "photo.png"), time.monotonic() + 60, {})
    pipeline.close()
    assert isinstance(result, Result)
    yield from (result.fetch_ms, result.detect_ms, result.total_ms)


def test_each_part_of_a_job_has_its_own_time(cloud: Cloud, clock: Clock) -> None:
    """Fetching includes the lookup; the total includes storing the mask."""
    assert list(durations(cloud, clock)) == [3000, 4000, 15_000]


def test_object_that_is_too_large_took_no_time_to_detect(cloud: Cloud, clock: Clock) -> None:
    """A rejected object has no detection time."""
    assert list(durations(cloud, clock, max_bytes=1)) == [3000, 0, 3000]
