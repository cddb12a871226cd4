"""Draws landmarks on a photograph.

The person's left and right have different colours, and landmarks with low visibility are faint.
Each finger has its own colour. The face is a fine mesh with its features highlighted.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, PngImagePlugin

from landmarks.drawing.topology import Edges, load_topology
from landmarks.groups import VISIBLE, FloatArray, Landmarks

Size = tuple[int, int]
Colour = tuple[int, int, int]
Points = npt.NDArray[np.float64]

# Limits of the drawing's longer side. Small photographs are enlarged, up to 4 times: at 512
# pixels, the face mesh would be a blur.
MIN_SIDE_PIXELS: Final = 1280
MAX_SIDE_PIXELS: Final = 1600
_MAX_ENLARGEMENT: Final = 4

# Pillow draws jagged lines, so we draw this many times larger and scale down.
_SUPERSAMPLING: Final = 3

# 1280 x 1280 pixels take 0.17 s and 2.0 MB; with Pillow's default, 0.7 s and 1.8 MB.
_COMPRESSION: Final = 3

LEFT: Final[Colour] = (255, 149, 0)
RIGHT: Final[Colour] = (0, 199, 255)
MIDDLE: Final[Colour] = (245, 245, 245)
HAND: Final[dict[str, Colour]] = {
    "palm": (235, 235, 235),
    "thumb": (255, 92, 92),
    "index": (255, 202, 58),
    "middle": (120, 214, 75),
    "ring": (64, 156, 255),
    "pinky": (199, 125, 255),
}
FACE: Final[dict[str, Colour]] = {
    "oval": (255, 255, 255),
    "brows": (255, 202, 58),
    "eyes": (125, 249, 198),
    "lips": (255, 99, 132),
}
IRISES: Final[Colour] = (0, 229, 255)
MESH: Final[Colour] = (215, 245, 255)
HALO: Final[Colour] = (15, 15, 20)
_BOX: Final[Colour] = (255, 255, 255)

# Opacity, 0 to 255.
_SOLID: Final = 255
_FEATURE: Final = 225
_DARK: Final = 130
_GUESSED: Final = 120
_FINE: Final = 105

# Pose landmarks that the face's and the hands' own landmarks replace.
_POSE_FACE: Final = frozenset(range(11))
_POSE_LEFT_HAND: Final = frozenset({17, 19, 21})
_POSE_RIGHT_HAND: Final = frozenset({18, 20, 22})

_UNREFINED_FACE_POINTS: Final = 468


def draw_overlay(photo: Image.Image, landmarks: Landmarks) -> Image.Image:
    """Draw landmarks on a photograph.

    Args:
        photo: the photograph that was processed, upright; may be scaled down to MAX_SIDE_PIXELS.
        landmarks: the landmarks found in it.

    Returns:
        an RGB image, 1,280 to 1,600 pixels on its longer side.
    """
    picture = photo.resize(_drawing_size(photo.size), Image.Resampling.LANCZOS)
    sheet = _Sheet(picture.size)
    _draw_box(sheet, landmarks)
    _draw_pose(sheet, landmarks)
    if landmarks.face_landmarks is not None:
        _draw_face(sheet, landmarks.face_landmarks)
    if landmarks.left_hand_landmarks is not None:
        _draw_hand(sheet, landmarks.left_hand_landmarks, LEFT)
    if landmarks.right_hand_landmarks is not None:
        _draw_hand(sheet, landmarks.right_hand_landmarks, RIGHT)
    return sheet.laid_on(picture)


def save_overlay(
    drawing: Image.Image, path: Path, *, key: str, software: str = "landmark-worker"
) -> None:
    """Write a PNG with the object's key and the software in its standard text fields."""
    about = PngImagePlugin.PngInfo()
    about.add_text("Software", software)
    about.add_itxt("Title", key)
    drawing.save(path, "PNG", pnginfo=about, compress_level=_COMPRESSION)


def _drawing_size(size: Size) -> Size:
    side = max(size)
    factor = min(max(side, MIN_SIDE_PIXELS), MAX_SIDE_PIXELS, side * _MAX_ENLARGEMENT) / side
    width, height = (max(1, round(length * factor)) for length in size)
    return width, height


@dataclass(frozen=True, slots=True)
class _Pen:
    colour: Colour
    width: float
    opacity: int = _SOLID

    @property
    def ink(self) -> tuple[int, int, int, int]:
        return (*self.colour, self.opacity)


