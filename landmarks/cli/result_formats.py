"""File formats of one result: JSON, CSV and NPZ.

CSV and NPZ contain no landmarks if no person was found. A result without a bucket is from a local
file: its key is the path, which is `file` in JSON and CSV.
"""

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from io import BytesIO, StringIO
from typing import Any, Final

import numpy as np

from landmarks.groups import FloatArray
from landmarks.item import KEYS
from landmarks.names import HAND_NAMES, POSE_NAMES
from landmarks.result import LandmarkResult

CSV_COLUMNS: Final = (
    "group",
    "number",
    "name",
    "x",
    "y",
    "z",
    "visibility",
    "x_pixels",
    "y_pixels",
)

# MediaPipe does not name face landmarks.
NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "pose_landmarks": POSE_NAMES,
    "pose_world_landmarks": POSE_NAMES,
    "left_hand_landmarks": HAND_NAMES,
    "right_hand_landmarks": HAND_NAMES,
}

# World landmarks are in metres and have no pixel positions.
WORLD: Final = "pose_world_landmarks"

_PIXEL_DECIMALS: Final = 3


def as_json(result: LandmarkResult) -> bytes:
    """Return all stored attributes as one JSON object on one line."""
    values = result.to_json()
    if not result.bucket:
        others = {name: value for name, value in values.items() if name not in KEYS}
        values = {"file": result.key, **others}
    return f"{json.dumps(values)}\n".encode()


def as_csv(result: LandmarkResult, *, header: bool = True) -> bytes:
    """Return one row per landmark that was found, with x, y and z exactly as stored.

    Face landmarks have no name, face and hand landmarks no visibility, and world landmarks no
    pixels: these fields are empty. Rows of a local file start with its path.
    """
    text = StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    first = {} if result.bucket else {"file": result.key}
    if header:
        writer.writerow((*first, *CSV_COLUMNS))
    for group, array in result.landmarks.found():
        rows = _rows(result, group.name, array)
        writer.writerows((*first.values(), *row) for row in rows)
    return text.getvalue().encode()


def as_npz(result: LandmarkResult) -> bytes:
    """Return a NumPy archive with one array per group that was found. Needs no pickle.

    Other values, if known, are arrays of shape (): `key`, `bucket`, `status`, `etag`, `width`,
    `height` and `pose_score`.
    """
    image = result.image
    facts: dict[str, Any] = {
        "key": result.key,
        "bucket": result.bucket or None,
        "status": result.status,
        "etag": result.etag,
        "width": image.width if image else None,
        "height": image.height if image else None,
        "pose_score": result.pose_score,
    }
    arrays = {name: np.array(value) for name, value in facts.items() if value is not None}
    arrays |= {group.name: array for group, array in result.landmarks.found()}
    content = BytesIO()
    np.savez_compressed(content, allow_pickle=False, **arrays)
    return content.getvalue()


FORMATS: Final[Mapping[str, Callable[[LandmarkResult], bytes]]] = {
    "json": as_json,
    "csv": as_csv,
    "npz": as_npz,
}


def _rows(result: LandmarkResult, group: str, array: FloatArray) -> Iterator[tuple[object, ...]]:
    names = NAMES.get(group, ("",) * len(array))
    pixels = None if group == WORLD else result.pixels(group)
    for number, landmark in enumerate(array):
        x, y, z, *visibility = landmark.astype(str)
        place = ("", "") if pixels is None else pixels[number].round(_PIXEL_DECIMALS).tolist()
        yield (group, number, names[number], x, y, z, *(visibility or ("",)), *place)
