"""Photographs of several people, as applications read them."""

import json
import pickle
from dataclasses import replace
from typing import Any

import boto3
import numpy as np
import pytest

from landmarks import LandmarkTable
from landmarks.encoding import DECIMALS
from landmarks.enums import LandmarkEncoding
from landmarks.groups import BoundingBox, Landmarks, MaskPlace
from landmarks.person import Person
from landmarks.result import LandmarkResult
from tests.fakes import seen_nobody, seen_people, seen_person
from tests.integration.reading.conftest import Save, in_base64
from worker.table import ResultsTable

KEY = "photo.jpg"
PEOPLE = seen_people()
FIRST, OTHERS = PEOPLE.landmarks, PEOPLE.others


@pytest.fixture
def max_people() -> int:
    """More than one."""
    return 8


@pytest.fixture
def table(written: ResultsTable) -> LandmarkTable:
    """A reader of the test's table."""
    return LandmarkTable(written.item.Meta.table_name)


def get(table: LandmarkTable) -> LandmarkResult:
    """Return the only result."""
    result = table.get(KEY)
    assert result is not None
    return result


def raw_item(written: ResultsTable) -> dict[str, Any]:
    """Return the only item in DynamoDB's JSON, with bytes."""
    (item,) = boto3.client("dynamodb").scan(TableName=written.item.Meta.table_name)["Items"]
    return dict(item)


def assert_is(person: Person, seen: Landmarks, atol: float = 0) -> None:
    """Compare a person with what the detector saw."""
    assert [group for group, _ in person.landmarks.found()] == [group for group, _ in seen.found()]
    for group, array in seen.found():
        read = getattr(person, group.name)
        assert (read.dtype, read.shape, read.flags.writeable) == (np.float32, array.shape, False)
        np.testing.assert_allclose(read, array, rtol=2**-23 if atol else 0, atol=atol)
    box = seen.bounding_box()
    assert box is not None
    assert person.bounding_box == BoundingBox(*(round(side, DECIMALS) for side in box))
    assert person.person_score == pytest.approx(seen.person_score, abs=1e-6)


@pytest.mark.parametrize(
    ("encoding", "atol"),
    [
        (LandmarkEncoding.BINARY, 0),
        (LandmarkEncoding.INT16, 0.5001 / 4096),
        (LandmarkEncoding.MAPS, 5e-7),
    ],
)
def test_everyone_is_read(table: LandmarkTable, save: Save, atol: float) -> None:
    """The first person is the result itself; nobody else has a pose score."""
    save(KEY, outcome=PEOPLE)
    result = get(table)

    assert (result.status, result.people_count) == ("detected", 3)
    assert len(result.people) == 3
    for person, seen in zip(result.people, (FIRST, *OTHERS), strict=True):
        assert_is(person, seen, atol)
    first, *others = result.people
    assert first.pose == result.pose
    assert (first.bounding_box, first.pose_score, first.person_score) == (
        result.bounding_box,
        result.pose_score,
        result.person_score,
    )
    assert first.pose_score == pytest.approx(0.987654, abs=1e-9)
    assert [person.pose_score for person in others] == [None, None]


def test_people_have_names_and_pixels(table: LandmarkTable, save: Save) -> None:
    """Like the result itself."""
    save(KEY, outcome=PEOPLE)
    _, second, third = get(table).people

    pose = OTHERS[0].pose_landmarks
    assert pose is not None
    assert second.pose is not None
    assert list(second.pose["left_wrist"]) == pose[15].tolist()
    assert second.left_hand is not None
    pixels = second.pixels("pose_landmarks")
    np.testing.assert_array_equal(pixels, pose[:, :2].astype(float) * [640, 480])
    assert (third.left_hand, third.pixels("face_landmarks")) == (None, None)


def test_person_that_only_boxes_found_has_no_pose_score(table: LandmarkTable, save: Save) -> None:
    """The photograph is `detected` all the same."""
    save(KEY, outcome=replace(PEOPLE, landmarks=replace(FIRST, pose_score=None), others=()))
    result = get(table)

    assert (result.status, result.pose_score, result.people_count) == ("detected", None, 1)
    assert result.person_score == pytest.approx(0.9)
    assert len(result.people) == 1


def test_person_that_boxes_did_not_find_has_no_person_score(
    table: LandmarkTable, save: Save, written: ResultsTable
) -> None:
    """The detector of boxes ran and did not confirm the first person."""
    save(KEY, outcome=seen_person())
    result = get(table)

    assert (result.person_score, result.people_count, len(result.people)) == (None, 1, 1)
    assert not {"person_score", "other_people"} & raw_item(written).keys()


def test_nobody_is_a_count_of_none(table: LandmarkTable, save: Save) -> None:
    """Everybody was looked for, and nobody found."""
    save(KEY, outcome=seen_nobody())
    result = get(table)

    assert (result.status, result.people_count, result.people) == ("not_detected", 0, ())


