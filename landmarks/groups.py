"""Plain data about a photograph: groups of landmarks, the image, the model and durations.

x and y are normalised by the width and height of the upright image, unless stated otherwise.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]


class Group(NamedTuple):
    """A set of landmarks that is found or missing as a whole.

    Attributes:
        name: attribute name in the results table and field name of `Landmarks`.
        points: the possible numbers of landmarks.
        columns: names of each landmark's values, in order.
    """

    name: str
    points: tuple[int, ...]
    columns: tuple[str, ...]


XYZ: Final = ("x", "y", "z")
XYZV: Final = (*XYZ, "visibility")

# In MediaPipe's order: https://ai.google.dev/edge/mediapipe/solutions
GROUPS: Final = (
    Group("pose_landmarks", (33,), XYZV),
    Group("pose_world_landmarks", (33,), XYZV),
    Group("face_landmarks", (468, 478), XYZ),  # 478 with refined irises
    Group("left_hand_landmarks", (21,), XYZ),
    Group("right_hand_landmarks", (21,), XYZ),
)

# Pose landmarks with at least this visibility count as visible.
VISIBLE: Final = 0.5


class BoundingBox(NamedTuple):
    """The box around the visible pose landmarks, normalised."""

    x: float
    y: float
    width: float
    height: float


class ImageInfo(NamedTuple):
    """The image file. If it could not be read, only its size in bytes is known.

    Attributes:
        width: in pixels, upright; None if the image could not be read.
        height: in pixels, upright; None if the image could not be read.
        format: "jpeg", "png", "webp", "heif", "avif", "tiff", "bmp" or "gif"; None if the image
            could not be read.
        bytes: size of the file.
        orientation: EXIF's number, 1 to 8, of how the stored pixels were turned to be upright; 1
            if they were not.
        truncated: whether the file is cut off, so that a part of the image is missing.
    """

    width: int | None
    height: int | None
    format: str | None
    bytes: int
    orientation: int = 1
    truncated: bool = False


class MaskPlace(NamedTuple):
    """Where a photograph's segmentation mask is stored in S3."""

    bucket: str
    key: str


class ModelInfo(NamedTuple):
    """The model and options that computed the landmarks. int16 items leave out default options.

    Attributes:
        mediapipe_version: such as "0.10.21".
        model_complexity: 0 (lite), 1 (full) or 2 (heavy pose model).
        refine_face_landmarks: whether eyes and lips were refined and irises added.
        min_detection_confidence: threshold of the person detector, 0 to 1.
        min_landmark_confidence: threshold of the pose model, 0 to 1.
        architecture: of the processor, "x86_64" or "arm64".
    """

    mediapipe_version: str
    model_complexity: int = 2
    refine_face_landmarks: bool = False
    min_detection_confidence: float = 0.5
    min_landmark_confidence: float = 0.5
    architecture: str = "x86_64"


class Durations(NamedTuple):
    """Durations of a job and its parts, in milliseconds."""

    fetch: int
    detect: int
    total: int


@dataclass(frozen=True, slots=True, eq=False)
class Landmarks:
    """The landmarks of one person; None for a group that was not found.

    Every array is float32, one row per landmark. z has the scale of x; world landmarks are in
    metres from the middle of the hips.

    Attributes:
        pose_landmarks: shape (33, 4): x, y, z, visibility.
        pose_world_landmarks: shape (33, 4): x, y, z, visibility.
        face_landmarks: shape (468, 3), or (478, 3) with refined irises.
        left_hand_landmarks: shape (21, 3).
        right_hand_landmarks: shape (21, 3).
        pose_score: score of MediaPipe's person detector, 0 to 1; None if it didn't find the person.
        person_score: score of the box detector, 0 to 1, which runs when more than one person is
            looked for; None if it didn't find the person.
    """

    pose_landmarks: FloatArray | None = None
    pose_world_landmarks: FloatArray | None = None
    face_landmarks: FloatArray | None = None
    left_hand_landmarks: FloatArray | None = None
    right_hand_landmarks: FloatArray | None = None
    pose_score: float | None = None
    person_score: float | None = None

    def found(self) -> Iterator[tuple[Group, FloatArray]]:
        """Yield the groups that were found, in the order of `GROUPS`."""
        for group in GROUPS:
            array = getattr(self, group.name)
            if array is not None:
                yield group, array

    @property
    def person_found(self) -> bool:
        """Whether a person was found. Without a pose there are no other groups."""
        return self.pose_landmarks is not None

    def bounding_box(self) -> BoundingBox | None:
        """Return the box around the visible pose landmarks, or None if none is visible."""
        if self.pose_landmarks is None:
            return None
        visible = self.pose_landmarks[self.pose_landmarks[:, 3] >= VISIBLE, :2]
        if not len(visible):
            return None
        left, top = visible.min(axis=0)
        right, bottom = visible.max(axis=0)
        return BoundingBox(float(left), float(top), float(right - left), float(bottom - top))