class _Sheet:
    """A transparent layer over the picture. Coordinates are in the picture's pixels."""

    def __init__(self, size: Size) -> None:
        self._size = size
        width, height = (length * _SUPERSAMPLING for length in size)
        self._image = Image.new("RGBA", (width, height), (0, 0, 0, 0))
        self._draw = ImageDraw.Draw(self._image)

    def points(self, landmarks: FloatArray) -> Points:
        """Return the landmarks' positions in pixels, shape (n, 2)."""
        return landmarks[:, :2].astype(np.float64) * self._size

    def line_width(self, points: Points, *, of_picture: float, of_group: float) -> float:
        """Return a width proportional to the picture's size, or less for a small group."""
        width, height = self._size
        extent = float(np.hypot(*np.ptp(points, axis=0)))
        return min(math.sqrt(width * height) / of_picture, max(1.0, extent / of_group))

    def lines(self, points: Points, edges: Iterable[tuple[int, int]], pen: _Pen) -> None:
        # Pillow centres only odd widths on the line.
        width = 2 * round((pen.width * _SUPERSAMPLING - 1) / 2) + 1
        for edge in edges:
            ends = (points[list(edge)] * _SUPERSAMPLING).ravel().tolist()
            self._draw.line(ends, fill=pen.ink, width=max(1, width))

    def dots(self, points: Points, pen: _Pen) -> None:
        reach = pen.width / 2 * _SUPERSAMPLING
        for x, y in (points * _SUPERSAMPLING).tolist():
            self._draw.ellipse((x - reach, y - reach, x + reach, y + reach), fill=pen.ink)

    def laid_on(self, picture: Image.Image) -> Image.Image:
        drawing = self._image.reduce(_SUPERSAMPLING)
        return Image.alpha_composite(picture.convert("RGBA"), drawing).convert("RGB")


def _draw_box(sheet: _Sheet, landmarks: Landmarks) -> None:
    box = landmarks.bounding_box()
    if box is None:
        return
    right, bottom = box.x + box.width, box.y + box.height
    corners = np.array(
        [(box.x, box.y), (right, box.y), (right, bottom), (box.x, bottom)], dtype=np.float32
    )
    points = sheet.points(corners)
    width = sheet.line_width(points, of_picture=500, of_group=100)
    sheet.lines(points, [(0, 1), (1, 2), (2, 3), (0, 3)], _Pen(_BOX, width, _FINE))


def _draw_pose(sheet: _Sheet, landmarks: Landmarks) -> None:
    pose, bones = landmarks.pose_landmarks, load_topology().pose
    if pose is None:
        return
    width = sheet.line_width(sheet.points(pose), of_picture=160, of_group=120)
    joints = frozenset(range(len(pose))) - _replaced(landmarks)
    _draw_bones(sheet, pose, bones, joints - _POSE_FACE, width)
    _draw_bones(sheet, pose, bones, joints & _POSE_FACE, width / 2)


def _draw_bones(
    sheet: _Sheet, pose: FloatArray, bones: Edges, joints: frozenset[int], width: float
) -> None:
    """Draw some joints of the pose and the bones between them."""
    points, seen = sheet.points(pose), pose[:, 3] >= VISIBLE
    wanted = [bone for bone in bones if joints.issuperset(bone)]
    clear = [bone for bone in wanted if seen[list(bone)].all()]
    for bone in sorted(set(wanted).difference(clear)):
        sheet.lines(points, [bone], _Pen(_side(*bone), width * 0.6, _GUESSED))
    sheet.lines(points, clear, _Pen(HALO, width * 1.9, _DARK))
    for bone in clear:
        sheet.lines(points, [bone], _Pen(_side(*bone), width))
    for joint in sorted(joints.intersection(np.flatnonzero(seen).tolist())):
        sheet.dots(points[[joint]], _Pen(HALO, width * 2.3))
        sheet.dots(points[[joint]], _Pen(_side(joint), width * 1.6))


def _replaced(landmarks: Landmarks) -> frozenset[int]:
    """Return the pose landmarks that another group replaces."""
    groups = (
        (landmarks.face_landmarks, _POSE_FACE),
        (landmarks.left_hand_landmarks, _POSE_LEFT_HAND),
        (landmarks.right_hand_landmarks, _POSE_RIGHT_HAND),
    )
    return frozenset[int]().union(*(numbers for found, numbers in groups if found is not None))


def _side(*joints: int) -> Colour:
    """Return the side's colour. From the shoulders down, odd numbers are on the left."""
    if not _POSE_FACE.isdisjoint(joints) or len({joint % 2 for joint in joints}) > 1:
        return MIDDLE
    return LEFT if joints[0] % 2 else RIGHT


def _draw_face(sheet: _Sheet, face: FloatArray) -> None:
    points, topology = sheet.points(face), load_topology()
    width = sheet.line_width(points, of_picture=350, of_group=150)
    sheet.lines(points, topology.face_mesh, _Pen(MESH, width * 0.4, _FINE))
    for part, edges in topology.face.items():
        sheet.lines(points, edges, _Pen(FACE[part], width, _FEATURE))
    if len(points) > _UNREFINED_FACE_POINTS:
        sheet.lines(points, topology.irises, _Pen(IRISES, width))


def _draw_hand(sheet: _Sheet, hand: FloatArray, side: Colour) -> None:
    points, fingers = sheet.points(hand), load_topology().hand
    width = sheet.line_width(points, of_picture=220, of_group=45)
    for edges in fingers.values():
        sheet.lines(points, edges, _Pen(HALO, width * 1.9, _DARK))
    for part, edges in fingers.items():
        sheet.lines(points, edges, _Pen(HAND[part], width))
    sheet.dots(points, _Pen(HALO, width * 2))
    sheet.dots(points, _Pen(side, width * 1.4))
