"""Items that the worker writes, checked against `docs/item.schema.json` in DynamoDB's JSON."""

import json
from dataclasses import replace
from typing import Any

import boto3
import pytest
from jsonschema import Draft202012Validator

from landmarks.enums import LandmarkEncoding
from landmarks.errors import CorruptImageError, ImageError
from landmarks.groups import MaskPlace
from tests.fakes import seen_nobody, seen_people, seen_person
from tests.integration.reading.conftest import Save, in_base64
from tests.integration.reading.node import ROOT
from worker.detector.protocol import FORMATS
from worker.result import Detection
from worker.table import ResultsTable

SCHEMA = json.loads((ROOT / "docs" / "item.schema.json").read_text())
ONE = {"N": "1"}
POINT = {"M": {"x": ONE, "y": ONE, "z": ONE}}
Item = dict[str, dict[str, Any]]


def only_item(table: ResultsTable) -> Item:
    """Return the only item in DynamoDB's wire format, with binary values in base64."""
    (item,) = boto3.client("dynamodb").scan(TableName=table.item.Meta.table_name)["Items"]
    item_in_base64: Item = in_base64({"M": item})["M"]
    return item_in_base64


@pytest.mark.parametrize("encoding", LandmarkEncoding)
@pytest.mark.parametrize(
    "outcome",
    [
        seen_person(),
        seen_person(points=478),
        seen_nobody(),
        CorruptImageError("short"),
        replace(seen_person(), orientation=8, truncated=True),
        *(replace(seen_nobody(), format=name) for name in FORMATS),
    ],
)
def test_items_are_as_the_schema_says(
    outcome: Detection | ImageError, written: ResultsTable, save: Save
) -> None:
    """Items of each status and encoding are valid and have no unknown attributes."""
    Draft202012Validator.check_schema(SCHEMA)
    save("photo.jpg", outcome=outcome)
    item = only_item(written)

    assert not list(Draft202012Validator(SCHEMA).iter_errors(item))
    assert item.keys() <= SCHEMA["properties"].keys()


def test_a_person_with_a_mask_is_as_the_schema_says(written: ResultsTable, save: Save) -> None:
    """The bucket and key of a mask are strings."""
    save("photo.jpg", segmentation=MaskPlace("masks", "photos/photo.jpg/feed.png"))
    item, schema = only_item(written), Draft202012Validator(SCHEMA)

    assert schema.is_valid(item)
    assert item.keys() <= SCHEMA["properties"].keys()
    place = item["segmentation"]["M"]
    for damaged in ({"M": {"key": place["key"]}}, {"M": place | {"key": {"N": "1"}}}, {"S": "x"}):
        assert not schema.is_valid(item | {"segmentation": damaged})


def test_schema_refuses_a_mask_of_nobody(written: ResultsTable, save: Save) -> None:
    """An item with a mask but no person is invalid."""
    save("photo.jpg", outcome=seen_nobody(), segmentation=MaskPlace("masks", "photo.png"))
    assert not Draft202012Validator(SCHEMA).is_valid(only_item(written))


