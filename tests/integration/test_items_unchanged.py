"""Items are byte for byte what the worker wrote before its code was reorganised.

Commit be2b8d6 wrote `items_before.json` from the results below.
"""

import json
from base64 import b64encode
from datetime import datetime, timedelta, timezone, tzinfo
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from landmarks.enums import LandmarkEncoding
from landmarks.errors import ImageError, TooManyPixelsError
from landmarks.groups import Landmarks, MaskPlace
from landmarks.job import Job
from tests.fakes import Cloud
from worker.model import ModelOptions
from worker.result import Detection, ObjectIdentity, Result
from worker.table import ResultsTable

BEFORE = json.loads(Path(__file__).with_name("items_before.json").read_text("utf-8"))
MODIFIED = datetime(2026, 1, 2, 5, 4, 5, tzinfo=timezone(timedelta(hours=2)))
SEQUENCER = "0055aed6dcd90281e5"


class Clock(datetime):
    """Replaces `datetime` in `worker.table` with a fixed time."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        """Return the time at which `items_before.json` was written."""
        return datetime(2026, 2, 3, 4, 5, 6, 789_000, tzinfo=tz)


def group(rows: int, columns: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return numbers that are the same on all machines, no two of them equal."""
    numbers = np.arange(rows * columns, dtype=np.float32).reshape(rows, columns)
    return numbers / np.float32(1000) - np.float32(0.3)


POSE = Landmarks(
    pose_landmarks=group(33, 4), pose_world_landmarks=group(33, 4), pose_score=0.987654321
)
EVERYTHING = Landmarks(
    pose_landmarks=group(33, 4),
    pose_world_landmarks=group(33, 4),
    face_landmarks=group(468, 3),
    left_hand_landmarks=group(21, 3),
    right_hand_landmarks=group(21, 3),
    pose_score=0.987654321,
)


def result(key: str, outcome: Detection | ImageError, place: MaskPlace | None = None) -> Result:
    """Return a result in a bucket without versioning, from a job by key."""
    identity = ObjectIdentity("feed", MODIFIED, 4711)
    return Result(Job("photos", key), identity, outcome, 12, 34, 56, segmentation=place)


FULL = Result(
    Job(
        "photos",
        "2026/everything.jpg",
        version_id="v1",
        etag="feed",
        sequencer=SEQUENCER,
        job_id="order-7",
        message_id="00000000-0000-4000-8000-000000000000",
        attempts=2,
    ),
    ObjectIdentity("feed", MODIFIED, 4711, "v1", SEQUENCER),
    Detection(EVERYTHING, 640, 480, "jpeg"),
    12,
    34,
    56,
)
MASK = MaskPlace("masks", "photos/mask.jpg/feed.png")


@pytest.mark.parametrize(
    ("stored", "options"),
    [
        (FULL, {"ttl_days": 30}),
        (
            result("maps.jpg", Detection(POSE, 640, 480, "png")),
            {"encoding": LandmarkEncoding.MAPS},
        ),
        (result("nobody.png", Detection(Landmarks(), 96, 64, "webp")), {}),
        (result("large.png", TooManyPixelsError("64000000 pixels")), {}),
        (result("mask.jpg", Detection(POSE, 640, 480, "jpeg"), MASK), {}),
    ],
    ids=["everything", "maps", "nobody", "failed", "mask"],
)
def test_item_is_the_one_written_before(
    stored: Result, options: dict[str, Any], cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All attributes, types and digits are the same."""
    monkeypatch.setattr("worker.table.datetime", Clock)
    monkeypatch.setattr("worker.table.architecture", lambda: "x86_64")
    monkeypatch.setattr("worker.table.mediapipe_version", lambda: "0.10.21")
    ResultsTable(cloud.stack.table, ModelOptions(), **options).save(stored)

    written = json.loads(json.dumps(cloud.item(stored.job.key), default=as_base64))

    assert written == BEFORE[stored.job.key]


def as_base64(value: bytes) -> str:
    """Return bytes as JSON can hold them."""
    return b64encode(value).decode()
