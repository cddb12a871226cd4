"""The binary protocol between parent and child.

A frame consists of the length of the rest (4 bytes, little-endian), its kind (1 byte) and a
payload. The child sends READY once it has warmed up, then answers each IMAGE with one DETECTION or
FAILURE; a child that only decodes, with one PICTURE or FAILURE.

The parent validates everything, because a compromised child can send any bytes.
"""

import math
import struct
from enum import IntEnum
from typing import Final, get_args

import numpy as np
import numpy.typing as npt

from landmarks.errors import (
    CorruptImageError,
    DetectorMemoryError,
    ImageError,
    NotAnImageError,
    TooManyPixelsError,
    TooSmallError,
    UnsupportedFormatError,
)
from landmarks.groups import GROUPS, FloatArray, Group, Landmarks
from worker.detector.formats import ImageFormat
from worker.detector.mask import MaskBounds
from worker.result import Detection

FORMATS: Final[tuple[ImageFormat, ...]] = get_args(ImageFormat)

# Without a mask or a picture. A detection with all groups takes 8 kB.
MAX_ANSWER_BYTES: Final = 64 * 1024

_MAX_MESSAGE_CHARACTERS: Final = 500

# Length, kind.
HEADER: Final = struct.Struct("<IB")

# Width, height, index in FORMATS, orientation, whether truncated, bit set of GROUPS, pose score.
_DETECTION: Final = struct.Struct("<IIBBBBf")

_LAST_ORIENTATION: Final = 8

# Of a picture's pixel.
RGB_BYTES: Final = 3

# Width, height.
_PICTURE: Final = struct.Struct("<II")

# The errors that a child may report, by code.
_ERRORS: Final[dict[str, type[ImageError]]] = {
    error.code: error
    for error in (
        CorruptImageError,
        DetectorMemoryError,
        NotAnImageError,
        TooManyPixelsError,
        TooSmallError,
        UnsupportedFormatError,
    )
}


class Kind(IntEnum):
    """The kind of a frame."""

    IMAGE = 1
    READY = 2
    DETECTION = 3
    FAILURE = 4
    PICTURE = 5


class ProtocolError(Exception):
    """Raised when a payload violates the protocol."""


def frame(kind: Kind, payload: bytes = b"") -> bytes:
    """Return a complete frame."""
    return HEADER.pack(len(payload) + 1, kind) + payload


def encode_failure(error: ImageError) -> bytes:
    """Encode a FAILURE's payload: code, newline, message."""
    return f"{error.code}\n{str(error)[:_MAX_MESSAGE_CHARACTERS]}".encode(errors="replace")


def decode_failure(payload: bytes) -> ImageError:
    """Decode a FAILURE's payload.

    Raises:
        ProtocolError: a child must not report this error.
    """
    code, _, message = payload.decode(errors="replace").partition("\n")
    error = _ERRORS.get(code)
    if error is None:
        raise ProtocolError(f"unknown failure {code[:50]!r}")
    return error(message[:_MAX_MESSAGE_CHARACTERS])


def encode_detection(detection: Detection) -> bytes:
    """Encode a DETECTION's payload: fixed fields, found groups as float32, the mask if any."""
    found = {group.name: array for group, array in detection.landmarks.found()}
    groups = sum(1 << bit for bit, group in enumerate(GROUPS) if group.name in found)
    score = detection.landmarks.pose_score
    head = _DETECTION.pack(
        detection.width,
        detection.height,
        FORMATS.index(detection.format),
        detection.orientation,
        detection.truncated,
        groups,
        math.nan if score is None else score,
    )
    arrays = (array.astype("<f4").tobytes() for array in found.values())
    return b"".join((head, *arrays, detection.mask or b""))


