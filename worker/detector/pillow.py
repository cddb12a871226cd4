"""Decodes images with Pillow, for drawings on machines without the worker's OpenCV.

Runs in the child process. Detection never uses it: pixels differ slightly between decoders.
"""

import importlib
from io import BytesIO

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageFile, ImageOps, UnidentifiedImageError

from landmarks.errors import CorruptImageError, UnsupportedFormatError
from worker.detector import heif
from worker.detector.header import read_header

# Everything must be loaded before the system call filter keeps Pillow from opening files: all
# plugins, and ImageCms, which converts Lab colours.
Image.init()
importlib.import_module("PIL.ImageCms")

# `read_header` limits the size, and the process's address space what a decoder makes of it.
Image.MAX_IMAGE_PIXELS = None


def decode_pixels(content: bytes, *, max_pixels: int, max_side: int) -> npt.NDArray[np.uint8]:
    """Decode an image and turn it upright.

    Args:
        content: the image file's bytes.
        max_pixels: images with more pixels are rejected.
        max_side: images with a longer side are scaled down to this many pixels.

    Returns:
        8-bit RGB, shape (rows, columns, 3).

    Raises:
        ImageError: see `read_header`; also CorruptImageError if decoding fails, and
            UnsupportedFormatError if there is no decoder for the format.
    """
    header = read_header(content, max_pixels=max_pixels)
    if header.format == "heif":  # not one of Pillow's formats
        pixels = heif.decode(header.decodable or b"", header.width, header.height)
        return _within(Image.fromarray(pixels), max_side)
    ImageFile.LOAD_TRUNCATED_IMAGES = header.truncated
    try:
        # Not `header.decodable`: what that leaves out of a monochrome AVIF, Pillow needs.
        with Image.open(BytesIO(content[: header.length_bytes])) as file:
            longest = max(file.size)
            width, height = (side * max_side // longest for side in file.size)
            file.draft(None, (max(1, width), max(1, height)))  # the JPEG decoder can scale down
            return _within(_upright(file, header.orientation), max_side)
    except UnidentifiedImageError as error:
        raise UnsupportedFormatError(
            f"Pillow can't read this {header.format} file: for more decoders, run pip install "
            "'.[worker]' in this project's folder"
        ) from error
    except (OSError, SyntaxError, ValueError) as error:
        raise CorruptImageError(f"Pillow rejected the image: {error}") from error


def _upright(file: Image.Image, orientation: int) -> Image.Image:
    """Turn by the header's orientation, whatever Pillow would read in the file."""
    file.getexif()[ExifTags.Base.Orientation] = orientation
    return _eight_bit(ImageOps.exif_transpose(file)).convert("RGB")


def _eight_bit(picture: Image.Image) -> Image.Image:
    """Convert 16-bit grey as OpenCV does; Pillow would turn all but the darkest pixels white."""
    if not picture.mode.startswith("I"):
        return picture
    return Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))


def _within(picture: Image.Image, max_side: int) -> npt.NDArray[np.uint8]:
    picture.thumbnail((max_side, max_side), Image.Resampling.LANCZOS)
    return np.asarray(picture)
