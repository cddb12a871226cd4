"""COCO-WholeBody's 133 keypoints, and the landmark that each of them is.

Names and order are those of https://github.com/jin-s13/COCO-WholeBody as MMPose writes them: body,
feet, face, left hand, right hand. Left is the person's own left, as in MediaPipe.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Final, NamedTuple

from landmarks.names import HAND_NAMES, POSE_NAMES

# The same names as in MediaPipe's pose, which has neither big nor small toes: its foot index is
# the tip of the foot, between them.
_BODY_AND_FEET: Final = (
    *("nose", "left_eye", "right_eye", "left_ear", "right_ear"),
    *("left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist"),
    *("left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle"),
    *("left_big_toe", "left_small_toe", "left_heel"),
    *("right_big_toe", "right_small_toe", "right_heel"),
)

# The 68 points of the 300-W data set in MediaPipe's face mesh. There is no official list. This is
# the one in wide use, except for both ends of the contour, which it puts above the eyes (162, 389).
_FACE: Final = (
    *(127, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 356),  # contour
    *(71, 63, 105, 66, 107, 336, 296, 334, 293, 301),  # right brow, left brow
    *(168, 197, 5, 4, 75, 97, 2, 326, 305),  # bridge of the nose, nostrils
    *(33, 160, 158, 133, 153, 144),  # right eye
    *(362, 385, 387, 263, 373, 380),  # left eye
    *(61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181),  # lips outside
    *(78, 82, 13, 312, 308, 317, 14, 87),  # lips inside
)
# Of the 68 points: where a line begins, where it ends, and whether it is closed.
_FACE_LINES: Final = (
    *((0, 16, False), (17, 21, False), (22, 26, False), (27, 30, False), (31, 35, False)),
    *((36, 41, True), (42, 47, True), (48, 59, True), (60, 67, True)),
)

# In MediaPipe's order, which is COCO-WholeBody's.
_HAND: Final = (
    "hand_root",
    *(
        f"{finger}{joint}"
        for finger in ("thumb", "forefinger", "middle_finger", "ring_finger", "pinky_finger")
        for joint in range(1, 5)
    ),
)

_BODY_LINES: Final = (
    *(("nose", "left_eye"), ("nose", "right_eye"), ("left_eye", "right_eye")),
    *(("left_eye", "left_ear"), ("left_ear", "left_shoulder")),
    *(("right_eye", "right_ear"), ("right_ear", "right_shoulder")),
    *(("left_shoulder", "right_shoulder"), ("left_hip", "right_hip")),
    *(("left_shoulder", "left_elbow"), ("left_elbow", "left_wrist")),
    *(("right_shoulder", "right_elbow"), ("right_elbow", "right_wrist")),
    *(("left_shoulder", "left_hip"), ("left_hip", "left_knee"), ("left_knee", "left_ankle")),
    *(("right_shoulder", "right_hip"), ("right_hip", "right_knee"), ("right_knee", "right_ankle")),
    *(("left_ankle", "left_heel"), ("right_ankle", "right_heel")),
)


class Keypoint(NamedTuple):
    """One of the 133.

    Attributes:
        name: MMPose's name.
        group: the group that contains its landmark; None if MediaPipe has no such point.
        landmark: the landmark's number in that group.
    """

    name: str
    group: str | None
    landmark: int = 0


def _keypoints() -> Iterator[Keypoint]:
    for name in _BODY_AND_FEET:
        if name in POSE_NAMES:
            yield Keypoint(name, "pose_landmarks", POSE_NAMES.index(name))
        else:
            yield Keypoint(name, None)
    for number, landmark in enumerate(_FACE):
        yield Keypoint(f"face-{number}", "face_landmarks", landmark)
    for side in ("left", "right"):
        for number, name in enumerate(_HAND):
            yield Keypoint(f"{side}_{name}", f"{side}_hand_landmarks", number)


KEYPOINTS: Final = tuple(_keypoints())


def _skeleton() -> Iterator[tuple[int, int]]:
    numbers = {keypoint.name: number for number, keypoint in enumerate(KEYPOINTS)}
    for first, second in _BODY_LINES:
        yield numbers[first], numbers[second]
    face = numbers["face-0"]
    for first_point, last_point, closed in _FACE_LINES:
        points = [*range(first_point, last_point + 1), *([first_point] if closed else [])]
        yield from ((face + one, face + other) for one, other in pairwise(points))
    for side in ("left", "right"):
        root = numbers[f"{side}_hand_root"]
        for tip in range(4, len(HAND_NAMES), 4):
            yield from pairwise((root, *(root + joint for joint in range(tip - 3, tip + 1))))


# Pairs of indexes into `KEYPOINTS`.
SKELETON: Final = tuple(_skeleton())
