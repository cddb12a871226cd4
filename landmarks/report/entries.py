"""One result as the page shows it, small enough to keep thousands in memory."""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Self

from landmarks.enums import FAILED
from landmarks.groups import GROUPS, Landmarks
from landmarks.item import iso
from landmarks.result import LandmarkResult

# World landmarks have no place in a photo.
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
        bucket: the object's bucket.
        etag: ETag of the content that was processed.
        version_id: version that was processed, in a versioned bucket.
        processed_at: when it was processed.
        refused: whether the worker could not read the image.
        record: what is searched, sorted and listed, ready for JSON.
        content: `landmarks` of the first person: base64 of float32, little-endian, row-major, by
            group: x, y, z, and visibility of the pose. `others`, if anybody else was found: for
            each the `score` and `landmarks`.
    """

    key: str
    bucket: str
    etag: str | None
    version_id: str | None
    processed_at: datetime | None
    refused: bool
    record: Mapping[str, Any]
    content: Mapping[str, Any]

    @classmethod
    def of(cls, result: LandmarkResult) -> Self:
        """The entry of a result."""
        return cls(
            key=result.key,
            bucket=result.bucket,
            etag=result.etag,
            version_id=result.version_id,
            processed_at=result.processed_at,
            refused=result.status == FAILED,
            record=_record(result),
            content=_content(result),
        )

    @property
    def newest_first(self) -> tuple[float, str, str]:
        """Sort key; entries without a date are the oldest."""
        age = -self.processed_at.timestamp() if self.processed_at else 0.0
        return age, self.key, self.bucket


def columns() -> dict[str, int]:
    """The number of values of one landmark, by group."""
    return {_DRAWN[group.name]: len(group.columns) for group in GROUPS if group.name in _DRAWN}


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
        "truncated": bool(image and image.truncated),
        "face": _has(result, "face_landmarks"),
        "hands": _has(result, "left_hand_landmarks", "right_hand_landmarks"),
        "ms": durations and durations._asdict(),
        "score": result.pose_score,
        "people": result.people_count,
        "person_score": result.person_score,
        "etag": result.etag,
        "version": result.version_id,
        "processed": result.processed_at and iso(result.processed_at),
        "modified": result.source_last_modified and iso(result.source_last_modified),
        "job": result.job_id,
        "options": result.options_hash,
    }


def _has(result: LandmarkResult, *groups: str) -> bool:
    """Whether anybody has one of these groups."""
    return any(
        group.name in groups for person in result.people for group, _ in person.landmarks.found()
    )


def _content(result: LandmarkResult) -> dict[str, Any]:
    content: dict[str, Any] = {"landmarks": _encoded(result.landmarks)}
    if others := result.people[1:]:
        content["others"] = [
            {"score": person.person_score, "landmarks": _encoded(person.landmarks)}
            for person in others
        ]
    return content


def _encoded(landmarks: Landmarks) -> dict[str, str]:
    return {
        _DRAWN[group.name]: b64encode(array.astype("<f4").tobytes()).decode()
        for group, array in landmarks.found()
        if group.name in _DRAWN
    }