@pytest.mark.parametrize(
    "damage",
    [
        {"status": {"S": "done"}},
        {"status": {"S": "failed"}},
        {"left_hand_landmarks": {"B": "AAAA"}},
        {"left_hand_landmarks": {"L": 20 * [POINT]}},
        {"left_hand_landmarks": {"L": 20 * [POINT] + [{"M": {"x": ONE, "y": ONE}}]}},
        {"left_hand_landmarks": {"L": 20 * [POINT] + [{"M": POINT["M"] | {"visibility": ONE}}]}},
        {"left_hand_landmarks": {"L": 20 * [POINT] + [{"M": POINT["M"] | {"x": {"S": "1"}}}]}},
        {"left_hand_landmarks": {"L": 21 * [POINT], "B": 336 * "A"}},
        {"pose_landmarks": {"L": 33 * [POINT]}},
        {"face_landmarks": {"L": 470 * [POINT]}},
        {"image": {"M": {"bytes": ONE, "orientation": {"N": "1"}}}},
        {"image": {"M": {"bytes": ONE, "orientation": {"S": "6"}}}},
        {"image": {"M": {"bytes": ONE, "truncated": {"BOOL": False}}}},
        {"image": {"M": {"bytes": ONE, "format": {"S": "jp2"}}}},
        {"attempts": {"N": "one"}},
        {"schema_version": {"N": "2"}},
        {"encoding": {"S": "int16"}},
        {"encoding": {"S": "binary"}},
    ],
)
def test_schema_refuses_what_is_no_item(damage: Item, written: ResultsTable, save: Save) -> None:
    """Wrong types, sizes and combinations are invalid."""
    save("photo.jpg")
    assert not Draft202012Validator(SCHEMA).is_valid(only_item(written) | damage)


@pytest.mark.parametrize("encoding", [LandmarkEncoding.INT16])
@pytest.mark.parametrize(
    "damage",
    [
        {"encoding": {"S": "int12"}},
        {"face_landmarks": {"B": 7488 * "A"}},
        {"pose_world_landmarks": {"B": 352 * "A"}},
        {"left_hand_landmarks": {"L": 21 * [POINT]}},
    ],
)
def test_schema_tells_int16_from_float32(damage: Item, written: ResultsTable, save: Save) -> None:
    """Bytes have the length of the encoding that the item names."""
    save("photo.jpg")
    item, schema = only_item(written), Draft202012Validator(SCHEMA)
    assert schema.is_valid(item)
    assert not schema.is_valid(item | damage)
    del item["encoding"]
    assert not schema.is_valid(item)


@pytest.mark.parametrize("max_people", [16])
@pytest.mark.parametrize("encoding", LandmarkEncoding)
@pytest.mark.parametrize(
    "outcome",
    [
        seen_people(16),
        seen_people(2, points=478),
        seen_people(1),
        replace(seen_people(), landmarks=replace(seen_people().landmarks, pose_score=None)),
        seen_nobody(),
    ],
    ids=["crowd", "refined", "one", "boxes only", "nobody"],
)
def test_several_people_are_as_the_schema_says(
    outcome: Detection, written: ResultsTable, save: Save
) -> None:
    """Everybody's groups have the same encoding."""
    save("photo.jpg", outcome=outcome)
    item = only_item(written)

    assert not list(Draft202012Validator(SCHEMA).iter_errors(item))
    assert item.keys() <= SCHEMA["properties"].keys()


OTHER = {"pose_landmarks": {"B": 704 * "A"}, "person_score": ONE}


@pytest.mark.parametrize("max_people", [16])
@pytest.mark.parametrize(
    "others",
    [
        {"M": OTHER},
        {"L": []},
        {"L": 16 * [{"M": OTHER}]},
        {"L": [{"S": "me"}]},
        {"L": [{"M": {"person_score": ONE}}]},
        {"L": [{"M": OTHER | {"pose_score": ONE}}]},
        {"L": [{"M": OTHER | {"pose_landmarks": {"B": 352 * "A"}}}]},
        {"L": [{"M": OTHER | {"left_hand_landmarks": {"L": 20 * [POINT]}}}]},
        {"L": [{"M": OTHER | {"bounding_box": {"M": {"x": ONE}}}}]},
    ],
)
def test_schema_refuses_what_are_no_people(
    others: dict[str, Any], written: ResultsTable, save: Save
) -> None:
    """Wrong types, numbers of people, sizes and attributes are invalid."""
    save("photo.jpg", outcome=seen_people(1))
    item, schema = only_item(written), Draft202012Validator(SCHEMA)

    assert schema.is_valid(item | {"other_people": {"L": 15 * [{"M": OTHER}]}})
    assert not schema.is_valid(item | {"other_people": others})
