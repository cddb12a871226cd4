"""One item of the results table, attribute by attribute."""

from typing import Any, Final

from pynamodb.attributes import (
    BooleanAttribute,
    MapAttribute,
    NumberAttribute,
    TTLAttribute,
    UnicodeAttribute,
)
from pynamodb.constants import PAY_PER_REQUEST_BILLING_MODE
from pynamodb.models import Model

from worker.landmarks import GROUPS, XYZ, XYZV
from worker.results.encoding import LandmarkEncoding
from worker.results.landmarks import ATTRIBUTES, LandmarksAttribute

SCHEMA_VERSION: Final = 1

# DynamoDB answers in milliseconds; PynamoDB's defaults would wait 180 s in all,
# longer than the function may run.
_CONNECT_TIMEOUT_SECONDS: Final = 1
_READ_TIMEOUT_SECONDS: Final = 3
_RETRIES: Final = 1
_CONNECTIONS: Final = 32


class BoundingBoxMap(MapAttribute[str, Any]):
    """The visible pose landmarks' box, normalised."""

    x = NumberAttribute()
    y = NumberAttribute()
    width = NumberAttribute()
    height = NumberAttribute()


class ImageMap(MapAttribute[str, Any]):
    """The image: upright size in pixels, format, size of the file in bytes."""

    width = NumberAttribute(null=True)
    height = NumberAttribute(null=True)
    format = UnicodeAttribute(null=True)
    bytes = NumberAttribute()


class ModelMap(MapAttribute[str, Any]):
    """What computed the landmarks."""

    mediapipe_version = UnicodeAttribute()
    model_complexity = NumberAttribute()
    refine_face_landmarks = BooleanAttribute()
    min_detection_confidence = NumberAttribute()
    min_landmark_confidence = NumberAttribute()


class SegmentationMap(MapAttribute[str, Any]):
    """Where in S3 the segmentation mask is."""

    bucket = UnicodeAttribute()
    key = UnicodeAttribute()


class DurationsMap(MapAttribute[str, Any]):
    """How long the job's parts took, in milliseconds."""

    fetch = NumberAttribute()
    detect = NumberAttribute()
    total = NumberAttribute()


class LandmarkItem(Model):
    """The table's item. `bind_item` gives the class for one table."""

    object_key = UnicodeAttribute(hash_key=True)
    bucket = UnicodeAttribute(range_key=True)
    prefix = UnicodeAttribute(null=True)  # items of before it was written have none
    status = UnicodeAttribute()
    error_code = UnicodeAttribute(null=True)
    error_message = UnicodeAttribute(null=True)

    pose_landmarks = LandmarksAttribute(XYZV)
    pose_world_landmarks = LandmarksAttribute(XYZV)
    face_landmarks = LandmarksAttribute(XYZ)
    left_hand_landmarks = LandmarksAttribute(XYZ)
    right_hand_landmarks = LandmarksAttribute(XYZ)
    pose_score = NumberAttribute(null=True)
    bounding_box = BoundingBoxMap(null=True)
    segmentation = SegmentationMap(null=True)

    image = ImageMap()
    etag = UnicodeAttribute()
    version_id = UnicodeAttribute(null=True)
    sequencer = UnicodeAttribute(null=True)
    source_last_modified = UnicodeAttribute()

    model = ModelMap()
    options_hash = UnicodeAttribute()
    job_id = UnicodeAttribute(null=True)
    message_id = UnicodeAttribute(null=True)
    attempts = NumberAttribute()
    processed_at = UnicodeAttribute()
    duration_ms = DurationsMap()
    schema_version = NumberAttribute(default=SCHEMA_VERSION)
    expires_at = TTLAttribute(null=True)


def bind_item(
    table_name: str, encoding: LandmarkEncoding = LandmarkEncoding.BINARY
) -> type[LandmarkItem]:
    """The item class of one table; region and endpoint are the environment's.

    Args:
        table_name: the table.
        encoding: how landmarks are written. They are read however they were.
    """

    class Meta:
        connect_timeout_seconds = _CONNECT_TIMEOUT_SECONDS
        read_timeout_seconds = _READ_TIMEOUT_SECONDS
        max_retry_attempts = _RETRIES
        max_pool_connections = _CONNECTIONS
        billing_mode = PAY_PER_REQUEST_BILLING_MODE

    Meta.table_name = table_name  # type: ignore[attr-defined]
    # DynamoDB's type belongs to the attribute, not to its value: each encoding has its own.
    attribute = ATTRIBUTES[encoding]
    groups = {group.name: attribute(group.columns) for group in GROUPS}
    return type("LandmarkItem", (LandmarkItem,), {"Meta": Meta, **groups})