def decode_detection(
    payload: bytes, *, face_points: int, masks: MaskBounds | None = None
) -> Detection:
    """Decode a DETECTION's payload.

    Args:
        payload: the child's answer.
        face_points: number of face landmarks with the child's options.
        masks: limits for the mask; None without segmentation.

    Raises:
        ProtocolError: the payload has the wrong size, an impossible orientation, a value that is
            not finite, a group without a pose, or a mask that doesn't fit the image.
    """
    if len(payload) < _DETECTION.size:
        raise ProtocolError("a truncated detection")
    width, height, format_index, orientation, truncated, bits, score = _DETECTION.unpack_from(
        payload
    )
    if format_index >= len(FORMATS) or bits >> len(GROUPS) or not (width and height):
        raise ProtocolError("a detection without an image")
    if not 1 <= orientation <= _LAST_ORIENTATION or truncated > 1:
        raise ProtocolError("an image that is turned or truncated in an impossible way")
    groups = [group for bit, group in enumerate(GROUPS) if bits & 1 << bit]
    arrays, end = _decode_groups(payload, groups, face_points)
    mask = payload[end:] if masks and groups else None
    if len(payload) != end + len(mask or b""):
        raise ProtocolError("landmarks of the wrong size")
    if masks and mask is not None and (flaw := masks.flaw(mask, width, height)):
        raise ProtocolError(f"an invalid mask: {flaw}")
    if groups and ("pose_landmarks" not in arrays or not 0 <= score <= 1):
        raise ProtocolError("landmarks without a pose or its score")
    return Detection(
        landmarks=Landmarks(**arrays, pose_score=score if groups else None, person_score=None),
        width=width,
        height=height,
        format=FORMATS[format_index],
        mask=mask,
        orientation=orientation,
        truncated=bool(truncated),
    )


def _decode_groups(
    payload: bytes, groups: list[Group], face_points: int
) -> tuple[dict[str, FloatArray], int]:
    """Decode the groups after the fixed fields. Returns them and the position after them."""
    shapes = [
        (face_points if group.name == "face_landmarks" else group.points[0], len(group.columns))
        for group in groups
    ]
    end = _DETECTION.size + 4 * sum(points * columns for points, columns in shapes)
    if len(payload) < end:
        raise ProtocolError("landmarks of the wrong size")
    # A copy, because the landmarks outlive the mask that follows them.
    values = np.frombuffer(payload[_DETECTION.size : end], dtype="<f4")
    if not np.isfinite(values).all():
        raise ProtocolError("landmarks that are not finite")
    ends = np.cumsum([points * columns for points, columns in shapes])[:-1]
    parts = np.split(values, ends) if shapes else []
    arrays = {
        group.name: part.reshape(shape)
        for group, part, shape in zip(groups, parts, shapes, strict=True)
    }
    return arrays, end


def encode_picture(pixels: npt.NDArray[np.uint8]) -> bytes:
    """Encode a PICTURE's payload: size, then RGB, 8 bits each, row by row.

    Args:
        pixels: shape (rows, columns, 3).
    """
    height, width, _ = pixels.shape
    return _PICTURE.pack(width, height) + pixels.tobytes()


def decode_picture(payload: bytes, side: int) -> npt.NDArray[np.uint8]:
    """Decode a PICTURE's payload.

    Args:
        payload: the child's answer.
        side: the longest side that was asked for, in pixels.

    Returns:
        shape (rows, columns, 3), RGB, read-only.

    Raises:
        ProtocolError: the picture is empty, larger than asked for, or incomplete.
    """
    if len(payload) < _PICTURE.size:
        raise ProtocolError("a truncated picture")
    width, height = _PICTURE.unpack_from(payload)
    if not (0 < width <= side and 0 < height <= side):
        raise ProtocolError(f"a picture of {width} x {height} pixels")
    if len(payload) != _PICTURE.size + RGB_BYTES * width * height:
        raise ProtocolError("a picture of the wrong length")
    return np.frombuffer(payload, np.uint8, offset=_PICTURE.size).reshape(height, width, RGB_BYTES)
