"""What a result says beside its landmarks, as plain values."""

from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, Self, TypeVar

import numpy as np
import numpy.typing as npt
from pynamodb.attributes import MapAttribute

from landmarks.groups import GROUPS, BoundingBox, FloatArray, Landmarks, MaskPlace
from landmarks.item import (
    BoundingBoxMap,
    DurationsMap,
    ImageMap,
    LandmarkItem,
    ModelMap,
    SegmentationMap,
    bind_item,
    item_as_json,
    landmarks_of,
)
from landmarks.names import HAND_NAMES, POSE_NAMES, NamedLandmarks

Facts = TypeVar("Facts", bound=tuple[object, ...])


class ImageInfo(NamedTuple):
    """The image; of one that could not be read there is only its size in bytes.

    Attributes:
        width: in pixels, upright; None if it could not be read.
        height: in pixels, upright; None if it could not be read.
        format: "jpeg", "png" or "webp"; None if it could not be read.
        bytes: of the file.
    """

    width: int | None
    height: int | None
    format: str | None
    bytes: int


class Durations(NamedTuple):
    """How long the parts of the job took, in milliseconds."""

    fetch: int
    detect: int
    total: int


class ModelInfo(NamedTuple):
    """What computed the landmarks.

    Attributes:
        mediapipe_version: such as "0.10.21".
        model_complexity: of the pose model: 0 (lite), 1 (full) or 2 (heavy).
        refine_face_landmarks: whether eyes and lips were refined, and irises added.
        min_detection_confidence: of the person detector, 0 to 1.
        min_landmark_confidence: that the pose model sees a person, 0 to 1.
    """

    mediapipe_version: str
    model_complexity: int
    refine_face_landmarks: bool
    min_detection_confidence: float
    min_landmark_confidence: float


def box_of(stored: BoundingBoxMap | None) -> BoundingBox | None:
    """The bounding box; DynamoDB's numbers may be whole ones."""
    if stored is None:
        return None
    return BoundingBox(*(float(getattr(stored, name)) for name in BoundingBox._fields))


def image_of(stored: ImageMap | None) -> ImageInfo | None:
    """The image."""
    return _tuple_of(ImageInfo, stored)


def durations_of(stored: DurationsMap | None) -> Durations | None:
    """How long it took."""
    return _tuple_of(Durations, stored)


def model_of(stored: ModelMap | None) -> ModelInfo | None:
    """What computed the landmarks."""
    return _tuple_of(ModelInfo, stored)


def mask_place_of(stored: SegmentationMap | None) -> MaskPlace | None:
    """Where the mask is."""
    return _tuple_of(MaskPlace, stored)


def moment_of(text: str | None) -> datetime | None:
    """A moment in UTC."""
    return None if text is None else datetime.fromisoformat(text)


def _tuple_of(kind: type[Facts], stored: MapAttribute[str, object] | None) -> Facts | None:
    """The map's values under the names of the tuple's fields."""
    if stored is None:
        return None
    return kind(*(getattr(stored, name) for name in kind._fields))  # type: ignore[attr-defined]


# World landmarks are metres: they have no place in the picture.
_IN_THE_PICTURE = {group.name for group in GROUPS} - {"pose_world_landmarks"}


# PynamoDB reads items only with a class that is bound to a table; which one is all the same.
_Item = bind_item("any")


