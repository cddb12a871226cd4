"""A results table in an embedded DynamoDB, written by the worker's own code."""

import base64
import itertools
import os
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from landmarks.enums import LandmarkEncoding
from landmarks.errors import ImageError
from landmarks.groups import MaskPlace
from landmarks.job import Job
from tests.fakes import seen_person
from tests.integration.reading.node import dynalite, require_node
from worker.model import ModelOptions
from worker.result import Detection, ObjectIdentity, Result
from worker.table import ResultsTable

_NUMBERS = itertools.count(1)
_MODIFIED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

Save = Callable[..., None]


@pytest.fixture(scope="session")
def dynalite_endpoint() -> Iterator[str]:
    """The address of a DynamoDB that does not share code with moto."""
    require_node()
    with dynalite() as endpoint:
        yield endpoint


@pytest.fixture(params=["moto", "dynalite"])
def dynamodb(request: pytest.FixtureRequest) -> str:
    """The DynamoDB the test uses: each in turn, unless it selects one. dynalite needs Node."""
    name: str = request.param
    return name


@pytest.fixture
def encoding() -> LandmarkEncoding:
    """How landmarks are written by default."""
    return LandmarkEncoding.BINARY


@pytest.fixture
def max_people() -> int:
    """How many people are looked for by default."""
    return 1


@pytest.fixture
def chosen_dynamodb(
    dynamodb: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Point all clients of the test and its child processes to the DynamoDB."""
    if dynamodb == "dynalite":
        endpoint = request.getfixturevalue("dynalite_endpoint")
    else:
        request.getfixturevalue("services")
        endpoint = os.environ["AWS_ENDPOINT_URL"]
    for name, value in {
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": endpoint,
        "no_proxy": "127.0.0.1",
    }.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def written(chosen_dynamodb: None, encoding: LandmarkEncoding, max_people: int) -> ResultsTable:
    """A table for one test."""
    del chosen_dynamodb
    options = ModelOptions(max_people=max_people)
    table = ResultsTable(f"results-{next(_NUMBERS)}", options, encoding=encoding)
    table.item.create_table(wait=True, ignore_update_ttl_errors=True)  # dynalite has no TTL
    return table


@pytest.fixture
def save(written: ResultsTable) -> Save:
    """Return a function that stores a result; by default, of a person with all groups."""
    return saving(written)


def in_base64(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return a value of DynamoDB's JSON as the wire and streams have it."""
    match value:
        case {"B": bytes(content)}:
            return {"B": base64.b64encode(content).decode()}
        case {"M": dict(fields)}:
            return {"M": {name: in_base64(field) for name, field in fields.items()}}
        case {"L": list(elements)}:
            return {"L": [in_base64(element) for element in elements]}
        case _:
            return dict(value)


def saving(table: ResultsTable) -> Save:
    """Return a function that stores results in this table."""

    def save_one(
        key: str,
        bucket: str = "photos",
        outcome: Detection | ImageError | None = None,
        segmentation: MaskPlace | None = None,
    ) -> None:
        result = Result(
            job=Job(bucket, key, job_id="order-7"),
            identity=ObjectIdentity(etag="feed", last_modified=_MODIFIED, size_bytes=4711),
            outcome=outcome or seen_person(),
            fetch_ms=12,
            detect_ms=34,
            total_ms=56,
            segmentation=segmentation,
        )
        assert table.save(result)

    return save_one
