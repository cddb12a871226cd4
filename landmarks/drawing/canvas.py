"""Draws landmarks on a photograph.

The first person's left and right have different colours; everyone else has one colour of their own.
Landmarks with low visibility are faint. Each finger has its own colour. The face is a fine mesh
with its features highlighted.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont, PngImagePlugin

from landmarks.drawing.colours import (
    BOX,
    FACE,
    HALO,
    HAND,
    IRISES,
    MESH,
    Colour,
    Palette,
    palette_of,
)
from landmarks.drawing.topology import load_topology
from landmarks.groups import VISIBLE, BoundingBox, FloatArray, Landmarks

Size = tuple[int, int]
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

# The smallest and largest height of a label's text.
_LABEL_PIXELS: Final = (11, 22)


def draw_overlay(photo: Image.Image, *people: Landmarks, boxes: bool = False) -> Image.Image:
    """Draw landmarks on a photograph.

    Args:
        photo: the photograph that was processed, upright; may be scaled down to MAX_SIDE_PIXELS.
        people: the landmarks of each person found in it, the first person's first.
        boxes: draw a box around each person, with the person's number and score.

    Returns:
        an RGB image, 1,280 to 1,600 pixels on its longer side.
    """
    picture = photo.resize(_drawing_size(photo.size), Image.Resampling.LANCZOS)
    sheet = _Sheet(picture.size)
    if len(people) == 1 and not boxes:
        _draw_box(sheet, people[0].bounding_box(), BOX, _FINE)
    worst_first = list(enumerate(people))[::-1]
    for number, landmarks in worst_first:
        _draw_person(sheet, landmarks, palette_of(number))
    for number, landmarks in worst_first if boxes else ():
        _draw_box(sheet, landmarks.bounding_box(), palette_of(number).left, _FEATURE)
        _draw_label(sheet, landmarks, number)
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

    def label(self, place: Points, text: str, height: float, colour: Colour) -> None:
        """Write on a coloured ground, just above a place or as near to it as the picture allows."""
        font = ImageFont.load_default(height * _SUPERSAMPLING)
        _, _, right, bottom = font.getbbox(text)
        size = np.array((right, bottom)) + 2 * (margin := bottom / 5)
        limit = np.array(self._image.size) - size
        left, top = np.clip(place * _SUPERSAMPLING - (0, size[1]), 0, np.maximum(limit, 0))
        self._draw.rectangle((left, top, left + size[0], top + size[1]), fill=(*colour, _SOLID))
        self._draw.text((left + margin, top + margin), text, (*HALO, _SOLID), font)

    def laid_on(self, picture: Image.Image) -> Image.Image:
        drawing = self._image.reduce(_SUPERSAMPLING)
        return Image.alpha_composite(picture.convert("RGBA"), drawing).convert("RGB")


def _draw_box(sheet: _Sheet, box: BoundingBox | None, colour: Colour, opacity: int) -> None:
    if box is None:
        return
    right, bottom = box.x + box.width, box.y + box.height
    corners = np.array(
        [(box.x, box.y), (right, box.y), (right, bottom), (box.x, bottom)], dtype=np.float32
    )
    points = sheet.points(corners)
    width = sheet.line_width(points, of_picture=500, of_group=100)
    sheet.lines(points, [(0, 1), (1, 2), (2, 3), (0, 3)], _Pen(colour, width, opacity))


def _draw_label(sheet: _Sheet, landmarks: Landmarks, number: int) -> None:
    """Write the person's number, counted from 1, and score above the box."""
    box, score = landmarks.bounding_box(), landmarks.person_score
    if box is None:
        return
    text = str(number + 1) if score is None else f"{number + 1}  {score:.2f}"
    corners = sheet.points(np.array([box[:2], box[2:]], dtype=np.float32))
    height = min(max(_LABEL_PIXELS[0], corners[1, 1] / 12), _LABEL_PIXELS[1])
    sheet.label(corners[0], text, height, palette_of(number).left)


def _draw_person(sheet: _Sheet, landmarks: Landmarks, palette: Palette) -> None:
    _draw_pose(sheet, landmarks, palette)
    if landmarks.face_landmarks is not None:
        _draw_face(sheet, landmarks.face_landmarks, palette)
    if landmarks.left_hand_landmarks is not None:
        _draw_hand(sheet, landmarks.left_hand_landmarks, palette.left)
    if landmarks.right_hand_landmarks is not None:
        _draw_hand(sheet, landmarks.right_hand_landmarks, palette.right)


def _draw_pose(sheet: _Sheet, landmarks: Landmarks, palette: Palette) -> None:
    pose = landmarks.pose_landmarks
    if pose is None:
        return
    width = sheet.line_width(sheet.points(pose), of_picture=160, of_group=120)
    joints = frozenset(range(len(pose))) - _replaced(landmarks)
    _draw_bones(sheet, pose, joints - _POSE_FACE, width, palette)
    _draw_bones(sheet, pose, joints & _POSE_FACE, width / 2, palette)


def _draw_bones(
    sheet: _Sheet, pose: FloatArray, joints: frozenset[int], width: float, palette: Palette
) -> None:
    """Draw some joints of the pose and the bones between them."""
    points, seen = sheet.points(pose), pose[:, 3] >= VISIBLE
    wanted = [bone for bone in load_topology().pose if joints.issuperset(bone)]
    clear = [bone for bone in wanted if seen[list(bone)].all()]
    for bone in sorted(set(wanted).difference(clear)):
        sheet.lines(points, [bone], _Pen(_side(palette, *bone), width * 0.6, _GUESSED))
    sheet.lines(points, clear, _Pen(HALO, width * 1.9, _DARK))
    for bone in clear:
        sheet.lines(points, [bone], _Pen(_side(palette, *bone), width))
    for joint in sorted(joints.intersection(np.flatnonzero(seen).tolist())):
        sheet.dots(points[[joint]], _Pen(HALO, width * 2.3))
        sheet.dots(points[[joint]], _Pen(_side(palette, joint), width * 1.6))


def _replaced(landmarks: Landmarks) -> frozenset[int]:
    """Return the pose landmarks that another group replaces."""
    groups = (
        (landmarks.face_landmarks, _POSE_FACE),
        (landmarks.left_hand_landmarks, _POSE_LEFT_HAND),
        (landmarks.right_hand_landmarks, _POSE_RIGHT_HAND),
    )
    return frozenset[int]().union(*(numbers for found, numbers in groups if found is not None))


def _side(palette: Palette, *joints: int) -> Colour:
    """Return the side's colour. From the shoulders down, odd numbers are on the left."""
    if not _POSE_FACE.isdisjoint(joints) or len({joint % 2 for joint in joints}) > 1:
        return palette.middle
    return palette.left if joints[0] % 2 else palette.right


def _draw_face(sheet: _Sheet, face: FloatArray, palette: Palette) -> None:
    points, topology = sheet.points(face), load_topology()
    width = sheet.line_width(points, of_picture=350, of_group=150)
    sheet.lines(points, topology.face_mesh, _Pen(MESH, width * 0.4, _FINE))
    for part, edges in topology.face.items():
        sheet.lines(points, edges, _Pen((FACE | {"oval": palette.oval})[part], width, _FEATURE))
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