@dataclass(frozen=True, slots=True, eq=False)
class LandmarkResult:
    """What is known about one object of S3. Only `key`, `bucket` and `status` are always there.

    Attributes:
        key: the object's key.
        bucket: the object's bucket.
        status: "detected", "not_detected" or "failed".
        error_code: of a failed one, upper case and stable; else None.
        error_message: the same in words.
        landmarks: every group, None where it was not found; their arrays are read-only.
        bounding_box: of the visible pose landmarks, normalised.
        image: size in pixels, format and bytes.
        segmentation: bucket and key of the mask; None where there is none.
        etag: of the content that was processed.
        version_id: the same, in buckets that keep versions.
        source_last_modified: when that content was uploaded.
        processed_at: when the landmarks were computed.
        duration_ms: how long it took.
        model: what computed the landmarks.
        job_id: the producer's name for the job.
        options_hash: equal where landmarks may be compared: same models, same options.
    """

    key: str
    bucket: str
    status: str
    error_code: str | None
    error_message: str | None
    landmarks: Landmarks = field(repr=False)
    bounding_box: BoundingBox | None
    image: ImageInfo | None
    segmentation: MaskPlace | None
    etag: str | None
    version_id: str | None
    source_last_modified: datetime | None
    processed_at: datetime | None
    duration_ms: Durations | None
    model: ModelInfo | None
    job_id: str | None
    options_hash: str | None
    _attributes: Mapping[str, Mapping[str, Any]] = field(repr=False)

    @classmethod
    def from_attributes(cls, attributes: Mapping[str, Mapping[str, Any]]) -> Self | None:
        """Read an item in DynamoDB's own form, as a low-level client has it.

        Args:
            attributes: a type and a value by name: `{"status": {"S": "failed"}, …}`; bytes for B.

        Returns:
            None for an item without `status`: somebody else's, the worker has not been there.
        """
        if "status" not in attributes:
            return None
        item = _read(attributes)
        return cls(
            key=item.object_key,
            bucket=item.bucket,
            status=item.status,
            error_code=item.error_code,
            error_message=item.error_message,
            landmarks=landmarks_of(item),
            bounding_box=box_of(item.bounding_box),
            image=image_of(item.image),
            segmentation=mask_place_of(item.segmentation),
            etag=item.etag,
            version_id=item.version_id,
            source_last_modified=moment_of(item.source_last_modified),
            processed_at=moment_of(item.processed_at),
            duration_ms=durations_of(item.duration_ms),
            model=model_of(item.model),
            job_id=item.job_id,
            options_hash=item.options_hash,
            _attributes=attributes,
        )

    @classmethod
    def from_stream(cls, image: Mapping[str, Mapping[str, Any]]) -> Self | None:
        """Read an item in a stream's record, as Lambda's event has it: bytes are base64 there.

        Args:
            image: `record["dynamodb"]["NewImage"]`, or `OldImage`.

        Returns:
            None for an item without `status`: somebody else's, the worker has not been there.

        Raises:
            ValueError: what should be bytes is not base64, or no whole number of landmarks.
        """
        return cls.from_attributes({name: _unpacked(value) for name, value in image.items()})

    @property
    def pose_landmarks(self) -> FloatArray | None:
        """Shape (33, 4), float32: x, y, z, visibility."""
        return self.landmarks.pose_landmarks

    @property
    def pose_world_landmarks(self) -> FloatArray | None:
        """Shape (33, 4), float32: x, y, z in metres from the middle of the hips, visibility."""
        return self.landmarks.pose_world_landmarks

    @property
    def face_landmarks(self) -> FloatArray | None:
        """Shape (468, 3), or (478, 3) with refined irises; float32: x, y, z."""
        return self.landmarks.face_landmarks

    @property
    def left_hand_landmarks(self) -> FloatArray | None:
        """Shape (21, 3), float32: x, y, z."""
        return self.landmarks.left_hand_landmarks

    @property
    def right_hand_landmarks(self) -> FloatArray | None:
        """Shape (21, 3), float32: x, y, z."""
        return self.landmarks.right_hand_landmarks

    @property
    def pose_score(self) -> float | None:
        """The person detector's score, 0 to 1; None where nobody was found."""
        return self.landmarks.pose_score

    @property
    def pose(self) -> NamedLandmarks | None:
        """The pose by name: `pose["left_wrist"].x`; None if it was not found."""
        return _named(POSE_NAMES, self.pose_landmarks)

    @property
    def pose_world(self) -> NamedLandmarks | None:
        """The pose in metres, by name; None if it was not found."""
        return _named(POSE_NAMES, self.pose_world_landmarks)

    @property
    def left_hand(self) -> NamedLandmarks | None:
        """The left hand by name: `left_hand["thumb_tip"].x`; None if it was not found."""
        return _named(HAND_NAMES, self.left_hand_landmarks)

    @property
    def right_hand(self) -> NamedLandmarks | None:
        """The right hand by name; None if it was not found."""
        return _named(HAND_NAMES, self.right_hand_landmarks)

    def pixels(self, group: str) -> npt.NDArray[np.float64] | None:
        """Where a group's landmarks are in the upright image, not rounded.

        Args:
            group: name of the attribute: "pose_landmarks", "face_landmarks", …

        Returns:
            shape (n, 2): x to the right, y down, from the upper left corner; points may lie
            outside of the image. None if the group was not found.

        Raises:
            ValueError: there is no such group in the picture.
        """
        if group not in _IN_THE_PICTURE:
            allowed = ", ".join(sorted(_IN_THE_PICTURE))
            raise ValueError(f"{group!r} has no pixels: name one of {allowed}")
        array: FloatArray | None = getattr(self.landmarks, group)
        if array is None or self.image is None:
            return None
        size = np.array([self.image.width, self.image.height], dtype=np.float64)
        return array[:, :2] * size

    def to_json(self) -> dict[str, Any]:
        """Every attribute under its name in the table, ready for `json.dumps`.

        Landmarks as MediaPipe's own JSON has them, `{"landmark": [{"x": …, "y": …}, …]}`;
        what the item does not have is left out.
        """
        return item_as_json(_read(self._attributes))


def _unpacked(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """An attribute with bytes as a client has them."""
    text = value.get("B")
    return {"B": b64decode(text, validate=True)} if isinstance(text, str) else value


def _read(attributes: Mapping[str, Mapping[str, Any]]) -> LandmarkItem:
    return _Item.from_raw_data(dict(attributes))


def _named(names: Sequence[str], array: FloatArray | None) -> NamedLandmarks | None:
    return None if array is None else NamedLandmarks(names, array)
