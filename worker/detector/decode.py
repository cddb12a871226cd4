"""What OpenCV's errors say. Lives in the child process."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from landmarks.errors import CorruptImageError, TooManyPixelsError
from landmarks.groups import FloatArray
from worker.detector.header import ImageFormat, ImageHeader, read_header


def lacks_memory(error: cv2.error) -> bool:
    """Whether OpenCV failed because the process may not have the memory that it takes."""
    # By its text: `code` is an attribute of the class, left there by whatever error was last.
    return "Insufficient memory" in str(error) or "bad_alloc" in str(error)


# The dearest decodings measured, rotation included: lossless WebP with alpha takes 11.2 bytes of
# address space per pixel, a progressive CMYK JPEG 11.0, most others 6. And a PNG chunk has 8 MB.
_DECODING_BYTES_PER_PIXEL = 12


_DECODING_BYTES = 16 * 2**20


# libjpeg's own reductions, by OpenCV's flags: a side of 1/2, 1/4, 1/8, at a part of the cost.
_REDUCTIONS: Final = {
    8: cv2.IMREAD_REDUCED_GRAYSCALE_8,
    4: cv2.IMREAD_REDUCED_GRAYSCALE_4,
    2: cv2.IMREAD_REDUCED_GRAYSCALE_2,
    1: 0,
}


# Beyond this, pixels would be left out between those that bilinear interpolation looks at.
_MAX_LINEAR_FACTOR: Final = 2


@dataclass(frozen=True, slots=True, eq=False)
class DecodedImage:
    """An image as MediaPipe wants it.

    Attributes:
        pixels: shape (rows, columns, 3), 8-bit RGB, upright, C-contiguous.
        width: of the upright image before it was reduced, in pixels.
        height: of the upright image before it was reduced, in pixels.
        format: what it was stored as.
    """

    pixels: npt.NDArray[np.uint8]
    width: int
    height: int
    format: ImageFormat


def decode_image(content: bytes, *, max_pixels: int, max_side: int | None = None) -> DecodedImage:
    """Decode an image of at most `max_pixels`, upright.

    Args:
        content: the image file's bytes.
        max_pixels: larger images are refused.
        max_side: images with a longer side are reduced to it; None leaves all as they are.

    Raises:
        ImageError: whatever `read_header` raises, and CorruptImageError when the decoder gives up.
        MemoryError: the process may not have the memory that it takes.
    """
    header = read_header(content, max_pixels=max_pixels)
    divisor = _divisor(header, max_side)
    encoded = np.frombuffer(content, np.uint8, count=header.length_bytes)
    pixels = _decode(encoded, header, cv2.IMREAD_COLOR_RGB | _REDUCTIONS[divisor])
    # A reduced side is rounded up.
    height, width = -(-header.height // divisor), -(-header.width // divisor)
    if pixels.shape == (height, width, 3):
        upright = header.width, header.height
    elif pixels.shape == (width, height, 3):
        upright = header.height, header.width
    else:
        promise = f"{height} x {width}"
        raise CorruptImageError(f"the header promises {promise}, the decoder found {pixels.shape}")
    return DecodedImage(_within(pixels, max_side), *upright, header.format)


def _divisor(header: ImageHeader, max_side: int | None) -> int:
    """How far the decoder itself may reduce the image, without going below `max_side`."""
    if max_side is None or header.format != "jpeg":
        return 1
    longest = max(header.width, header.height)
    return next(divisor for divisor in _REDUCTIONS if divisor == 1 or longest >= max_side * divisor)


def _within(pixels: npt.NDArray[np.uint8], max_side: int | None) -> npt.NDArray[np.uint8]:
    """The image, reduced if it has a side longer than `max_side`."""
    height, width = pixels.shape[:2]
    longest = max(height, width)
    if max_side is None or longest <= max_side:
        return pixels
    size = max(1, round(width * max_side / longest)), max(1, round(height * max_side / longest))
    linear = longest <= _MAX_LINEAR_FACTOR * max_side
    way = cv2.INTER_LINEAR if linear else cv2.INTER_AREA
    return np.ascontiguousarray(cv2.resize(pixels, size, interpolation=way), dtype=np.uint8)


def _decode(
    encoded: npt.NDArray[np.uint8], header: ImageHeader, flags: int
) -> npt.NDArray[np.uint8]:
    try:
        pixels = cv2.imdecode(encoded, flags)
    except cv2.error as error:
        if lacks_memory(error):
            raise MemoryError(str(error)) from error
        if "CV_IO_MAX_IMAGE_PIXELS" in str(error):
            raise TooManyPixelsError("more pixels than OpenCV is allowed to decode") from error
        raise CorruptImageError(f"OpenCV refuses it: {error}") from error
    if pixels is None:
        _check_memory(header)
        raise CorruptImageError(f"the {header.format} data is damaged beyond reading")
    return np.ascontiguousarray(pixels, dtype=np.uint8)


def _check_memory(header: ImageHeader) -> None:
    """Tell the two reasons for `None` apart: decoders say it of missing memory, too.

    Raises:
        MemoryError: there is not as much as the dearest decoding takes.
    """
    pixels = header.width * header.height
    np.empty(_DECODING_BYTES_PER_PIXEL * pixels + _DECODING_BYTES, np.uint8)  # never touched


def encode_mask(mask: FloatArray) -> bytes:
    """A PNG of 8-bit grey values: 255 times the mask, rounded.

    Args:
        mask: shape (height, width), float32, 0 to 1.

    Raises:
        MemoryError: the process may not have the memory that it takes.
    """
    try:
        # One pass, and no more memory than the result takes: NumPy would need 4 bytes a pixel.
        grey = cv2.convertScaleAbs(mask, alpha=255)
        # OpenCV's own choice, run lengths at zlib's first level, is the smallest of those that
        # are fast: 20 kB and 2 ms for 512 x 512 pixels, 2 kB more and 4 ms at zlib's sixth.
        _, png = cv2.imencode(".png", grey)
    except cv2.error as error:
        if lacks_memory(error):
            raise MemoryError(str(error)) from error
        raise
    return png.tobytes()
