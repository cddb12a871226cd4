"""The photographs that the detector is tested with.

Some come with scikit-image, some are made from those, and more are read from the folder in the
environment variable LANDMARK_TEST_IMAGES, if it is set.
"""

import os
from functools import cache
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageOps

FOLDER_VARIABLE = "LANDMARK_TEST_IMAGES"

_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")

_WALL, _SUIT, _SKIN, _OUTLINE = (200, 195, 190), (225, 80, 40), (224, 172, 140), (190, 130, 100)
_SLEEVE_PIXELS, _HAND_PIXELS = 50, 100

# A right palm: the ends and width of each line, relative to the wrist and the hand's size.
_HAND = (
    ((0.00, 0.00), (0.00, -0.30), 0.20),  # wrist
    ((0.00, -0.20), (0.00, -0.27), 0.33),  # palm
    ((-0.13, -0.37), (-0.19, -0.67), 0.08),
    ((-0.04, -0.39), (-0.06, -0.76), 0.08),
    ((0.05, -0.39), (0.07, -0.73), 0.08),
    ((0.13, -0.35), (0.19, -0.62), 0.08),
    ((-0.13, -0.18), (-0.30, -0.40), 0.08),  # thumb
)


class Photo(NamedTuple):
    """A name for reports, and a file's bytes."""

    name: str
    content: bytes


def astronaut() -> Photo:
    """A woman from the waist up: face visible, hands not. 512 pixels square."""
    return _of_scikit_image("astronaut.png")


def nobody() -> Photo:
    """A gradient from one corner to the other."""
    ramp = np.add.outer(np.arange(240), np.arange(320)) * (255 / 558)
    return _as_photo("nobody", Image.fromarray(ramp.astype(np.uint8)))


def too_large() -> Photo:
    """More than 50 million pixels in 40 kB."""
    file = BytesIO()
    Image.new("1", (8000, 6300)).save(file, "PNG")
    return Photo("too large", file.getvalue())


def greedy() -> Photo:
    """50 megapixels in many scans, all of which a decoder must keep in memory at once."""
    file = BytesIO()
    picture = Image.new("RGB", (8000, 6200), _WALL)
    picture.save(file, "JPEG", progressive=True, subsampling=0)
    return Photo("greedy", file.getvalue())


def both_hands() -> Photo:
    """The astronaut with drawn arms: all models see the left hand, the heavy one both."""
    return _waving("both hands", wrist=(90, 260), elbow=(130, 470))


def right_hand() -> Photo:
    """The astronaut with drawn arms: all models see a right hand, or mistake one for it."""
    return _waving("right hand", wrist=(180, 200), elbow=(240, 500))


def squeezed() -> Photo:
    """The astronaut at half the height: the person detector's score is below one half."""
    return _as_photo("squeezed", _open(astronaut()).resize((512, 256)))


def distant() -> Photo:
    """The astronaut surrounded by darkness: no model is sure of a person."""
    return _as_photo("distant", ImageOps.expand(_open(astronaut()), 800))


def group() -> Photo:
    """Three people next to each other: two astronauts, one of them smaller, and a cameraman."""
    picture = Image.new("RGB", (1536, 560), _WALL)
    for photo, x, side in (
        (astronaut(), 0, 512),
        (_cameraman(), 540, 512),
        (astronaut(), 1100, 360),
    ):
        picture.paste(_open(photo).resize((side, side)), (x, 560 - side))
    return _as_photo("group", picture)


def crowd(columns: int, rows: int) -> Photo:
    """The astronaut many times."""
    picture = Image.new("RGB", (columns * 160, rows * 160), _WALL)
    one = _open(astronaut()).resize((150, 150))
    for place in range(columns * rows):
        picture.paste(one, (place % columns * 160 + 5, place // columns * 160 + 5))
    return _as_photo("crowd", picture)


def enlarged(photo: Photo, width: int) -> Photo:
    """Return a photograph at this width, in pixels."""
    picture = _open(photo)
    height = picture.height * width // picture.width
    return _as_photo(f"{photo.name}, enlarged", picture.resize((width, height)))


@cache
def bundled() -> tuple[Photo, ...]:
    """Photographs available on every machine. Together they show all groups of landmarks."""
    return (
        astronaut(),
        _cameraman(),
        _of_scikit_image("rocket.jpg"),
        both_hands(),
        right_hand(),
        nobody(),
    )


@cache
def from_folder() -> tuple[Photo, ...]:
    """Return all images in the folder LANDMARK_TEST_IMAGES; none if it is not set.

    Raises:
        FileNotFoundError: the folder does not exist, or contains no image.
    """
    name = os.environ.get(FOLDER_VARIABLE)
    if not name:
        return ()
    paths = sorted(path for path in Path(name).iterdir() if path.suffix.lower() in _SUFFIXES)
    if not paths:
        raise FileNotFoundError(f"{FOLDER_VARIABLE}={name} is a folder without images")
    return tuple(Photo(path.name, path.read_bytes()) for path in paths)


def every() -> tuple[Photo, ...]:
    """Return the bundled photographs and those in the folder."""
    return bundled() + from_folder()


def near_duplicates(photo: Photo) -> tuple[Photo, ...]:
    """Return a burst of photographs: shifted a little, closer, in different light."""
    picture = _open(photo)
    width, height = picture.size
    return (
        _as_photo(f"{photo.name}, shifted", ImageChops.offset(picture, 12, 6)),
        _as_photo(f"{photo.name}, scaled", picture.resize((width * 9 // 10, height * 9 // 10))),
        _as_photo(f"{photo.name}, brightened", ImageEnhance.Brightness(picture).enhance(1.2)),
    )


def _cameraman() -> Photo:
    return _of_scikit_image("camera.png")


def _of_scikit_image(name: str) -> Photo:
    return Photo(name, (files("skimage") / "data" / name).read_bytes())


def _open(photo: Photo) -> Image.Image:
    return Image.open(BytesIO(photo.content)).convert("RGB")


def _as_photo(name: str, picture: Image.Image) -> Photo:
    file = BytesIO()
    picture.save(file, "JPEG", quality=95)
    return Photo(name, file.getvalue())


def _waving(name: str, *, wrist: tuple[int, int], elbow: tuple[int, int]) -> Photo:
    """Draw both arms, at these distances from the body's middle and the top, in pixels."""
    picture = Image.new("RGB", (912, 640), _WALL)
    picture.paste(_open(astronaut()), (200, 0))
    draw = ImageDraw.Draw(picture)
    for side in (-1, 1):
        arm = [(405 + side * x, y) for x, y in ((120, 320), elbow, wrist)]
        draw.line(arm, _SUIT, _SLEEVE_PIXELS, joint="curve")
        _draw_hand(draw, *arm[-1], side=side)
    return _as_photo(name, picture)


def _draw_hand(draw: ImageDraw.ImageDraw, x: int, y: int, *, side: int) -> None:
    for color, growth in ((_OUTLINE, 0.02), (_SKIN, 0)):
        for *ends, width in _HAND:
            points = [(x + side * dx * _HAND_PIXELS, y + dy * _HAND_PIXELS) for dx, dy in ends]
            draw.line(points, color, int((width + growth) * _HAND_PIXELS))
            for point in points:
                draw.circle(point, (width + growth) * _HAND_PIXELS / 2, color)
