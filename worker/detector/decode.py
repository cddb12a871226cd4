"""Image files → pixels, and masks → PNG, by OpenCV. Used in the child process."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from landmarks.errors import CorruptImageError, TooManyPixelsError
from landmarks.groups import FloatArray
from worker.detector.header import ImageFormat, ImageHeader, read_header

# There is a detector for every vCPU. And it makes OpenCV look for its parallel plugins now, rather
# than behind the system call filter, where it may not open files.
cv2.setNumThreads(1)

# Address space that decoding takes, rotation included. The most measured: 11.2 bytes per pixel for
# lossless WebP with alpha, 11.0 for progressive CMYK JPEG, 6 for most others; 8 MB for a PNG chunk.
_DECODING_BYTES_PER_PIXEL: Final = 12
_DECODING_BYTES: Final = 16 * 2**20

# libjpeg reduces sides to 1/2, 1/4 or 1/8 while decoding, at a fraction of the cost.
_REDUCTIONS: Final = {
    8: cv2.IMREAD_REDUCED_GRAYSCALE_8,
    4: cv2.IMREAD_REDUCED_GRAYSCALE_4,
    2: cv2.IMREAD_REDUCED_GRAYSCALE_2,
    1: 0,
}

# Above this factor bilinear interpolation skips pixels.
_MAX_LINEAR_FACTOR: Final = 2


@dataclass(frozen=True, slots=True, eq=False)
class DecodedImage:
    """An image as MediaPipe needs it.

    Attributes:
        pixels: shape (rows, columns, 3), 8-bit RGB, upright, C-contiguous.
        width: of the upright image before any reduction, in pixels.
        height: of the upright image before any reduction, in pixels.
        format: the file's format.
    """

    pixels: npt.NDArray[np.uint8]
    width: int
    height: int
    format: ImageFormat


def decode_image(content: bytes, *, max_pixels: int, max_side: int | None = None) -> DecodedImage:
    """Decode an image and turn it upright.

    Args:
        content: the image file's bytes.
        max_pixels: images with more are refused.
        max_side: longer sides are reduced to this many pixels; None keeps every size.

    Raises:
        ImageError: as `read_header` raises it, and CorruptImageError if decoding fails.
        MemoryError: decoding takes more memory than the process may have.
    """
    header = read_header(content, max_pixels=max_pixels)
    divisor = _divisor(header, max_side)
    encoded = np.frombuffer(content, np.uint8, count=header.length_bytes)
    pixels = _decode(encoded, header, cv2.IMREAD_COLOR_RGB | _REDUCTIONS[divisor])
    # libjpeg rounds reduced sides up.
    height, width = -(-header.height // divisor), -(-header.width // divisor)
    if pixels.shape == (height, width, 3):
        upright = header.width, header.height
    elif pixels.shape == (width, height, 3):
        upright = header.height, header.width
    else:
        raise CorruptImageError(
            f"the header says {height} x {width}, the decoder found {pixels.shape}"
        )
    return DecodedImage(_within(pixels, max_side), *upright, header.format)


def _divisor(header: ImageHeader, max_side: int | None) -> int:
    """The largest reduction while decoding that keeps the longer side at least `max_side`."""
    if max_side is None or header.format != "jpeg":
        return 1
    longest = max(header.width, header.height)
    return next(divisor for divisor in _REDUCTIONS if divisor == 1 or longest >= max_side * divisor)


def _within(pixels: npt.NDArray[np.uint8], max_side: int | None) -> npt.NDArray[np.uint8]:
    """Reduce the image if a side is longer than `max_side`."""
    height, width = pixels.shape[:2]
    longest = max(height, width)
    if max_side is None or longest <= max_side:
        return pixels
    size = max(1, round(width * max_side / longest)), max(1, round(height * max_side / longest))
    linear = longest <= _MAX_LINEAR_FACTOR * max_side
    interpolation = cv2.INTER_LINEAR if linear else cv2.INTER_AREA
    resized = cv2.resize(pixels, size, interpolation=interpolation)
    return np.ascontiguousarray(resized, dtype=np.uint8)


def _decode(
    encoded: npt.NDArray[np.uint8], header: ImageHeader, flags: int
) -> npt.NDArray[np.uint8]:
    try:
        pixels = cv2.imdecode(encoded, flags)
    except cv2.error as error:
        if _is_out_of_memory(error):
            raise MemoryError(str(error)) from error
        if "CV_IO_MAX_IMAGE_PIXELS" in str(error):
            raise TooManyPixelsError("more pixels than OpenCV is allowed to decode") from error
        raise CorruptImageError(f"OpenCV refuses the image: {error}") from error
    if pixels is None:
        _check_memory(header)
        raise CorruptImageError(f"the {header.format} data is damaged beyond reading")
    return np.ascontiguousarray(pixels, dtype=np.uint8)


def _check_memory(header: ImageHeader) -> None:
    """Tell missing memory from damaged data: OpenCV's decoders return None for either.

    Raises:
        MemoryError: there is less than the most expensive decoding takes.
    """
    pixels = header.width * header.height
    np.empty(_DECODING_BYTES_PER_PIXEL * pixels + _DECODING_BYTES, np.uint8)  # never touched


def _is_out_of_memory(error: cv2.error) -> bool:
    # Told by its text: `code` is an attribute of the class and keeps the last error's value.
    return "Insufficient memory" in str(error) or "bad_alloc" in str(error)


def encode_mask(mask: FloatArray) -> bytes:
    """Encode a mask as a PNG of 8-bit grey values: 255 times the mask, rounded.

    Args:
        mask: shape (height, width), float32, 0 to 1.

    Raises:
        MemoryError: encoding takes more memory than the process may have.
    """
    try:
        # One pass, and no memory beyond the result: NumPy would need 4 bytes a pixel.
        grey = cv2.convertScaleAbs(mask, alpha=255)
        # OpenCV's default (run-length encoding, zlib level 1) is both small and fast: 20 kB in
        # 2 ms for 512 x 512 pixels, against 22 kB in 4 ms at level 6.
        _, png = cv2.imencode(".png", grey)
    except cv2.error as error:
        if _is_out_of_memory(error):
            raise MemoryError(str(error)) from error
        raise
    return png.tobytes()
