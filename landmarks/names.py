"""Landmark names: MediaPipe's `PoseLandmark` and `HandLandmark`, in lower case.

MediaPipe does not name face landmarks.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from landmarks.groups import FloatArray

POSE_NAMES: Final = (
    "nose",
    "left_eye_inner",
    "left_eye",
    "left_eye_outer",
    "right_eye_inner",
    "right_eye",
    "right_eye_outer",
    "left_ear",
    "right_ear",
    "mouth_left",
    "mouth_right",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_pinky",
    "right_pinky",
    "left_index",
    "right_index",
    "left_thumb",
    "right_thumb",
    "left_hip",
    "right_hip",
    "left_knee",
    "right_knee",
    "left_ankle",
    "right_ankle",
    "left_heel",
    "right_heel",
    "left_foot_index",
    "right_foot_index",
)

HAND_NAMES: Final = (
    "wrist",
    "thumb_cmc",
    "thumb_mcp",
    "thumb_ip",
    "thumb_tip",
    "index_finger_mcp",
    "index_finger_pip",
    "index_finger_dip",
    "index_finger_tip",
    "middle_finger_mcp",
    "middle_finger_pip",
    "middle_finger_dip",
    "middle_finger_tip",
    "ring_finger_mcp",
    "ring_finger_pip",
    "ring_finger_dip",
    "ring_finger_tip",
    "pinky_mcp",
    "pinky_pip",
    "pinky_dip",
    "pinky_tip",
)


class Landmark(NamedTuple):
    """One landmark.

    Attributes:
        x: normalised by the image's width; in metres for world landmarks.
        y: normalised by the image's height, downwards; in metres for world landmarks.
        z: depth in the scale of x; smaller is closer to the camera.
        visibility: 0 to 1; None for hands.
    """

    x: float
    y: float
    z: float
    visibility: float | None = None


class NamedLandmarks(Mapping[str, Landmark]):
    """A group's landmarks by name, in MediaPipe's order: `pose["left_wrist"]`.

    Names are case-insensitive. An unknown name raises KeyError.
    """

    def __init__(self, names: Sequence[str], array: FloatArray) -> None:
        """Name the rows of `array`, which has shape (len(names), 3 or 4)."""
        self._rows = {name: row for row, name in enumerate(names)}
        self._array = array

    def __getitem__(self, name: str) -> Landmark:
        """Return a landmark, or raise KeyError."""
        return Landmark(*self._array[self._rows[name.lower()]].tolist())

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names."""
        return iter(self._rows)

    def __len__(self) -> int:
        """Return the number of landmarks."""
        return len(self._rows)

    def __repr__(self) -> str:
        """Show the names instead of all numbers."""
        return f"<{type(self).__name__} {', '.join(self)}>"
