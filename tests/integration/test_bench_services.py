"""The benchmark's stand-ins: what the worker asks of S3 and DynamoDB, they answer alike."""

from collections.abc import Iterator
from time import monotonic

import boto3
import pytest

from bench.items import write_units
from bench.local import BUCKET, LocalServices
from landmarks.errors import ObjectNotFoundError
from landmarks.job import Job
from tests.fakes import seen_person
from worker.model import ModelOptions
from worker.result import Result
from worker.s3 import ObjectReader
from worker.table import ResultsTable

KEY = "2026/a b+c é.jpg"
JOB = Job(BUCKET, KEY)


@pytest.fixture
def near(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalServices]:
    """The services, for every client that is made in the test."""
    with LocalServices() as services:
        for name, value in services.environment.items():
            monkeypatch.setenv(name, value)
        yield services


def reader() -> ObjectReader:
    """The worker's way of reading."""
    return ObjectReader(boto3.client("s3"), max_image_bytes=1_000_000)


def test_object_is_read_whole_and_once(near: LocalServices) -> None:
    """Its content has a tag by which it is not sent again."""
    near.put(KEY, b"content")

    with reader().open(JOB) as source:
        assert source
        assert source.read(monotonic() + 10) == b"content"
    with reader().open(JOB, unless_etag=source.identity.etag) as unchanged:
        assert unchanged is None


@pytest.mark.usefixtures("near")
def test_missing_object_has_s3s_error() -> None:
    """The worker calls it by its name."""
    with pytest.raises(ObjectNotFoundError), reader().open(JOB):
        pass


def test_result_is_found_again_alone_and_among_others(near: LocalServices) -> None:
    """By both ways in which the worker looks, and with the size that DynamoDB would charge."""
    near.put(KEY, b"content")
    table = ResultsTable("bench-results", ModelOptions())
    other = Job(BUCKET, "other.jpg")
    with reader().open(JOB) as source:
        assert source
        table.save(Result(JOB, source.identity, seen_person()))

    stored = table.stored(JOB)
    assert stored
    assert table.stored(other) is None
    assert table.stored_together([JOB, other]) == {
        JOB.object_name: stored,
        other.object_name: None,
    }
    (item,) = near.items()
    assert write_units(item) == 8


def test_services_can_be_far_away(near: LocalServices) -> None:
    """Each answer of S3 takes its 50 ms, until they come near again."""
    near.put(KEY, b"content")

    def seconds() -> float:
        start = monotonic()
        with reader().open(JOB) as source:
            assert source
        return monotonic() - start

    near.move_away()
    far = seconds()
    near.come_near()

    assert far >= 0.05
    assert min(seconds() for _ in range(5)) < far  # one of them without a hiccup of the machine
