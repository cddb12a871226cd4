"""A photograph's file → an upright picture of a wanted size, by Pillow."""

import warnings
from collections.abc import Callable
from io import BytesIO

import numpy as np
from PIL import Image, ImageOps

from worker.errors import LandmarkError

Size = tuple[int, int]


class UnreadablePhotographError(LandmarkError):
    """Raised when Pillow can't read a file."""

    code = "UNREADABLE_PHOTOGRAPH"


def read_upright(
    content: bytes, fit: Callable[[Size], Size], formats: tuple[str, ...] | None = None
) -> Image.Image:
    """The picture, turned as its EXIF orientation says, as RGB.

    Args:
        content: the file's bytes.
        fit: from the picture's size to the one that is wanted.
        formats: the only ones that Pillow may try; None for all that it knows.

    Raises:
        UnreadablePhotographError: Pillow can't read it.
    """
    try:
        with warnings.catch_warnings(), Image.open(BytesIO(content), formats=formats) as file:
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            file.draft(None, fit(file.size))  # JPEG's decoder can shrink by itself
            picture = _eight_bit(ImageOps.exif_transpose(file)).convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UnreadablePhotographError(f"Pillow can't read it: {error}") from error
    return picture.resize(fit(picture.size), Image.Resampling.LANCZOS)


def _eight_bit(picture: Image.Image) -> Image.Image:
    """Grey of 16 bits as OpenCV reads it; Pillow would turn all but the darkest white."""
    if not picture.mode.startswith("I"):
        return picture
    return Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
