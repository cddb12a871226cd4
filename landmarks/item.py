"""The results table's schema: attributes, keys, and the index by folder."""

from datetime import UTC, datetime
from typing import Any, Final, Self

from pynamodb.attributes import (
    ListAttribute,
    MapAttribute,
    NumberAttribute,
    TTLAttribute,
    UnicodeAttribute,
)
from pynamodb.constants import PAY_PER_REQUEST_BILLING_MODE
from pynamodb.indexes import GlobalSecondaryIndex, IncludeProjection
from pynamodb.models import Model

from landmarks.encoding import ATTRIBUTES, TupleAttribute, decode
from landmarks.enums import LandmarkEncoding
from landmarks.groups import (
    GROUPS,
    BoundingBox,
    Durations,
    FloatArray,
    ImageInfo,
    Landmarks,
    MaskPlace,
    ModelInfo,
)

SCHEMA_VERSION: Final = 1

KEYS: Final = ("object_key", "bucket")

# Attributes that the index contains besides the keys. Adding one means recreating the index;
# entries below 1 kB cost one write unit.
INDEX_ATTRIBUTES: Final = (
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
SUMMARY_ATTRIBUTES: Final = (*INDEX_ATTRIBUTES, "people_count")

# Attributes that describe the first person.
OF_A_PERSON: Final = (
    *(group.name for group in GROUPS),
    "pose_score",
    "person_score",
    "bounding_box",
    "segmentation",
)

PREFIX_INDEX: Final = "by-prefix"

_CONNECTIONS: Final = 32

# DynamoDB answers in milliseconds. PynamoDB's defaults wait up to 180 s in total, longer than
# the function may run.
_WORKER_LIMITS: Final = {
    "connect_timeout_seconds": 1,
    "read_timeout_seconds": 3,
    "max_retry_attempts": 1,
}
# Readers may be far away, and can wait.
_READER_LIMITS: Final = {
    "connect_timeout_seconds": 5,
    "read_timeout_seconds": 20,
    "max_retry_attempts": 5,
}


def iso(moment: datetime) -> str:
    """Return a time as `processed_at` has it: 2026-11-23T21:42:38.123Z. Such texts sort by time."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def prefix_of(bucket: str, key: str) -> str:
    """Return bucket and folder, each followed by a slash: `b/photos/2026/`.

    The folder is the key up to its last slash; S3 gives `//` and `..` no special meaning. Bucket
    names contain no slash, and all ARNs of access points end behind their only slash, so no two
    buckets share a prefix. The result has up to 255 + 1 + 1,024 bytes; DynamoDB allows 2,048.
    """
    return f"{bucket}/{key[: key.rfind('/') + 1]}"


class OtherPerson(MapAttribute[str, Any]):
    """A further person. The groups of landmarks come from `bind_item`."""

    person_score = NumberAttribute(null=True)
    bounding_box = TupleAttribute(BoundingBox, null=True)


class LandmarkItem(Model):
    """An item of the table. `bind_item` returns the class for a given table."""

    object_key = UnicodeAttribute(hash_key=True)
    bucket = UnicodeAttribute(range_key=True)
    prefix = UnicodeAttribute(null=True)  # items written by earlier versions have none
    status = UnicodeAttribute()
    error_code = UnicodeAttribute(null=True)
    error_message = UnicodeAttribute(null=True)

    # The groups of landmarks come from `bind_item`. Without this, they are float32 or maps.
    encoding = UnicodeAttribute(null=True)
    pose_score = NumberAttribute(null=True)
    bounding_box = TupleAttribute(BoundingBox, null=True)
    segmentation = TupleAttribute(MaskPlace, null=True)
    person_score = NumberAttribute(null=True)
    people_count = NumberAttribute(null=True)
    other_people: ListAttribute[OtherPerson] = ListAttribute(of=OtherPerson, null=True)

    image = TupleAttribute(ImageInfo, sparse=("orientation", "truncated"))
    etag = UnicodeAttribute()
    version_id = UnicodeAttribute(null=True)
    sequencer = UnicodeAttribute(null=True)
    source_last_modified = UnicodeAttribute()

    # Without an architecture, it is the default's, like all earlier ones.
    model = TupleAttribute(ModelInfo, sparse=("architecture",))
    options_hash = UnicodeAttribute()
    job_id = UnicodeAttribute(null=True)
    message_id = UnicodeAttribute(null=True)
    attempts = NumberAttribute()
    processed_at = UnicodeAttribute()
    duration_ms = TupleAttribute(Durations)
    schema_version = NumberAttribute(default=SCHEMA_VERSION)
    expires_at = TTLAttribute(null=True)

    @classmethod
    def from_raw_data(cls, data: dict[str, Any]) -> Self:
        """Return an item with its landmarks decoded.

        Raises:
            ValueError: bytes are not the landmarks of a group, or their encoding is unknown.
        """
        item = super().from_raw_data(data)
        for person in (item, *(item.other_people or ())):
            stored = _groups(person) if person else {}
            if any(stored.values()):
                for name, array in decode(stored, item.encoding).items():
                    setattr(person, name, array)
        return item


class PrefixIndex(GlobalSecondaryIndex[LandmarkItem]):
    """The results of a folder without their landmarks, sorted by key."""

    class Meta:
        """PynamoDB's configuration."""

        index_name = PREFIX_INDEX
        projection = IncludeProjection(list(INDEX_ATTRIBUTES))

    prefix = UnicodeAttribute(hash_key=True)
    object_key = UnicodeAttribute(range_key=True)


def bind_item(
    table_name: str,
    encoding: LandmarkEncoding = LandmarkEncoding.BINARY,
    *,
    for_reading: bool = False,
    region: str | None = None,
    endpoint_url: str | None = None,
) -> type[LandmarkItem]:
    """Return the item class of one table.

    Args:
        table_name: name of the table.
        encoding: how landmarks are written. All encodings can be read.
        for_reading: use longer timeouts, and declare the index `by_prefix`, which the table may
            not have.
        region: AWS region (default: the environment's).
        endpoint_url: DynamoDB's endpoint (default: the environment's).
    """
    meta = {
        "table_name": table_name,
        "region": region,
        "host": endpoint_url,
        "max_pool_connections": _CONNECTIONS,
        "billing_mode": PAY_PER_REQUEST_BILLING_MODE,
        **(_READER_LIMITS if for_reading else _WORKER_LIMITS),
    }
    # PynamoDB ties DynamoDB's type to the attribute class, so each encoding has its own.
    attribute = ATTRIBUTES[encoding]
    groups = {group.name: attribute(group) for group in GROUPS}
    other_person = type("OtherPerson", (OtherPerson,), {**groups})
    attributes: dict[str, Any] = {
        **groups,
        "other_people": ListAttribute(of=other_person, null=True),
    }
    if encoding is LandmarkEncoding.INT16:  # every byte counts
        attributes["model"] = TupleAttribute(ModelInfo, sparse=ModelInfo._field_defaults)
    if for_reading:
        attributes["by_prefix"] = PrefixIndex()
    return type("LandmarkItem", (LandmarkItem,), {"Meta": type("Meta", (), meta), **attributes})


def landmarks_of(item: LandmarkItem) -> Landmarks:
    """Return the first person's landmarks. All groups are None if no person was found."""
    return Landmarks(**_groups(item), pose_score=item.pose_score, person_score=item.person_score)


def others_of(item: LandmarkItem) -> list[tuple[Landmarks, BoundingBox | None]]:
    """Return everyone but the first person, with their bounding boxes.

    Raises:
        ValueError: one of them has no pose.
    """
    others: list[tuple[Landmarks, BoundingBox | None]] = []
    for number, person in enumerate(item.other_people or ()):
        if getattr(person, "pose_landmarks", None) is None:  # DynamoDB's lists may contain NULL
            raise ValueError(f"other_people[{number}] has no pose_landmarks")
        landmarks = Landmarks(**_groups(person), pose_score=None, person_score=person.person_score)
        others.append((landmarks, person.bounding_box))
    return others


def landmarks_as_json(landmarks: Landmarks) -> dict[str, Any]:
    """Return each group in the form of MediaPipe's JSON; None for groups that were not found."""
    found = {group.name: _rows(array, group.columns) for group, array in landmarks.found()}
    return {group.name: found.get(group.name) for group in GROUPS}


def item_as_json(item: LandmarkItem) -> dict[str, Any]:
    """Return the item as JSON values, with its landmarks decoded."""
    values = _as_json(item, landmarks_of(item))
    if item.other_people:
        people = zip(item.other_people, others_of(item), strict=True)
        values["other_people"] = [_as_json(person, landmarks) for person, (landmarks, _) in people]
    return values


def _groups(person: LandmarkItem | OtherPerson) -> dict[str, FloatArray | None]:
    return {group.name: getattr(person, group.name) for group in GROUPS}


def _as_json(person: LandmarkItem | OtherPerson, landmarks: Landmarks) -> dict[str, Any]:
    # Without `force`, PynamoDB rejects bytes. They are replaced below.
    values: dict[str, Any] = person.to_simple_dict(force=True)
    groups = landmarks_as_json(landmarks)
    return values | {name: rows for name, rows in groups.items() if rows}


def _rows(array: FloatArray, columns: tuple[str, ...]) -> dict[str, list[dict[str, float]]]:
    return {"landmark": [dict(zip(columns, row, strict=True)) for row in array.tolist()]}
