"""File formats of one result: JSON, CSV and NPZ.

CSV and NPZ contain the landmarks of everyone, and none if nobody was found. A result without a
bucket is from a local file: its key is the path, which is `file` in JSON and CSV.
"""

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from io import BytesIO, StringIO
from typing import Any, Final

import numpy as np

from landmarks.groups import FloatArray
from landmarks.item import KEYS
from landmarks.names import HAND_NAMES, POSE_NAMES
from landmarks.person import Person
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
    "person",
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
    pixels: these fields are empty. Rows of a local file start with its path. `person` is 0 for the
    first person, whose rows come first.
    """
    first = {} if result.bucket else {"file": result.key}
    names = csv_lines([(*first, *CSV_COLUMNS)]) if header else b""
    return names + csv_lines(csv_rows(result, *first.values()))


def csv_rows(result: LandmarkResult, *first: str) -> Iterator[tuple[object, ...]]:
    """Yield `first` and the values of `CSV_COLUMNS` for each landmark that was found."""
    for person in result.people:
        for group, array in person.landmarks.found():
            for row in _rows(person, group.name, array):
                yield (*first, *row)


def csv_lines(rows: Iterable[tuple[object, ...]]) -> bytes:
    """Return rows as CSV."""
    text = StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def as_npz(result: LandmarkResult) -> bytes:
    """Return a NumPy archive with one array per group that was found. Needs no pickle.

    Other values, if known, are arrays of shape (): `key`, `bucket`, `status`, `etag`, `width`,
    `height`, `pose_score`, `people_count` and `person_score`. Names of other people's arrays end
    with their number: `pose_landmarks_1`, `person_score_1`.
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
        "people_count": result.people_count,
    }
    for place, person in enumerate(result.people):
        suffix = f"_{place}" if place else ""
        facts[f"person_score{suffix}"] = person.person_score
        facts |= {f"{group.name}{suffix}": array for group, array in person.landmarks.found()}
    arrays = {name: np.array(value) for name, value in facts.items() if value is not None}
    content = BytesIO()
    np.savez_compressed(content, allow_pickle=False, **arrays)
    return content.getvalue()


FORMATS: Final[Mapping[str, Callable[[LandmarkResult], bytes]]] = {
    "json": as_json,
    "csv": as_csv,
    "npz": as_npz,
}


def _rows(person: Person, group: str, array: FloatArray) -> Iterator[tuple[object, ...]]:
    names = NAMES.get(group, ("",) * len(array))
    pixels = None if group == WORLD else person.pixels(group)
    places = [("", "")] * len(array) if pixels is None else pixels.round(_PIXEL_DECIMALS).tolist()
    rows = zip(names, array.astype(str).tolist(), places, strict=True)
    for number, (name, (x, y, z, *visibility), place) in enumerate(rows):
        yield (group, number, name, x, y, z, *(visibility or ("",)), *place, person.number)
