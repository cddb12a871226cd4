"""Where people are in an image: boxes, keypoints and regions, and which of them to believe.

Coordinates are pixels of the whole image, arrays float64.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple, Self

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

# The joints in which people are compared (nose, shoulders, elbows, wrists, hips, knees, ankles),
# as rows of MoveNet's keypoints and of MediaPipe's pose landmarks.
_KEYPOINT_JOINTS: Final = (0, *range(5, 17))
_POSE_JOINTS: Final = (0, *range(11, 17), *range(23, 29))
_NOSE: Final = 0
_POSE_SHOULDERS: Final = (11, 12)
_SHOULDERS: Final = (5, 6)
_HIPS: Final = (11, 12)

# COCO's tolerances for these joints, relative to a person's size: https://cocodataset.org/#keypoints-eval
_TOLERANCES: Final = 2 * np.array(
    [0.026, *np.repeat((0.079, 0.072, 0.062, 0.107, 0.087, 0.089), 2)]
)

# A box with a score above this is likely a person even if its keypoints are weak.
_SURE_SCORE: Final = 0.5

# Smaller people have too few pixels for any model.
_MIN_BOX_PIXELS: Final = 8

# A keypoint with a lower score is a guess.
_MIN_KEYPOINT_SCORE: Final = 0.2

# Keypoints are good if the best 8 of 17 have this mean score, so that half a person is enough.
_BEST_KEYPOINTS: Final = 8
_MIN_MEAN_SCORE: Final = 0.3

# Candidates are the same person above either of these.
_MAX_OVERLAP: Final = 0.7  # intersection over union
_MAX_SIMILARITY: Final = 0.7

# People are compared in the joints that are seen of both, if there are this many.
_MIN_SEEN: Final = 3

# Landmarks are compared more strictly: two similar people may not be told apart by keypoints yet.
_SAME_PERSON: Final = 0.5

# A box with this intersection over union is the box of the landmarks in sight.
_MIN_FIT: Final = 0.6

# Noses closer than this share of the shoulders' distance are one person's.
_SAME_NOSE: Final = 0.2

# Landmarks belong to a candidate if they are this similar to its keypoints, or if this share of the
# visible ones is in its box and they fill this share of it.
_MIN_SIMILARITY: Final = 0.3
_MIN_INSIDE: Final = 0.8
_MIN_FILLED: Final = 0.35
_VISIBLE: Final = 0.5

# The region's size, from the hips: MediaPipe's person detector draws a circle around the whole
# body, and the region is 1.25 times as large. The torso tells the body's size if legs are missing.
_RADIUS_PER_TORSO: Final = 1.9
_RADIUS_PER_FARTHEST: Final = 1.08
_SIDE_PER_RADIUS: Final = 2.5


class Box(NamedTuple):
    """A person's box and its score, 0 to 1."""

    left: float
    top: float
    right: float
    bottom: float
    score: float = 0

    @property
    def area(self) -> float:
        """The area; 0 if the sides are crossed."""
        return max(self.right - self.left, 0) * max(self.bottom - self.top, 0)

    @property
    def large_enough(self) -> bool:
        """Whether there are enough pixels to find a person in."""
        return min(self.right - self.left, self.bottom - self.top) >= _MIN_BOX_PIXELS

    def common(self, other: "Box") -> "Box":
        """Return the intersection, with this box's score."""
        return Box(
            max(self.left, other.left),
            max(self.top, other.top),
            min(self.right, other.right),
            min(self.bottom, other.bottom),
            self.score,
        )

    def overlap(self, other: "Box") -> float:
        """Return the intersection over union."""
        common = self.common(other).area
        return common / (self.area + other.area - common)

    def grown(self, share: float) -> "Box":
        """Return the box with a margin on each side, as a share of its width and height."""
        x, y = share * (self.right - self.left), share * (self.bottom - self.top)
        return Box(self.left - x, self.top - y, self.right + x, self.bottom + y, self.score)

    def moved(self, x: float, y: float) -> "Box":
        """Return the box at another place."""
        return Box(self.left + x, self.top + y, self.right + x, self.bottom + y, self.score)


