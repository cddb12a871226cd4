"""Results by folder, with and without the index, in two DynamoDBs that share no code."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from itertools import count

import boto3
import pytest

from landmarks import LandmarkTable
from landmarks.errors import CorruptImageError, NotAnImageError, ServiceError, TableNotFoundError
from landmarks.item import SUMMARY_ATTRIBUTES, bind_item
from landmarks.result import ResultSummary
from tests.fakes import closed_port, seen_nobody
from tests.integration.reading.conftest import Save, saving
from worker.model import ModelOptions
from worker.table import ResultsTable

_NUMBERS = count(1)

# All of them are valid keys in S3.
KEYS = [
    "root.jpg",
    "/slash.jpg",
    "a/1.jpg",
    "a/10.jpg",
    "a/2.jpg",
    "a/b/deep.jpg",
    "ab/sibling.jpg",
    "a//empty name.jpg",
    "a/../up.jpg",
    "a/été 1+1%20.jpg",
    "a/",
]


@dataclass(frozen=True)
class Stored:
    """A table as the worker fills it and an application reads it."""

    name: str
    save: Save
    reader: LandmarkTable

    def keys(self, bucket: str, prefix: str = "", *, recursive: bool = False) -> list[str]:
        """Return the keys listed."""
        return [found.key for found in self.reader.list(bucket, prefix, recursive=recursive)]


MakeTable = Callable[..., Stored]


@pytest.fixture
def make_table(chosen_dynamodb: None) -> MakeTable:
    """Return a function that creates a table in either DynamoDB, with or without the index."""
    del chosen_dynamodb

    def make(*, index: bool) -> Stored:
        name = f"listed-{next(_NUMBERS)}"
        item = bind_item(name, for_reading=index)
        item.create_table(wait=True, ignore_update_ttl_errors=True)  # dynalite has no TTL
        return Stored(name, saving(ResultsTable(name, ModelOptions())), LandmarkTable(name))

    return make


@pytest.fixture(params=[True, False], ids=["index", "no index"])
def stored(request: pytest.FixtureRequest, make_table: MakeTable) -> Stored:
    """Objects in two buckets, in a table with the index and in one without."""
    table = make_table(index=request.param)
    for key in KEYS:
        table.save(key, outcome=seen_nobody())
    table.save("a/1.jpg", "photos-2", CorruptImageError("cut short"))
    return table


def test_folder_lists_its_own_objects(stored: Stored) -> None:
    """Subfolders, neighbouring folders and other buckets are left out."""
    expected = {
        "": ["root.jpg"],
        "r": ["root.jpg"],
        "a": [],
        "a/": ["a/", "a/1.jpg", "a/10.jpg", "a/2.jpg", "a/été 1+1%20.jpg"],
        "a/1": ["a/1.jpg", "a/10.jpg"],
        "a/é": ["a/été 1+1%20.jpg"],
        "a/b": [],
        "a/b/": ["a/b/deep.jpg"],
        "ab/": ["ab/sibling.jpg"],
        "a//": ["a//empty name.jpg"],
        "a/../": ["a/../up.jpg"],
        "/": ["/slash.jpg"],
        "none/": [],
    }
    assert {prefix: sorted(stored.keys("photos", prefix)) for prefix in expected} == expected


def test_recursive_lists_everything_below(stored: Stored) -> None:
    """All keys with the prefix are listed, without using the index."""
    expected = {
        ("photos", ""): sorted(KEYS),
        ("photos", "a"): sorted(key for key in KEYS if key.startswith("a")),
        ("photos", "a/b/"): ["a/b/deep.jpg"],
        ("photos-2", ""): ["a/1.jpg"],
        ("photo", ""): [],
    }
    for (bucket, prefix), keys in expected.items():
        listing = stored.reader.list(bucket, prefix, recursive=True)
        assert sorted(found.key for found in listing) == keys
        assert (listing.by_index, listing.items_read) == (False, len(KEYS) + 1)


@pytest.mark.parametrize("index", [True, False])
def test_only_the_index_reads_the_folder_alone_and_sorts(
    make_table: MakeTable, *, index: bool
) -> None:
    """The index returns keys in S3's order and reads only the folder; the listing says so."""
    table = make_table(index=index)
    for key in reversed(KEYS):
        table.save(key, outcome=seen_nobody())

    listing = table.reader.list("photos", "a/")

    assert (listing.by_index, listing.items_read) == (False, 0)
    keys = [found.key for found in listing]
    expected = ["a/", "a/1.jpg", "a/10.jpg", "a/2.jpg", "a/été 1+1%20.jpg"]
    assert (keys if index else sorted(keys)) == expected
    assert (listing.by_index, listing.items_read) == (index, 5 if index else len(KEYS))


@pytest.mark.parametrize("index", [True, False])
def test_subfolders_are_those_directly_below(make_table: MakeTable, *, index: bool) -> None:
    """The table shows them in passing; the index has to be read for them."""
    table = make_table(index=index)
    for key in [*KEYS, "a/b/c/deeper.jpg"]:
        table.save(key, outcome=seen_nobody())
    table.save("a/other/1.jpg", "photos-2")

    listing = table.reader.list("photos", "a/", status="not_detected")
    assert len(list(listing)) == 5

    if index:
        assert listing.subfolders == set()
        assert listing.find_subfolders() == len(KEYS) + 2
    assert listing.subfolders == {"b/", "/", "../"}


