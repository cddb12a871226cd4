"""Decodes images to pixels and encodes masks as PNG, with OpenCV. Runs in the child process."""

from dataclasses import dataclass
from typing import Final, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from landmarks.errors import CorruptImageError, TooManyPixelsError
from landmarks.groups import FloatArray
from worker.detector import heif
from worker.detector.formats import PIXEL_BYTES, ImageFormat, ImageHeader, usual_name
from worker.detector.header import MAX_SIDE_PIXELS, read_header

# There is one detector per vCPU. This also makes OpenCV look for its parallel plugins now, before
# the system call filter keeps it from opening files.
cv2.setNumThreads(1)

# A TIFF may have 30,000 damaged strips, and writing as many lines took longer than 15 seconds.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)

# Address space for decoding besides what grows with the pixels, such as 8 MB for a PNG chunk.
_DECODING_BYTES: Final = 16 * 2**20

# JPEGs with more pixels are decoded at a half, a quarter or an eighth of their sides. Just above
# the largest size that was always decoded whole, so that cameras of 50.3 megapixels are, too.
MAX_WHOLE_PIXELS: Final = 51_000_000

# libjpeg can scale down to 1/2, 1/4 or 1/8 while decoding, at a fraction of the cost.
_REDUCTIONS: Final = {
    1: 0,
    2: cv2.IMREAD_REDUCED_GRAYSCALE_2,
    4: cv2.IMREAD_REDUCED_GRAYSCALE_4,
    8: cv2.IMREAD_REDUCED_GRAYSCALE_8,
}

_FLAGS: Final = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION

# By orientation: whether rows become columns, and OpenCV's code for flipping after that (0 for
# upside down, 1 for left to right, -1 for both).
_SIDEWAYS: Final = frozenset({5, 6, 7, 8})
_FLIPS: Final = {2: 1, 3: -1, 4: 0, 6: 1, 7: -1, 8: 0}

# What libjpeg fills missing blocks with: grey, which OpenCV converts from CMYK to a darker one.
_FILLINGS: Final = frozenset({(128, 128, 128), (65, 65, 65)})

# How far the first row of blocks reaches: 32 pixels, and two more blocks by smoothing.
_FIRST_BLOCKS_ROWS: Final = 3 * 32

# Above this factor, bilinear interpolation skips pixels.
_MAX_LINEAR_FACTOR: Final = 2


class ImageMemory(NamedTuple):
    """Memory that one image may take.

    Attributes:
        total_bytes: for the file, decoding it and detection.
        bytes_per_pixel: what detection takes per decoded pixel, including the pixels.
    """

    total_bytes: int
    bytes_per_pixel: int


@dataclass(frozen=True, slots=True, eq=False)
class DecodedImage:
    """A decoded image, in the form that MediaPipe needs.

    Attributes:
        pixels: shape (rows, columns, 3), 8-bit RGB, upright, C-contiguous.
        width: width of the upright image before scaling, in pixels.
        height: height of the upright image before scaling, in pixels.
        format: the file's format.
        orientation: how the file says it is stored, 1 to 8; `pixels` are turned accordingly.
        truncated: whether the file ends before the image does; the rest is grey.
    """

    pixels: npt.NDArray[np.uint8]
    width: int
    height: int
    format: ImageFormat
    orientation: int = 1
    truncated: bool = False


