"""The benchmark's photos."""

from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO
from itertools import cycle, islice
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image, ImageOps

from tests.photos import astronaut, both_hands, crowd, group

# The usual long side of a photo on the web, and a telephone's 12 megapixels.
_SIDE_PIXELS: Final = 640
_LARGE_PIXELS: Final = (3000, 4000)

_WALL: Final = (200, 195, 190)

_SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png", ".webp"})


def bundled() -> list[Image.Image]:
    """Ten versions of scikit-image's photograph, half of them with raised hands.

    All differ, because an instance that tracks would be faster on equal images; and images with
    hands take longer.
    """
    pictures = [Image.open(BytesIO(photo.content)) for photo in (astronaut(), both_hands())]
    return [version for picture in pictures for version in _versions(picture.convert("RGB"))]


def _versions(picture: Image.Image) -> list[Image.Image]:
    photo = ImageOps.contain(picture, (_SIDE_PIXELS, _SIDE_PIXELS))
    wide = ImageOps.contain(ImageOps.expand(photo, (80, 0), _WALL), photo.size)
    closer = ImageOps.fit(photo, photo.size, bleed=0.05)
    return [photo, ImageOps.mirror(wide), closer, wide, ImageOps.mirror(photo)]


def groups() -> list[Image.Image]:
    """Three people, and eight."""
    files = (group(), crowd(columns=4, rows=2))
    return [Image.open(BytesIO(photo.content)) for photo in files]


def enlarged(photos: Sequence[Image.Image]) -> Iterator[Image.Image]:
    """Photos of 12 megapixels with noise.

    The noise gives the files a typical size, on which the time of decoding depends.
    """
    random = np.random.default_rng(0)
    for photo in photos:
        pixels = np.asarray(ImageOps.pad(photo, _LARGE_PIXELS), dtype=np.int16)
        noise = random.normal(0, 5, pixels.shape).astype(np.int16)
        yield Image.fromarray((pixels + noise).clip(0, 255).astype(np.uint8))


def save(photos: Iterable[Image.Image], folder: Path) -> list[Path]:
    """Write them as JPEGs of quality 90."""
    folder.mkdir(parents=True)
    paths = []
    for number, photo in enumerate(photos):
        paths.append(folder / f"{number}.jpg")
        photo.save(paths[-1], quality=90)
    return paths


def in_folder(folder: Path) -> list[Path]:
    """The images of a folder, by name.

    Raises:
        FileNotFoundError: the folder does not exist or has no images.
    """
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES)
    if not paths:
        raise FileNotFoundError(f"no images in {folder}")
    return paths


def spread(paths: Sequence[Path], number: int) -> list[Path]:
    """Choose a number of paths, evenly spread; some are repeated if there are fewer."""
    if len(paths) < number:
        return list(islice(cycle(paths), number))
    return [paths[index * len(paths) // number] for index in range(number)]