@pytest.mark.parametrize("max_people", [1])
def test_one_person_is_stored_as_ever(
    table: LandmarkTable, save: Save, written: ResultsTable
) -> None:
    """Where nobody else is looked for, an item has no attribute of people."""
    save(KEY)

    assert not {"people_count", "person_score", "other_people"} & raw_item(written).keys()
    result = get(table)
    assert (result.people_count, len(result.people)) == (None, 1)
    assert_is(result.people[0], seen_person().landmarks)


@pytest.mark.parametrize("encoding", LandmarkEncoding)
def test_json_has_everyone(table: LandmarkTable, save: Save) -> None:
    """Other people are written like the first one, even after the result was pickled."""
    save(KEY, outcome=PEOPLE)
    values = json.loads(json.dumps(get(table).to_json()))

    assert values == pickle.loads(pickle.dumps(get(table))).to_json()  # noqa: S301, our own data
    assert values["people_count"] == 3
    second, third = values["other_people"]
    assert second.keys() == {
        "pose_landmarks",
        "pose_world_landmarks",
        "face_landmarks",
        "left_hand_landmarks",
        "right_hand_landmarks",
        "bounding_box",
        "person_score",
    }
    assert third.keys() == {
        "pose_landmarks",
        "pose_world_landmarks",
        "bounding_box",
        "person_score",
    }
    pose = OTHERS[1].pose_landmarks
    assert pose is not None
    assert third["pose_landmarks"]["landmark"][15]["x"] == pytest.approx(
        pose[15, 0], abs=0.5 / 4096
    )


def test_streams_have_everyone(save: Save, written: ResultsTable) -> None:
    """Bytes of other people are base64, too."""
    save(KEY, outcome=PEOPLE)
    image = in_base64({"M": raw_item(written)})["M"]

    result = LandmarkResult.from_stream(json.loads(json.dumps(image)))

    assert result is not None
    for person, seen in zip(result.people, (FIRST, *OTHERS), strict=True):
        assert_is(person, seen)


POSE = {"pose_landmarks": {"B": bytes(528)}}


@pytest.mark.parametrize(
    ("others", "reason"),
    [
        ({"S": "my friends"}, "other_people"),
        ({"M": POSE}, "other_people"),
        ({"L": [{"S": "me"}]}, "other_people"),
        ({"L": [{"NULL": True}]}, r"other_people\[0\] has no pose_landmarks"),
        ({"L": [{"M": POSE}, {"M": {}}]}, r"other_people\[1\] has no pose_landmarks"),
        ({"L": [{"M": {"pose_landmarks": {"S": "x"}}}]}, "pose_landmarks"),
        ({"L": [{"M": {"pose_landmarks": {"B": bytes(10)}}}]}, "buffer size|reshape|landmarks"),
        ({"L": [{"M": POSE | {"person_score": {"S": "high"}}}]}, "person_score"),
        ({"L": [{"M": POSE | {"bounding_box": {"S": "wide"}}}]}, "bounding_box"),
    ],
)
def test_foreign_people_are_an_error(others: dict[str, Any], reason: str) -> None:
    """An item may be another application's: nothing is guessed, and the error names the place."""
    item = {name: {"S": "x"} for name in ("object_key", "bucket")}
    with pytest.raises((ValueError, TypeError), match=reason):
        LandmarkResult.from_attributes(
            {**item, "status": {"S": "detected"}, **POSE, "other_people": others}
        )


def test_listing_counts_people(table: LandmarkTable, save: Save) -> None:
    """A summary has the number of people, without their landmarks."""
    save(KEY, outcome=PEOPLE)

    (summary,) = table.list("photos")

    assert summary.people_count == 3
    assert summary.to_json()["people_count"] == 3
    assert "other_people" not in summary.to_json()


@pytest.mark.parametrize("encoding", LandmarkEncoding)
def test_one_person_can_be_read_alone(table: LandmarkTable, save: Save) -> None:
    """The result is as if nobody else had been found; only the first person has a mask."""
    save(KEY, outcome=PEOPLE, segmentation=MaskPlace("masks", "photo.png"))
    result = get(table)

    for number, person in enumerate(result.people):
        alone = result.of_person(number)

        assert alone.people == (person,)
        assert person.number == number
        assert (alone.pose, alone.bounding_box) == (person.pose, person.bounding_box)
        assert (alone.pose_score, alone.person_score) == (person.pose_score, person.person_score)
        assert [group for group, _ in alone.landmarks.found()] == [
            group for group, _ in person.landmarks.found()
        ]
        assert (alone.segmentation is None) == (number > 0)
        assert (alone.key, alone.image, alone.people_count) == (KEY, result.image, 3)
        assert "other_people" not in alone.to_json()


@pytest.mark.parametrize("number", [-1, 3])
def test_nobody_else_can_be_read(table: LandmarkTable, save: Save, number: int) -> None:
    """A wrong number is an IndexError, and never counts from the end."""
    save(KEY, outcome=PEOPLE)

    with pytest.raises(IndexError, match=f"no person {number} among 3"):
        get(table).of_person(number)
