"""What the page tells of one result, as small as it can be kept in memory."""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Self

from landmarks.enums import FAILED
from landmarks.groups import GROUPS
from landmarks.result import LandmarkResult

# World landmarks have no place in a picture.
_DRAWN: Final = {
    "pose_landmarks": "pose",
    "face_landmarks": "face",
    "left_hand_landmarks": "left_hand",
    "right_hand_landmarks": "right_hand",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One result.

    Attributes:
        key: the object's key.
        bucket: its bucket.
        etag: of the content that was processed.
        version_id: the same, in buckets that keep versions.
        processed_at: when that was.
        refused: whether the worker could not read the image.
        record: what is searched, sorted and listed; ready for JSON.
        landmarks: base64 of float32, little-endian, row by row: x, y, z, and visibility of the
            pose; by group.
    """

    key: str
    bucket: str
    etag: str | None
    version_id: str | None
    processed_at: datetime | None
    refused: bool
    record: Mapping[str, Any]
    landmarks: Mapping[str, str]

    @classmethod
    def of(cls, result: LandmarkResult) -> Self:
        """Keep of a result what the page shows."""
        return cls(
            key=result.key,
            bucket=result.bucket,
            etag=result.etag,
            version_id=result.version_id,
            processed_at=result.processed_at,
            refused=result.status == FAILED,
            record=_record(result),
            landmarks={
                _DRAWN[group.name]: b64encode(array.astype("<f4").tobytes()).decode()
                for group, array in result.landmarks.found()
                if group.name in _DRAWN
            },
        )

    @property
    def newest_first(self) -> tuple[float, str, str]:
        """Sorts entries; what has no date is oldest."""
        age = -self.processed_at.timestamp() if self.processed_at else 0.0
        return age, self.key, self.bucket


def columns() -> dict[str, int]:
    """How many numbers a landmark of each group has."""
    return {_DRAWN[group.name]: len(group.columns) for group in GROUPS if group.name in _DRAWN}


def iso(moment: datetime | None) -> str | None:
    """As the table writes it."""
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")


def _record(result: LandmarkResult) -> dict[str, Any]:
    image, durations = result.image, result.duration_ms
    return {
        "key": result.key,
        "bucket": result.bucket,
        "status": result.status,
        "code": result.error_code,
        "message": result.error_message,
        "width": image and image.width,
        "height": image and image.height,
        "format": image and image.format,
        "bytes": image and image.bytes,
        "ms": durations and durations._asdict(),
        "score": result.pose_score,
        "etag": result.etag,
        "version": result.version_id,
        "processed": iso(result.processed_at),
        "modified": iso(result.source_last_modified),
        "job": result.job_id,
        "options": result.options_hash,
    }