class Region(NamedTuple):
    """A square part of the image: its middle, side and clockwise rotation in radians."""

    x: float
    y: float
    side: float
    rotation: float = 0.0

    @classmethod
    def around(cls, box: Box, scale: float) -> Self:
        """Return an upright region around a box, this many times its longer side."""
        side = scale * max(box.right - box.left, box.bottom - box.top)
        return cls((box.left + box.right) / 2, (box.top + box.bottom) / 2, side)

    @property
    def turn(self) -> Array:
        """The rotation's matrix."""
        cos, sin = np.cos(self.rotation), np.sin(self.rotation)
        return np.array(((cos, -sin), (sin, cos)))

    def to_image(self, points: Array) -> Array:
        """Map points of the region, 0 to 1, to pixels of the image. Shape (n, 2)."""
        mapped: Array = (self.x, self.y) + self.side * (points - 0.5) @ self.turn.T
        return mapped


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """What may be a person.

    Attributes:
        box: the person's box.
        keypoints: shape (17, 3): x, y, score.
    """

    box: Box
    keypoints: Array

    @property
    def likely(self) -> bool:
        """Whether box or keypoints are good enough to go on."""
        best = np.sort(self.keypoints[:, 2])[-_BEST_KEYPOINTS:]
        sure = self.box.score > _SURE_SCORE
        return bool(best.mean() >= (_MIN_KEYPOINT_SCORE if sure else _MIN_MEAN_SCORE))

    def repeats(self, other: "Candidate") -> bool:
        """Whether this is the same person as another candidate."""
        if self.box.overlap(other.box) > _MAX_OVERLAP:
            return True
        return self._similarity(other.keypoints[_KEYPOINT_JOINTS, :2]) > _MAX_SIMILARITY

    def is_person(self, pose: Array) -> bool:
        """Whether this is the person with these landmarks. Shape (33, 3): x, y, visibility."""
        return self._similarity(pose[_POSE_JOINTS, :2]) > _SAME_PERSON

    def accepts(self, pose: Array) -> bool:
        """Whether landmarks found in this candidate's region belong to it."""
        if self._similarity(pose[_POSE_JOINTS, :2]) >= _MIN_SIMILARITY:
            return True
        seen = pose[pose[:, 2] > _VISIBLE, :2]
        if self.box.score <= _SURE_SCORE or not len(seen):
            return False
        (left, top), (right, bottom) = seen.min(axis=0), seen.max(axis=0)
        filled = self.box.common(Box(left, top, right, bottom)).area / self.box.area
        inside = ((seen >= self.box[:2]) & (seen <= self.box[2:4])).all(axis=1).mean()
        return bool(inside > _MIN_INSIDE and filled > _MIN_FILLED)

    def same_pose(self, a: Array, b: Array) -> bool:
        """Whether two sets of landmarks are one person of this candidate's size."""
        if _same_head(a, b):
            return True
        first, second = a[_POSE_JOINTS, :], b[_POSE_JOINTS, :]
        # Joints that are out of sight, such as a portrait's legs, are guessed anew each time.
        seen = (first[:, 2] > _VISIBLE) & (second[:, 2] > _VISIBLE)
        if seen.sum() < _MIN_SEEN:
            seen[:] = True
        alike = _similarities(first[:, :2], second[:, :2], self.box.area)
        return bool(alike[seen].mean() > _SAME_PERSON)

    def region(self) -> Region:
        """Return the pose model's region: the hips in its middle, the shoulders above them."""
        points = self.keypoints[:, :2]
        hips, shoulders = points[_HIPS, :].mean(axis=0), points[_SHOULDERS, :].mean(axis=0)
        seen = points[self.keypoints[:, 2] > _MIN_KEYPOINT_SCORE]
        x, y = shoulders - hips
        farthest = np.linalg.norm(seen - hips, axis=1).max(initial=1)
        radius = max(_RADIUS_PER_TORSO * np.hypot(x, y), _RADIUS_PER_FARTHEST * farthest)
        return Region(hips[0], hips[1], _SIDE_PER_RADIUS * radius, np.arctan2(x, -y))

    def _similarity(self, joints: Array) -> float:
        own = self.keypoints[_KEYPOINT_JOINTS, :2]
        return float(_similarities(own, joints, self.box.area).mean())


def _similarities(a: Array, b: Array, area: float) -> Array:
    """Return COCO's object keypoint similarity of two people's joints, 0 to 1 for each joint."""
    squares = ((a - b) ** 2).sum(axis=1)
    similar: Array = np.exp(-squares / (2 * area * _TOLERANCES**2))
    return similar


def _same_head(a: Array, b: Array) -> bool:
    """Whether two sets of landmarks have the nose in one place, relative to the shoulders."""
    (nose, left, right), (other, *_) = (pose[[_NOSE, *_POSE_SHOULDERS], :] for pose in (a, b))
    near = np.linalg.norm(nose[:2] - other[:2]) < _SAME_NOSE * np.linalg.norm(left[:2] - right[:2])
    return bool(near and min(nose[2], other[2]) > _VISIBLE)


def box_of(pose: Array, boxes: Iterable[Box]) -> Box | None:
    """Return the box that fits landmarks so well that no keypoints are needed to tell whose it is.

    Args:
        pose: shape (33, 3): x, y, visibility.
        boxes: boxes to choose from.
    """
    seen = pose[pose[:, 2] > _VISIBLE, :2]
    if not len(seen):
        return None
    around = Box(*seen.min(axis=0), *seen.max(axis=0))
    best = max(boxes, key=around.overlap, default=None)
    return best if best and around.overlap(best) > _MIN_FIT else None


def distinct(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Return likely candidates, the best box first, and of each person only the best."""
    kept: list[Candidate] = []
    for candidate in sorted(candidates, key=lambda one: one.box.score, reverse=True):
        if candidate.likely and not any(candidate.repeats(better) for better in kept):
            kept.append(candidate)
    return kept