def test_items_without_a_prefix_are_found_without_the_index(make_table: MakeTable) -> None:
    """Items written by earlier versions are only found without the index."""
    plain, indexed = make_table(index=False), make_table(index=True)
    for table in (plain, indexed):
        table.save("a/old.jpg")
        boto3.client("dynamodb").update_item(
            TableName=table.name,
            Key={"object_key": {"S": "a/old.jpg"}, "bucket": {"S": "photos"}},
            UpdateExpression="REMOVE prefix",
        )

    assert plain.keys("photos", "a/") == ["a/old.jpg"]
    assert indexed.keys("photos", "a/") == []
    assert indexed.keys("photos", "a/", recursive=True) == ["a/old.jpg"]


@pytest.mark.parametrize("index", [True, False])
@pytest.mark.parametrize("recursive", [True, False])
def test_statuses_and_codes_are_selected(
    make_table: MakeTable, *, index: bool, recursive: bool
) -> None:
    """Each filter leaves out everything else."""
    table = make_table(index=index)
    table.save("a/person.jpg")
    table.save("a/nobody.jpg", outcome=seen_nobody())
    table.save("a/short.jpg", outcome=CorruptImageError("cut short"))
    table.save("a/list.txt", outcome=NotAnImageError("a list"))

    def found(status: str | None = None, error_code: str | None = None) -> set[str]:
        listing = table.reader.list(
            "photos", "a/", status=status, error_code=error_code, recursive=recursive
        )
        return {each.key.removeprefix("a/") for each in listing}

    assert found(status="detected") == {"person.jpg"}
    assert found(status="not_detected") == {"nobody.jpg"}
    assert found(status="failed") == {"short.jpg", "list.txt"}
    assert found(error_code="NOT_AN_IMAGE") == {"list.txt"}
    assert found(status="detected", error_code="NOT_AN_IMAGE") == set()


@pytest.mark.parametrize("index", [True, False])
def test_summary_is_the_result_without_its_landmarks(make_table: MakeTable, *, index: bool) -> None:
    """Index and table give the same values and the same JSON."""
    table = make_table(index=index)
    table.save("a/person.jpg")
    table.save("a/short.jpg", outcome=CorruptImageError("cut short"))

    listed = {found.key: found for found in table.reader.list("photos", "a/")}

    for key, summary in listed.items():
        result = table.reader.get(key)
        assert result is not None
        for field in fields(ResultSummary):
            if field.name != "_attributes":
                assert getattr(summary, field.name) == getattr(result, field.name)
        whole = result.to_json()
        assert summary.to_json() == {
            name: whole[name]
            for name in ("object_key", "bucket", *SUMMARY_ATTRIBUTES)
            if name in whole
        }
    person, short = listed["a/person.jpg"], listed["a/short.jpg"]
    assert person.processed_at is not None
    assert datetime.now(UTC) - person.processed_at < timedelta(minutes=1)
    assert person.bounding_box is not None
    assert (person.status, short.error_code) == ("detected", "CORRUPT_IMAGE")


@pytest.mark.parametrize("index", [True, False])
@pytest.mark.parametrize("recursive", [True, False])
def test_listing_goes_through_many_pages(
    make_table: MakeTable, *, index: bool, recursive: bool
) -> None:
    """Each result is listed once, and pages of 1 MB are read as needed."""
    table = make_table(index=index)
    for number in range(25):
        table.save(f"a/{number:02}", outcome=CorruptImageError("x" * 100_000))

    listing = table.reader.list("photos", "a/", recursive=recursive)

    first = next(listing)
    read_for_the_first = listing.items_read
    assert sorted([first.key, *(found.key for found in listing)]) == [
        f"a/{number:02}" for number in range(25)
    ]
    assert read_for_the_first < listing.items_read == 25


@pytest.mark.parametrize("index", [True, False])
def test_limit_ends_the_listing(make_table: MakeTable, *, index: bool) -> None:
    """Without a filter, the index reads no more items than the limit."""
    table = make_table(index=index)
    for number in range(3):
        table.save(f"a/{number}", outcome=seen_nobody())
        table.save(f"a/{number} failed", outcome=CorruptImageError("cut short"))

    listing = table.reader.list("photos", "a/", limit=4)

    assert len(list(listing)) == 4
    assert listing.items_read == (4 if index else 6)
    assert len(list(table.reader.list("photos", "a/", status="failed", limit=2))) == 2
    assert len(list(table.reader.list("photos", "a/", status="failed", limit=9))) == 3


def test_an_applications_own_item_is_not_listed(make_table: MakeTable) -> None:
    """An item without `status` is not a result, even if it has a prefix."""
    table = make_table(index=True)
    names = {"object_key": "a/x", "bucket": "photos", "prefix": "photos/a/", "note": "mine"}
    item = {name: {"S": value} for name, value in names.items()}
    boto3.client("dynamodb").put_item(TableName=table.name, Item=item)

    assert table.keys("photos", "a/") == []
    assert table.keys("photos", "a/", recursive=True) == []


@pytest.mark.usefixtures("make_table")
def test_errors_are_named() -> None:
    """A wrong table and an unreachable DynamoDB raise their own errors."""
    with pytest.raises(TableNotFoundError):
        next(LandmarkTable("no-such-table").list("photos"))
    with closed_port() as address:
        table = LandmarkTable("any", endpoint_url=address)
        table._item.Meta.max_retry_attempts = 0
        with pytest.raises(ServiceError):
            next(table.list("photos"))
