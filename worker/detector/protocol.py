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

# For an answer without people, mask or picture, and for each person; one with all groups takes
# 7.3 kB.
_ANSWER_BYTES: Final = 64 * 1024
_PERSON_BYTES: Final = 8 * 1024

_MAX_MESSAGE_CHARACTERS: Final = 500

# Length, kind.
HEADER: Final = struct.Struct("<IB")

# Width, height, index in FORMATS, orientation, whether truncated, number of people.
_DETECTION: Final = struct.Struct("<IIBBBB")

# Bit set of GROUPS, pose score, person score; NaN is None.
_PERSON: Final = struct.Struct("<Bff")

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


def max_answer_bytes(max_people: int, masks: MaskBounds | None) -> int:
    """Return the maximum size of a child's answer."""
    return _ANSWER_BYTES + max_people * _PERSON_BYTES + (masks.max_bytes if masks else 0)


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
    """Encode a DETECTION's payload: fixed fields, people, the mask if any."""
    people = [one for one in (detection.landmarks, *detection.others) if one.person_found]
    head = _DETECTION.pack(
        detection.width,
        detection.height,
        FORMATS.index(detection.format),
        detection.orientation,
        detection.truncated,
        len(people),
    )
    return b"".join((head, *map(_encode_person, people), detection.mask or b""))


def _encode_person(person: Landmarks) -> bytes:
    found = {group.name: array for group, array in person.found()}
    groups = sum(1 << bit for bit, group in enumerate(GROUPS) if group.name in found)
    scores = (
        math.nan if score is None else score for score in (person.pose_score, person.person_score)
    )
    return b"".join(
        (_PERSON.pack(groups, *scores), *(a.astype("<f4").tobytes() for a in found.values()))
    )


def decode_detection(
    payload: bytes, *, face_points: int, max_people: int = 1, masks: MaskBounds | None = None
) -> Detection:
    """Decode a DETECTION's payload.

    Args:
        payload: the child's answer.
        face_points: number of face landmarks with the child's options.
        max_people: the child's option.
        masks: limits for the mask; None without segmentation.

    Raises:
        ProtocolError: the payload has the wrong size, an impossible orientation, too many people, a
            value that is not finite, a person without a pose or the right scores, or a mask that
            doesn't fit the image.
    """
    if len(payload) < _DETECTION.size:
        raise ProtocolError("a truncated detection")
    width, height, format_index, orientation, truncated, count = _DETECTION.unpack_from(payload)
    if format_index >= len(FORMATS) or not (width and height):
        raise ProtocolError("a detection without an image")
    if not 1 <= orientation <= _LAST_ORIENTATION or truncated > 1:
        raise ProtocolError("an image that is turned or truncated in an impossible way")
    people, end = _decode_people(payload, count, face_points, max_people)
    first, *others = people or [Landmarks()]
    mask = payload[end:] if masks and first.pose_score is not None else None
    if len(payload) != end + len(mask or b""):
        raise ProtocolError("landmarks of the wrong size")
    if masks and mask is not None and (flaw := masks.flaw(mask, width, height)):
        raise ProtocolError(f"an invalid mask: {flaw}")
    return Detection(
        landmarks=first,
        width=width,
        height=height,
        format=FORMATS[format_index],
        mask=mask,
        orientation=orientation,
        truncated=bool(truncated),
        others=tuple(others),
    )


def _decode_people(
    payload: bytes, count: int, face_points: int, max_people: int
) -> tuple[list[Landmarks], int]:
    """Decode the people after the fixed fields. Returns them and the position after them."""
    if count > max_people:
        raise ProtocolError(f"{count} people instead of at most {max_people}")
    people: list[Landmarks] = []
    end = _DETECTION.size
    for _ in range(count):
        person, end = _decode_person(payload, end, face_points)
        if not _has_its_scores(person, first=not people, max_people=max_people):
            raise ProtocolError("a person with the wrong scores")
        people.append(person)
    return people, end


def _has_its_scores(person: Landmarks, *, first: bool, max_people: int) -> bool:
    if max_people == 1:
        return person.pose_score is not None and person.person_score is None
    if first:
        return person.pose_score is not None or person.person_score is not None
    return person.pose_score is None and person.person_score is not None


def _decode_person(payload: bytes, start: int, face_points: int) -> tuple[Landmarks, int]:
    """Decode a person. Returns its landmarks and the position after them."""
    if len(payload) < start + _PERSON.size:
        raise ProtocolError("landmarks of the wrong size")
    bits, *numbers = _PERSON.unpack_from(payload, start)
    groups = [group for bit, group in enumerate(GROUPS) if bits & 1 << bit]
    arrays, end = _decode_groups(payload, start + _PERSON.size, groups, face_points)
    if bits >> len(GROUPS) or "pose_landmarks" not in arrays:
        raise ProtocolError("landmarks without a pose")
    pose_score, person_score = (None if math.isnan(number) else number for number in numbers)
    if any(not 0 <= score <= 1 for score in (pose_score, person_score) if score is not None):
        raise ProtocolError("a score that is not between 0 and 1")
    return Landmarks(pose_score=pose_score, person_score=person_score, **arrays), end


def _decode_groups(
    payload: bytes, start: int, groups: list[Group], face_points: int
) -> tuple[dict[str, FloatArray], int]:
    """Decode a person's groups. Returns them and the position after them."""
    shapes = [
        (face_points if group.name == "face_landmarks" else group.points[0], len(group.columns))
        for group in groups
    ]
    end = start + 4 * sum(points * columns for points, columns in shapes)
    if len(payload) < end:
        raise ProtocolError("landmarks of the wrong size")
    # A copy, because the landmarks outlive the mask that follows them.
    values = np.frombuffer(payload[start:end], dtype="<f4")
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
