"""Groups of landmarks, one person's `Landmarks`, and the box around them: plain data."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]


class Group(NamedTuple):
    """A set of landmarks that is found, or not, as a whole.

    Attributes:
        name: attribute name in the results table and field name of `Landmarks`.
        points: the numbers of landmarks it may have.
        columns: what each landmark has, in order.
    """

    name: str
    points: tuple[int, ...]
    columns: tuple[str, ...]


XYZ = ("x", "y", "z")


XYZV = (*XYZ, "visibility")


# In MediaPipe's order and numbers of landmarks: https://ai.google.dev/edge/mediapipe/solutions
GROUPS = (
    Group("pose_landmarks", (33,), XYZV),
    Group("pose_world_landmarks", (33,), XYZV),
    Group("face_landmarks", (468, 478), XYZ),  # 478 with refined irises
    Group("left_hand_landmarks", (21,), XYZ),
    Group("right_hand_landmarks", (21,), XYZ),
)


# From this visibility on a pose landmark counts as seen, for the bounding box.
VISIBLE = 0.5


class BoundingBox(NamedTuple):
    """A rectangle, normalised by the width and height of the upright image."""

    x: float
    y: float
    width: float
    height: float


class MaskPlace(NamedTuple):
    """Where in S3 a photograph's segmentation mask is."""

    bucket: str
    key: str


@dataclass(frozen=True, slots=True, eq=False)
class Landmarks:
    """The landmarks of the most prominent person; None for a group not found.

    Every array is float32, one row a landmark. x and y are normalised by width
    and height of the upright image, z has the scale of x; world landmarks are
    metres from the middle of the hips.

    Attributes:
        pose_landmarks: shape (33, 4): x, y, z, visibility.
        pose_world_landmarks: shape (33, 4): x, y, z, visibility.
        face_landmarks: shape (468, 3), or (478, 3) with refined irises.
        left_hand_landmarks: shape (21, 3).
        right_hand_landmarks: shape (21, 3).
        pose_score: the person detector's score, 0 to 1.
    """

    pose_landmarks: FloatArray | None = None
    pose_world_landmarks: FloatArray | None = None
    face_landmarks: FloatArray | None = None
    left_hand_landmarks: FloatArray | None = None
    right_hand_landmarks: FloatArray | None = None
    pose_score: float | None = None

    def found(self) -> Iterator[tuple[Group, FloatArray]]:
        """The groups that were found, in the order of `GROUPS`."""
        for group in GROUPS:
            array = getattr(self, group.name)
            if array is not None:
                yield group, array

    @property
    def person_found(self) -> bool:
        """Whether there is a person: without a pose there are no other groups."""
        return self.pose_landmarks is not None

    def bounding_box(self) -> BoundingBox | None:
        """The box around the visible pose landmarks; None if none is visible."""
        if self.pose_landmarks is None:
            return None
        visible = self.pose_landmarks[self.pose_landmarks[:, 3] >= VISIBLE, :2]
        if not len(visible):
            return None
        left, top = visible.min(axis=0)
        right, bottom = visible.max(axis=0)
        return BoundingBox(float(left), float(top), float(right - left), float(bottom - top))
