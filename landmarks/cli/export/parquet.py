"""Writes Parquet with pyarrow: one row per person, in typed columns.

A result without a person has one row, too, whose `person` is null.

A group of landmarks is a column of `list<struct<x, y, z[, visibility]: float>>`, null if it was
not found. Parquet stores x, y, z and visibility in separate columns that can be read on their own.
The values are the table's float32 values. Lists have no fixed length because Parquet has no such
type, and a face has 468 or 478 landmarks.
"""

import json
from collections.abc import Sequence
from typing import Any, BinaryIO, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from landmarks.groups import GROUPS, FloatArray, Group
from landmarks.item import OF_A_PERSON
from landmarks.names import HAND_NAMES, POSE_NAMES
from landmarks.person import Person
from landmarks.result import LandmarkResult

# A result and one of its people, or the result itself if it has none.
Row = tuple[LandmarkResult, Person | LandmarkResult]

# Size of Arrow's arrays. A row with all groups takes 7 kB.
_ROW_GROUP_BYTES: Final = 16 * 1024 * 1024

_MOMENT: Final = pa.timestamp("ms", "UTC")

_TYPES: Final = {
    "key": pa.string(),
    "bucket": pa.string(),
    "status": pa.string(),
    "error_code": pa.string(),
    "error_message": pa.string(),
    "pose_score": pa.float64(),
    "bounding_box": pa.struct(dict.fromkeys(("x", "y", "width", "height"), pa.float64())),
    "image": pa.struct(
        {
            "width": pa.int32(),
            "height": pa.int32(),
            "format": pa.string(),
            "bytes": pa.int64(),
            "orientation": pa.int32(),
            "truncated": pa.bool_(),
        }
    ),
    "etag": pa.string(),
    "version_id": pa.string(),
    "source_last_modified": _MOMENT,
    "processed_at": _MOMENT,
    "duration_ms": pa.struct(dict.fromkeys(("fetch", "detect", "total"), pa.int32())),
    "job_id": pa.string(),
    "options_hash": pa.string(),
    "model": pa.struct(
        {
            "mediapipe_version": pa.string(),
            "model_complexity": pa.int32(),
            "refine_face_landmarks": pa.bool_(),
            "min_detection_confidence": pa.float64(),
            "min_landmark_confidence": pa.float64(),
            "architecture": pa.string(),
        }
    ),
    "people_count": pa.int32(),
    "person": pa.int32(),
    "person_score": pa.float64(),
}

# MediaPipe's landmark names, in the order of the lists.
_METADATA: Final = {
    "pose_names": json.dumps(POSE_NAMES),
    "hand_names": json.dumps(HAND_NAMES),
}


def parquet_schema(*, landmarks: bool) -> pa.Schema:
    """Return the columns, in order."""
    groups = {group.name: _type(group) for group in GROUPS} if landmarks else {}
    fields = [
        pa.field(name, kind, nullable=name not in {"key", "bucket", "status"})
        for name, kind in (_TYPES | groups).items()
    ]
    return pa.schema(fields, metadata=_METADATA)


class ParquetWriter:
    """Writes row groups of limited size, which limits memory use."""

    def __init__(self, stream: BinaryIO, *, landmarks: bool) -> None:
        self._schema = parquet_schema(landmarks=landmarks)
        self._groups = GROUPS if landmarks else ()
        plain = list(_TYPES)
        self._file = pq.ParquetWriter(
            stream,
            self._schema,
            compression="zstd",
            # Landmarks hardly repeat, and queries don't filter by their minima and maxima.
            use_dictionary=plain,
            write_statistics=plain,
        )
        self._batches: list[pa.RecordBatch] = []

    def write(self, results: Sequence[LandmarkResult]) -> int:
        """Add results, which are written when a row group is full."""
        rows = [row for result in results for row in _rows(result)]
        columns = [_column(rows, name, kind) for name, kind in _TYPES.items()]
        columns += [_landmarks([person for _, person in rows], group) for group in self._groups]
        self._batches.append(pa.RecordBatch.from_arrays(columns, schema=self._schema))
        if sum(batch.nbytes for batch in self._batches) >= _ROW_GROUP_BYTES:
            self._flush()
        return len(results)

    def close(self) -> None:
        """Finish the file and leave the stream open."""
        self._flush()
        self._file.close()

    def _flush(self) -> None:
        if self._batches:
            table = pa.Table.from_batches(self._batches)
            self._batches = []
            self._file.write_table(table, row_group_size=len(table))


def _type(group: Group) -> pa.DataType:
    landmark = pa.struct([pa.field(c, pa.float32(), nullable=False) for c in group.columns])
    return pa.list_(pa.field("element", landmark, nullable=False))


def _rows(result: LandmarkResult) -> list[Row]:
    return [(result, person) for person in result.people] or [(result, result)]


def _column(rows: Sequence[Row], name: str, kind: pa.DataType) -> pa.Array:
    values: list[Any]
    if name == "person":
        values = [person.number if isinstance(person, Person) else None for _, person in rows]
    else:
        places = [person if name in OF_A_PERSON else result for result, person in rows]
        values = [getattr(place, name) for place in places]
    if pa.types.is_struct(kind):
        values = [None if value is None else value._asdict() for value in values]
    return pa.array(values, kind)


def _landmarks(people: Sequence[Person | LandmarkResult], group: Group) -> pa.ListArray:
    arrays: list[FloatArray | None] = [getattr(person.landmarks, group.name) for person in people]
    nothing = np.empty((0, len(group.columns)), np.float32)
    rows = np.concatenate([nothing, *(array for array in arrays if array is not None)])
    ends = np.cumsum([0, *(0 if array is None else len(array) for array in arrays)])
    kind = _type(group)
    columns = [pa.array(np.ascontiguousarray(column)) for column in rows.T]
    return pa.ListArray.from_arrays(
        pa.array(ends, pa.int32()),
        pa.StructArray.from_arrays(columns, fields=list(kind.value_type)),
        type=kind,
        mask=pa.array([array is None for array in arrays]),
    )
