"""DynamoDB expressions on landmarks stored as maps."""

from collections.abc import Sequence
from typing import Any

import boto3
import numpy as np
import pytest

from landmarks.enums import LandmarkEncoding
from landmarks.groups import Landmarks
from tests.fakes import seen_person
from tests.integration.reading.conftest import Save
from tests.integration.reading.node import ROOT
from worker.result import Detection
from worker.table import ResultsTable

pytestmark = pytest.mark.parametrize("encoding", [LandmarkEncoding.MAPS])

DOCS = (ROOT / "docs" / "table.md").read_text("utf-8")

# From docs/table.md.
PLACE = "pose_landmarks[15].x, pose_landmarks[15].y"
HAND_RAISED = "pose_landmarks[15].y < pose_landmarks[11].y"

LEFT_SHOULDER, LEFT_WRIST = 11, 15


def query(table: ResultsTable, projection: str) -> dict[str, Any]:
    """Return a projection of the only item."""
    (item,) = boto3.client("dynamodb").query(
        TableName=table.item.Meta.table_name,
        KeyConditionExpression="object_key = :key",
        ProjectionExpression=projection,
        ExpressionAttributeValues={":key": {"S": "photo.jpg"}},
    )["Items"]
    return dict(item)


def person_with(left_shoulder_y: float, left_wrist_y: float) -> Detection:
    """Return a person in which only two heights matter."""
    pose = np.full((33, 4), 0.5, np.float32)
    pose[[LEFT_SHOULDER, LEFT_WRIST], 1] = left_shoulder_y, left_wrist_y
    return Detection(Landmarks(pose_landmarks=pose, pose_score=1.0), 640, 480, "jpeg")


def seen(column: int) -> dict[str, str]:
    """Return a number of the left wrist, as in the table."""
    pose = seen_person().landmarks.pose_landmarks
    assert pose is not None
    return {"N": f"{pose[LEFT_WRIST, column]:.6f}".rstrip("0")}


def test_projection_reaches_one_number(written: ResultsTable, save: Save) -> None:
    """A projection returns one number and nothing else."""
    save("photo.jpg")

    assert query(written, "pose_landmarks[15].x") == {
        "pose_landmarks": {"L": [{"M": {"x": seen(0)}}]}
    }


# With several paths into one landmark, moto keeps only the last.
@pytest.mark.parametrize("dynamodb", ["dynalite"], indirect=True)
def test_projection_reaches_several_numbers(written: ResultsTable, save: Save) -> None:
    """A projection returns several numbers of one landmark."""
    assert PLACE in DOCS
    save("photo.jpg")

    found = query(written, PLACE)

    assert found["pose_landmarks"] == {"L": [{"M": {"x": seen(0), "y": seen(1)}}]}


@pytest.mark.parametrize(
    ("condition", "keys"),
    [
        (HAND_RAISED, ["up"]),
        ("pose_landmarks[15].y > :half", ["down"]),
        ("attribute_not_exists(pose_landmarks[15].y)", []),
    ],
)
def test_filter_compares_numbers(
    condition: str, keys: Sequence[str], written: ResultsTable, save: Save
) -> None:
    """Filters compare numbers with each other and with a value."""
    assert HAND_RAISED in DOCS
    save("up", outcome=person_with(0.4, 0.1))
    save("down", outcome=person_with(0.4, 0.9))
    values = {"ExpressionAttributeValues": {":half": {"N": "0.5"}}} if ":half" in condition else {}

    found = boto3.client("dynamodb").scan(
        TableName=written.item.Meta.table_name, FilterExpression=condition, **values
    )["Items"]

    assert [item["object_key"]["S"] for item in found] == keys