def decode_image(
    content: bytes,
    *,
    max_pixels: int,
    max_side: int | None = None,
    memory: ImageMemory | None = None,
) -> DecodedImage:
    """Decode an image and turn it upright.

    Args:
        content: the image file's bytes.
        max_pixels: images with more pixels are rejected.
        max_side: images with a longer side are scaled down to this many pixels; None for never.
        memory: what the image may take; None for no limit.

    Raises:
        ImageError: see `read_header`; also TooManyPixelsError if it would take more than `memory`,
            and CorruptImageError if decoding fails.
        MemoryError: decoding needs more memory than the process may use.
    """
    header = read_header(content, max_pixels=max_pixels)
    divisor = _divisor(header, len(content), max_side, memory)
    if header.format == "heif":
        return _decode_heif(header, max_side)
    encoded = header.decodable or memoryview(content)[: header.length_bytes]
    pixels = _decode(np.frombuffer(encoded, np.uint8), header, divisor)
    height, width = -(-header.height // divisor), -(-header.width // divisor)
    if pixels.shape != (height, width, 3):
        raise CorruptImageError(
            f"the header says {height} x {width}, the decoder found {pixels.shape}"
        )
    if header.truncated and not _has_a_line(pixels):
        raise CorruptImageError("the JPEG file ends before its first line does")
    is_sideways = header.orientation in _SIDEWAYS
    return DecodedImage(
        # Turned first, because scaling rounds differently in the other direction.
        pixels=_within(upright(pixels, header.orientation), max_side),
        width=header.height if is_sideways else header.width,
        height=header.width if is_sideways else header.height,
        format=header.format,
        orientation=header.orientation,
        truncated=header.truncated,
    )


def _has_a_line(pixels: npt.NDArray[np.uint8]) -> bool:
    """Return whether a truncated JPEG has its first line: libjpeg fills the rest with grey."""
    filling = pixels[-1, -1]
    if tuple(filling) not in _FILLINGS or (pixels[0, -1] != filling).any():
        return True
    return any((row != filling).any() for row in pixels[_FIRST_BLOCKS_ROWS:])


def upright(pixels: npt.NDArray[np.uint8], orientation: int) -> npt.NDArray[np.uint8]:
    """Turn stored pixels upright.

    Args:
        pixels: shape (rows, columns, channels); may be overwritten.
        orientation: 1 to 8, as in EXIF.

    Returns:
        The same array or, if rows become columns, a new one.
    """
    if orientation in _SIDEWAYS:
        pixels = np.asarray(cv2.transpose(pixels), np.uint8)
    flip = _FLIPS.get(orientation)
    return pixels if flip is None else np.asarray(cv2.flip(pixels, flip, dst=pixels), np.uint8)


def _divisor(
    header: ImageHeader, file_bytes: int, max_side: int | None, memory: ImageMemory | None
) -> int:
    """Return by what to divide the sides while decoding.

    It is the largest divisor that keeps the longer side at least `max_side`, or a larger one if
    the image would be too large.
    """
    divisors = _divisors(header, max_side)
    if memory is None:
        return divisors[0]
    spare_bytes = memory.total_bytes - file_bytes - len(header.decodable or b"") - _DECODING_BYTES
    for divisor in divisors:
        decoding_bytes, pixels = _decoding_bytes(header, divisor), _decoded_pixels(header, divisor)
        shown = pixels if max_side is None else min(pixels, max_side * max_side)
        image_bytes = max(decoding_bytes, memory.bytes_per_pixel * shown)
        if image_bytes <= spare_bytes:
            return divisor
    stored = header.width * header.height
    most = max(0, stored * spare_bytes // image_bytes)
    raise TooManyPixelsError(
        f"{header.width} x {header.height} pixels: more than a detector has memory for "
        f"in {usual_name(header.format)} of this kind, {most}"
    )


def _divisors(header: ImageHeader, max_side: int | None) -> list[int]:
    """Return the possible divisors, the best first. Every image has one: an eighth is enough."""
    if header.format != "jpeg":
        return [1]
    longest = max(header.width, header.height)
    wanted = max(d for d in _REDUCTIONS if d == 1 or (max_side and longest >= max_side * d))
    return [
        divisor
        for divisor in _REDUCTIONS
        if divisor >= wanted
        and _decoded_pixels(header, divisor) <= MAX_WHOLE_PIXELS
        and -(-longest // divisor) <= MAX_SIDE_PIXELS
    ]


def _decoded_pixels(header: ImageHeader, divisor: int) -> int:
    # libjpeg rounds scaled sides up.
    return -(-header.width // divisor) * -(-header.height // divisor)


def _decoding_bytes(header: ImageHeader, divisor: int) -> int:
    """Return the address space that decoding takes at most."""
    pixels_bytes = PIXEL_BYTES * _decoded_pixels(header, divisor)
    work_bytes = (header.bytes_per_pixel - PIXEL_BYTES) * header.width * header.height
    return max(work_bytes, pixels_bytes) + pixels_bytes  # OpenCV's Python module copies the pixels


def _within(pixels: npt.NDArray[np.uint8], max_side: int | None) -> npt.NDArray[np.uint8]:
    """Scale the image down if a side is longer than `max_side`."""
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
    encoded: npt.NDArray[np.uint8], header: ImageHeader, divisor: int
) -> npt.NDArray[np.uint8]:
    try:
        pixels = cv2.imdecode(encoded, _FLAGS | _REDUCTIONS[divisor])
    except cv2.error as error:
        if _is_out_of_memory(error):
            raise MemoryError(str(error)) from error
        if "CV_IO_MAX_IMAGE_PIXELS" in str(error):
            raise TooManyPixelsError("more pixels than OpenCV is allowed to decode") from error
        raise CorruptImageError(f"OpenCV rejected the image: {error}") from error
    if pixels is None:
        _check_memory(header, divisor)
        raise CorruptImageError(f"the {usual_name(header.format)} data is too damaged to decode")
    return np.ascontiguousarray(pixels, dtype=np.uint8)


def _decode_heif(header: ImageHeader, max_side: int | None) -> DecodedImage:
    """Decode with libheif, which also crops and turns the image."""
    try:
        pixels = heif.decode(header.decodable or b"", header.width, header.height)
    except CorruptImageError:
        _check_memory(header, 1)
        raise
    height, width, _ = pixels.shape
    scaled = _within(pixels, max_side)
    return DecodedImage(scaled, width, height, header.format, header.orientation)


def _check_memory(header: ImageHeader, divisor: int) -> None:
    """Distinguish lack of memory from damaged data: OpenCV's decoders return None for both.

    Raises:
        MemoryError: decoding would need more memory than is left.
    """
    np.empty(_decoding_bytes(header, divisor) + _DECODING_BYTES, np.uint8)  # never touched


def _is_out_of_memory(error: cv2.error) -> bool:
    # `code` is a class attribute that keeps the last error's value, so check the text.
    return "Insufficient memory" in str(error) or "bad_alloc" in str(error)


def encode_mask(mask: FloatArray) -> bytes:
    """Encode a mask as an 8-bit greyscale PNG: 255 times the mask, rounded.

    Args:
        mask: shape (height, width), float32, 0 to 1.

    Raises:
        MemoryError: encoding needs more memory than the process may use.
    """
    try:
        # Needs no memory besides the result; NumPy would need 4 bytes per pixel.
        grey = cv2.convertScaleAbs(mask, alpha=255)
        # OpenCV's default (run-length encoding, zlib level 1) is both smaller and faster: 20 kB in
        # 2 ms for 512 x 512 pixels, compared to 22 kB in 4 ms at level 6.
        _, png = cv2.imencode(".png", grey)
    except cv2.error as error:
        if _is_out_of_memory(error):
            raise MemoryError(str(error)) from error
        raise
    return png.tobytes()
