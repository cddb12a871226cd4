"""Checks an image's format, structure and size before a decoder sees it.

This is pure Python and decodes nothing. Only files in a supported format with a valid structure and
an allowed size reach a decoder. Of two million mutants of small JPEG, PNG and WebP files, those
that passed crashed none of OpenCV 4.14's decoders (slowest 35 ms, peak 119 MB).
"""

import re
from collections.abc import Callable
from typing import Final, get_args

from landmarks.errors import (
    NotAnImageError,
    TooManyPixelsError,
    TooSmallError,
    UnsupportedFormatError,
)
from worker.detector.formats import (
    ImageFormat,
    ImageHeader,
    bmp,
    gif,
    isobmff,
    jpeg,
    png,
    shown,
    tiff,
    usual_name,
    webp,
)

# OpenCV, with which MediaPipe crops images, aborts the process at 2^15 - 1. MediaPipe also crashes
# when height x width x 3 exceeds 2^31.
MAX_SIDE_PIXELS: Final = 32_766

# libjpeg's maximum. JPEGs are decoded smaller if they have to be, and a half of this is allowed.
MAX_JPEG_SIDE_PIXELS: Final = 65_500

# In smaller images, MediaPipe detects people who aren't there: all it found at 24 pixels were
# false, two of ten at 64.
MIN_LONG_SIDE_PIXELS: Final = 64


_Walk = Callable[[bytes], ImageHeader]

_SUPPORTED: Final[tuple[tuple[re.Pattern[bytes], _Walk], ...]] = (
    (re.compile(rb"\xff\xd8\xff"), jpeg.walk),
    (re.compile(rb"\x89PNG\r\n\x1a\n"), png.walk),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), webp.walk),
    (isobmff.MAGIC, isobmff.walk),
    (bmp.MAGIC, bmp.walk),
    (gif.MAGIC, gif.walk),
    (tiff.MAGIC, tiff.walk),
)

# Recognised only for better error messages.
_UNSUPPORTED: Final = {
    name: re.compile(magic, re.DOTALL)
    for name, magic in {
        "JPEG 2000": rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51",
        "JPEG XL": rb"\0\0\0\x0cJXL |\xff\x0a",
        "JPEG XR": rb"II\xbc\x01",
        "Photoshop": rb"8BPS",
        "icon": rb"\0\0[\1\2]\0",
        "OpenEXR": rb"v/1\x01",
        "Radiance HDR": rb"#\?R(?:ADIANCE|GBE)",
        "Netpbm": rb"P[1-7Ff]\s",
        "SVG": rb"\s*<(?:svg|\?xml.*<svg)\b",
    }.items()
}

_NAMES: Final = [usual_name(name) for name in get_args(ImageFormat)]
_READ: Final = f"{', '.join(_NAMES[:-1])} or {_NAMES[-1]}"

_MAGIC_BYTES: Final = 1024  # an SVG may begin with comments


def read_header(content: bytes, *, max_pixels: int) -> ImageHeader:
    """Check an image's structure and size.

    Args:
        content: any bytes.
        max_pixels: images with more pixels are rejected.

    Raises:
        NotAnImageError: the content is in no known image format.
        UnsupportedFormatError: the image has another format or a rare variant.
        CorruptImageError: the image is damaged, or truncated and no JPEG.
        TooManyPixelsError: it has more pixels than `max_pixels`, or a side over MAX_SIDE_PIXELS
            (MAX_JPEG_SIDE_PIXELS).
        TooSmallError: both sides are below MIN_LONG_SIDE_PIXELS.
    """
    for magic, walk in _SUPPORTED:
        if magic.match(content):
            header = walk(content)
            _check_size(header, max_pixels)
            return header
    for other, magic in _UNSUPPORTED.items():
        if magic.match(content[:_MAGIC_BYTES]):
            raise UnsupportedFormatError(f"{other} is not supported: use {_READ}")
    raise NotAnImageError(
        f"not an image: {len(content)} bytes starting with {shown(content[:16])}"
        if content
        else "not an image: the object is empty"
    )


def _check_size(header: ImageHeader, max_pixels: int) -> None:
    width, height = header.width, header.height
    max_side = MAX_JPEG_SIDE_PIXELS if header.format == "jpeg" else MAX_SIDE_PIXELS
    if max(width, height) > max_side:
        raise TooManyPixelsError(f"{width} x {height} pixels: a side is longer than {max_side}")
    if width * height > max_pixels:
        raise TooManyPixelsError(
            f"{width} x {height} pixels: more than MAX_IMAGE_PIXELS allows, {max_pixels}"
        )
    if max(width, height) < MIN_LONG_SIDE_PIXELS or not min(width, height):
        raise TooSmallError(
            f"{width} x {height} pixels: both sides are shorter than {MIN_LONG_SIDE_PIXELS}"
        )
