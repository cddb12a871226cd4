"""The directory that an object lies in, as the table's index by directory has it."""

from typing import Any, Final

from pynamodb.attributes import (
    BooleanAttribute,
    MapAttribute,
    NumberAttribute,
    TTLAttribute,
    UnicodeAttribute,
)
from pynamodb.constants import PAY_PER_REQUEST_BILLING_MODE
from pynamodb.indexes import GlobalSecondaryIndex, IncludeProjection
from pynamodb.models import Model

from landmarks.encoding import ATTRIBUTES, LandmarksAttribute
from landmarks.enums import LandmarkEncoding
from landmarks.groups import GROUPS, XYZ, XYZV, FloatArray, Landmarks

# Beside the keys. An index has to be made anew to hold more; less than 1 kB of it all costs
# one write unit.
SUMMARY_ATTRIBUTES: Final = (
    "status",
    "error_code",
    "error_message",
    "pose_score",
    "bounding_box",
    "image",
    "etag",
    "source_last_modified",
    "options_hash",
    "job_id",
    "processed_at",
)


KEYS: Final = ("object_key", "bucket")


def prefix_of(bucket: str, key: str) -> str:
    """Bucket and directory with a slash behind each: `b/photos/2026/` of `photos/2026/a.jpg`.

    What keys begin with up to their last slash, and nothing else: to S3 `//` and `..` are names
    like any other. No bucket's name has a slash, so none is taken for a directory of another.
    It has up to 63 + 1 + 1,024 bytes, of the 2,048 that DynamoDB allows.
    """
    return f"{bucket}/{key[: key.rfind('/') + 1]}"


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


PREFIX_INDEX: Final = "by-prefix"


# The worker has to answer in seconds; a reader may be far away, and has time.
_READER_CONNECT_TIMEOUT_SECONDS: Final = 5


_READER_READ_TIMEOUT_SECONDS: Final = 20


_READER_RETRIES: Final = 5


class PrefixIndex(GlobalSecondaryIndex[LandmarkItem]):
    """The summaries of a directory, in the order of their keys."""

    class Meta:
        """How DynamoDB knows it."""

        index_name = PREFIX_INDEX
        projection = IncludeProjection(list(SUMMARY_ATTRIBUTES))

    prefix = UnicodeAttribute(hash_key=True)
    object_key = UnicodeAttribute(range_key=True)


def bind_reader_item(
    table_name: str, region: str | None = None, endpoint_url: str | None = None
) -> type[LandmarkItem]:
    """The item class of one table, which may have the index, or not.

    Args:
        table_name: the table.
        region: another one than the environment's.
        endpoint_url: another DynamoDB than the environment's.
    """
    bound = bind_item(table_name)
    item: type[LandmarkItem] = type(bound.__name__, (bound,), {"by_prefix": PrefixIndex()})
    meta: Any = item.Meta
    meta.region, meta.host = region, endpoint_url
    meta.connect_timeout_seconds = _READER_CONNECT_TIMEOUT_SECONDS
    meta.read_timeout_seconds = _READER_READ_TIMEOUT_SECONDS
    meta.max_retry_attempts = _READER_RETRIES
    return item


def landmarks_of(item: LandmarkItem) -> Landmarks:
    """The item's landmarks; every group None where nobody was found."""
    groups = {group.name: getattr(item, group.name) for group in GROUPS}
    return Landmarks(**groups, pose_score=item.pose_score)


def landmarks_as_json(landmarks: Landmarks) -> dict[str, Any]:
    """Each group as MediaPipe's own JSON has it, null where it was not found."""
    found = {group.name: _rows(array, group.columns) for group, array in landmarks.found()}
    return {group.name: found.get(group.name) for group in GROUPS}


def item_as_json(item: LandmarkItem) -> dict[str, Any]:
    """The whole item, with its landmarks decoded."""
    values: dict[str, Any] = item.to_simple_dict(force=True)  # groups as base64, or it refuses
    return values | {
        name: rows for name, rows in landmarks_as_json(landmarks_of(item)).items() if rows
    }


def _rows(array: FloatArray, columns: tuple[str, ...]) -> dict[str, list[dict[str, float]]]:
    return {"landmark": [dict(zip(columns, row, strict=True)) for row in array.tolist()]}
