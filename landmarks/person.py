"""One person of a photograph, as applications read it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from landmarks.groups import GROUPS, BoundingBox, FloatArray, ImageInfo, Landmarks
from landmarks.names import HAND_NAMES, POSE_NAMES, NamedLandmarks

# World landmarks are in metres.
_IN_THE_PICTURE: Final = [group.name for group in GROUPS if group.name != "pose_world_landmarks"]


class PersonView:
    """What can be asked about a person: its groups, by number, by name or in pixels."""

    __slots__ = ()

    landmarks: Landmarks
    image: ImageInfo | None

    @property
    def person_score(self) -> float | None:
        """The box detector's score, 0 to 1; None if it didn't run or didn't find this person."""
        return self.landmarks.person_score

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
        """Return the positions of a group's landmarks in the upright image, in pixels.

        Args:
            group: "pose_landmarks", "face_landmarks", "left_hand_landmarks" or
                "right_hand_landmarks".

        Returns:
            shape (n, 2): x and y from the top left corner, not rounded; landmarks may lie outside
            the image. None if the group was not found.

        Raises:
            ValueError: the group is unknown or has no positions in the image.
        """
        if group not in _IN_THE_PICTURE:
            allowed = ", ".join(_IN_THE_PICTURE)
            raise ValueError(f"group={group!r}: expected one of {allowed}")
        array: FloatArray | None = getattr(self.landmarks, group)
        if array is None or self.image is None:
            return None
        size = np.array([self.image.width, self.image.height], dtype=np.float64)
        return array[:, :2] * size


@dataclass(frozen=True, slots=True, kw_only=True)
class Person(PersonView):
    """One of the people of a photograph.

    Attributes:
        number: 0 for the first person of the photograph, 1 for the next, and so on.
        landmarks: all groups, with read-only arrays; None for groups that were not found.
        bounding_box: box around the visible pose landmarks, normalised; None if none is visible.
        image: the photograph; the same for all of its people.
    """

    number: int
    landmarks: Landmarks = field(repr=False, compare=False)
    bounding_box: BoundingBox | None
    image: ImageInfo | None

    @property
    def pose_score(self) -> float | None:
        """Score of MediaPipe's person detector, 0 to 1; None if it didn't find this person."""
        return self.landmarks.pose_score


def _named(names: Sequence[str], array: FloatArray | None) -> NamedLandmarks | None:
    return None if array is None else NamedLandmarks(names, array)
