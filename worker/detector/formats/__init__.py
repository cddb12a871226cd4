"""One parser per image format, which finds an image's size and orientation without decoding it.

`walk` returns an `ImageHeader`, with the image's length in bytes, so data that phones and editors
append never reaches a decoder. It rejects images that are dangerous to decode; detecting other
damage is left to the decoder.
"""

from codecs import getincrementaldecoder
from dataclasses import dataclass
from typing import Final, Literal

ImageFormat = Literal["jpeg", "png", "webp", "heif", "avif", "tiff", "bmp", "gif"]

# Of a decoded image: 8-bit RGB.
PIXEL_BYTES: Final = 3


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """What an image's structure says about it.

    Attributes:
        format: format according to the magic bytes; names and content types are unreliable.
        width: width in pixels, as stored, before the orientation is applied.
        height: height in pixels, as stored.
        length_bytes: where the image ends; the decoder never sees what follows.
        orientation: how to turn the stored pixels upright, 1 to 8, as in EXIF; 1 is upright.
        truncated: whether the file ends before the image does.
        bytes_per_pixel: memory that decoding may take per stored pixel, including the 3 bytes of
            the pixel itself.
        decodable: what to decode instead of the file: a truncated JPEG with an end marker, or the
            one image of an animation or a container; None for the file itself.
    """

    format: ImageFormat
    width: int
    height: int
    length_bytes: int
    orientation: int = 1
    truncated: bool = False
    bytes_per_pixel: int = 12  # 11.2 for lossless WebP with alpha, 11.0 for progressive CMYK JPEG
    decodable: bytes | None = None


def usual_name(image_format: ImageFormat) -> str:
    """Return a format's name for people."""
    return "WebP" if image_format == "webp" else image_format.upper()


def shown(content: bytes) -> str:
    """Return bytes for people: text in quotes, anything else as hexadecimal."""
    try:
        text = getincrementaldecoder("utf-8")().decode(content)  # may end within a character
    except UnicodeDecodeError:
        text = ""
    words = " ".join(text.split())
    return f'"{words}"' if words and words.isprintable() else content.hex(" ")
