"""Writes `docs/vector.json`: `python -m docs.vector`.

The worker's own code writes one result in each encoding. Readers in other languages compare
their numbers with those in the file.
"""

import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np

from landmarks.encoding import decode
from landmarks.enums import LandmarkEncoding
from landmarks.groups import GROUPS, FloatArray, Landmarks, ModelInfo
from landmarks.job import Job
from worker.model import ModelOptions
from worker.result import Detection, ObjectIdentity, Result
from worker.table import ResultsTable

FILE: Final = Path(__file__).with_name("vector.json")

_IDENTITY: Final = ObjectIdentity(
    "9a0364b9e99bb480dd25e1f0284c8555", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), 4711
)
# These would depend on the time and the machine.
_PROCESSED_AT: Final = "2026-01-02T03:04:06.789Z"
_OPTIONS_HASH: Final = "0123456789abcdef"
_MODEL: Final = ModelInfo("0.10.21", 2)


def people() -> tuple[Landmarks, Landmarks]:
    """Return a person with face and left hand, and one without."""
    first = replace(_person(0), pose_score=0.875, person_score=0.75)
    first = replace(first, face_landmarks=_rows(468, 3, 1), left_hand_landmarks=_rows(21, 3, 2))
    return first, replace(_person(100), person_score=0.5)


def _person(first: int) -> Landmarks:
    pose, world = _rows(33, 4, first), _rows(33, 4, first + 50)
    pose[:, 3] = world[:, 3] = np.abs(pose[:, 3]) % 1  # MediaPipe returns a visibility twice
    return Landmarks(pose, world)


def _rows(rows: int, columns: int, first: int) -> FloatArray:
    """Return hundredths from -0.15 to 1.15; of 131 numbers in a row, no two are equal."""
    hundredths = (37 * np.arange(rows * columns) + first) % 131 - 15
    return (hundredths / 100).astype(np.float32).reshape(rows, columns)


def vector() -> dict[str, Any]:
    """Return an item and its numbers for each encoding."""
    return {
        "about": "One result in each LANDMARK_ENCODING: `item` is in DynamoDB's JSON, bytes in "
        "base64. `people` has the numbers that a reader gets, as float32, the first person first: "
        "rows of x, y, z and, for the pose, visibility.",
        **{str(encoding): _result(encoding) for encoding in LandmarkEncoding},
    }


def _result(encoding: LandmarkEncoding) -> dict[str, Any]:
    first, *others = people()
    table = ResultsTable("results", ModelOptions(max_people=2), encoding=encoding)
    outcome = Detection(first, 640, 480, "jpeg", others=tuple(others))
    item = table.build(Result(Job("photos", "2026/été 1+1.jpg"), _IDENTITY, outcome, 12, 34, 56))
    item.processed_at, item.options_hash, item.model = _PROCESSED_AT, _OPTIONS_HASH, _MODEL
    stored = item.serialize()
    everyone = [stored, *(other["M"] for other in stored["other_people"]["L"])]
    return {"item": stored, "people": [_numbers(one, item.encoding) for one in everyone]}


def _numbers(stored: Mapping[str, Any], encoding: str | None) -> dict[str, list[float]]:
    values = {g.name: next(iter(stored[g.name].values())) for g in GROUPS if g.name in stored}
    return {
        name: [float(str(number)) for number in array.ravel()]  # the shortest that reads the same
        for name, array in decode(values, encoding).items()
    }


def text() -> str:
    """Return the file: a line for each attribute of an item."""
    return _expanded(vector(), levels=3) + "\n"


def _expanded(value: object, levels: int) -> str:
    if not isinstance(value, dict) or not levels:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_base64)
    fields = [f'"{name}": {_expanded(field, levels - 1)}' for name, field in value.items()]
    return "{\n" + ",\n".join(fields) + "\n}"


def _base64(binary: bytes) -> str:
    return b64encode(binary).decode()


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
