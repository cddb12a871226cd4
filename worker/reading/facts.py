"""What a result says beside its landmarks, as plain values."""

from datetime import datetime
from typing import NamedTuple, TypeVar

from pynamodb.attributes import MapAttribute

from worker.landmarks import BoundingBox, MaskPlace
from worker.results.item import (
    BoundingBoxMap,
    DurationsMap,
    ImageMap,
    ModelMap,
    SegmentationMap,
)

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
    return _read(ImageInfo, stored)


def durations_of(stored: DurationsMap | None) -> Durations | None:
    """How long it took."""
    return _read(Durations, stored)


def model_of(stored: ModelMap | None) -> ModelInfo | None:
    """What computed the landmarks."""
    return _read(ModelInfo, stored)


def mask_place_of(stored: SegmentationMap | None) -> MaskPlace | None:
    """Where the mask is."""
    return _read(MaskPlace, stored)


def moment_of(text: str | None) -> datetime | None:
    """A moment in UTC."""
    return None if text is None else datetime.fromisoformat(text)


def _read(kind: type[Facts], stored: MapAttribute[str, object] | None) -> Facts | None:
    """The map's values under the names of the tuple's fields."""
    if stored is None:
        return None
    return kind(*(getattr(stored, name) for name in kind._fields))  # type: ignore[attr-defined]
