"""A result → the attributes of its item."""

from typing import Any

from worker.errors import ImageError
from worker.landmarks import Landmarks, MaskPlace
from worker.results.item import BoundingBoxMap, DurationsMap, ImageMap, SegmentationMap
from worker.results.landmarks import DECIMALS
from worker.results.prefix import prefix_of
from worker.results.result import Result
from worker.results.stored import normalised, timestamp


def result_attributes(result: Result) -> dict[str, Any]:
    """What an item holds of a result, by attribute; what the table's owner adds is not in it."""
    identity, durations = result.identity, result.durations
    return {
        "object_key": result.job.key,
        "bucket": result.job.bucket,
        "prefix": prefix_of(result.job.bucket, result.job.key),
        "status": result.status,
        "etag": identity.etag,
        "version_id": identity.version_id,
        "sequencer": normalised(identity.sequencer),
        "source_last_modified": timestamp(identity.last_modified),
        "job_id": result.job.job_id,
        "message_id": result.message_id,
        "attempts": result.attempts,
        "duration_ms": DurationsMap(
            fetch=durations.fetch, detect=durations.detect, total=durations.total
        ),
        "segmentation": _segmentation(result.segmentation),
        **_outcome_attributes(result),
    }


def _outcome_attributes(result: Result) -> dict[str, Any]:
    outcome, size = result.outcome, result.identity.size_bytes
    if isinstance(outcome, ImageError):
        return {
            "error_code": outcome.code,
            "error_message": str(outcome),
            "image": ImageMap(bytes=size),
        }
    image = ImageMap(width=outcome.width, height=outcome.height, format=outcome.format, bytes=size)
    return {"image": image, **_landmark_attributes(outcome.landmarks)}


def _segmentation(place: MaskPlace | None) -> SegmentationMap | None:
    return None if place is None else SegmentationMap(**place._asdict())


def _landmark_attributes(landmarks: Landmarks) -> dict[str, Any]:
    attributes: dict[str, Any] = {group.name: array for group, array in landmarks.found()}
    if landmarks.pose_score is not None:
        attributes["pose_score"] = round(landmarks.pose_score, DECIMALS)
    box = landmarks.bounding_box()
    if box is not None:
        rounded = {name: round(value, DECIMALS) for name, value in box._asdict().items()}
        attributes["bounding_box"] = BoundingBoxMap(**rounded)
    return attributes
