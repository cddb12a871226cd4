"""How landmarks are stored: as float32, 16-bit fixed-point numbers, or maps with six decimals."""

import re
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from pynamodb.exceptions import AttributeDeserializationError

from landmarks.encoding import (
    ATTRIBUTES,
    Int16Attribute,
    LandmarkMapsAttribute,
    LandmarksAttribute,
    decode,
)
from landmarks.enums import LandmarkEncoding
from landmarks.groups import GROUPS, VISIBLE, FloatArray, Group

FINITE = st.floats(width=32, allow_nan=False, allow_infinity=False)
LARGEST = float(np.finfo(np.float32).max)
POSE, WORLD, FACE, HAND, _ = GROUPS

# A number that DynamoDB and all readers accept: no exponent, no "-0", no trailing zeros.
PLAIN = re.compile(r"0|-?(0|[1-9][0-9]*)\.[0-9]{0,5}[1-9]|-?[1-9][0-9]*")


def encode(array: FloatArray) -> list[dict[str, Any]]:
    """Return a group as stored in the item."""
    group = POSE if array.shape[1] == len(POSE.columns) else HAND
    encoded: list[dict[str, Any]] = LandmarkMapsAttribute(group).serialize(array)
    return encoded


def number_of(value: float) -> str:
    """Return a number as stored."""
    return str(encode(np.array([[value, 0, 0]], np.float32))[0]["M"]["x"]["N"])


@given(FINITE)
@example(-0.0)
@example(1e-10)
@example(-1e-10)
@example(0.0078125)  # halfway between two decimals
@example(1234.5678)
@example(LARGEST)
@example(-LARGEST)
def test_numbers_are_within_half_of_the_sixth_decimal(value: float) -> None:
    """Numbers are rounded correctly, and read as the nearest float32."""
    value = float(np.float32(value))
    text = number_of(value)

    assert PLAIN.fullmatch(text)
    assert len(text.lstrip("-").replace(".", "").strip("0")) <= 38
    if abs(value) < 2**23:
        assert abs(Decimal(text) - Decimal(value)) <= Decimal("5e-7")
    if abs(value) >= 16:  # above this, float32 is coarser than six decimals
        assert np.float32(text) == np.float32(value)


@given(arrays(np.float32, array_shapes(min_dims=1, max_dims=1, max_side=40), elements=FINITE))
def test_arrays_come_back(numbers: FloatArray) -> None:
    """Arrays are read as read-only float32 of the same shape."""
    for group in (HAND, POSE):
        array = np.resize(numbers, (group.points[0], len(group.columns)))

        read = decode({group.name: LandmarkMapsAttribute(group).serialize(array)}, None)[group.name]

        assert (read.dtype, read.shape) == (np.dtype("<f4"), array.shape)
        assert not read.flags.writeable
        np.testing.assert_allclose(read, array, rtol=2**-23, atol=5e-7)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (-0.0, "0"),
        (-4.9e-7, "0"),
        (1e-6, "0.000001"),
        (-0.5, "-0.5"),
        (100.0, "100"),
        (1234.5678, "1234.567749"),
        (2**23 + 1, "8388609"),
        (1e20, "100000000000000000000"),
    ],
)
def test_numbers_are_written_plainly(value: float, text: str) -> None:
    """No exponent, no trailing zeros, no negative zero."""
    assert number_of(value) == text


def test_maps_have_the_names_of_the_columns() -> None:
    """Only the pose has visibility, and names may come in any order."""
    hand, pose = (np.ones((1, columns), np.float32) for columns in (3, 4))
    assert list(encode(hand)[0]["M"]) == ["x", "y", "z"]
    assert list(encode(pose)[0]["M"]) == ["x", "y", "z", "visibility"]
    shuffled = [{"M": {name: {"N": str(ord(name[0]))} for name in ("visibility", *"zyx")}}]
    assert decode({POSE.name: shuffled}, None)[POSE.name].tolist() == [[120, 121, 122, 118]]


@pytest.mark.parametrize("attribute", ATTRIBUTES.values())
def test_each_attribute_reads_bytes_and_maps(attribute: type[LandmarksAttribute]) -> None:
    """Any other type is an error."""
    reader = attribute(HAND)
    assert reader.deserialize(reader.get_value({"B": b"bytes"})) == b"bytes"
    assert reader.deserialize(reader.get_value({"L": [{"M": {}}]})) == [{"M": {}}]
    with pytest.raises(AttributeDeserializationError):
        reader.get_value({"S": "an application's own"})


def in_16_bits(*groups: tuple[Group, FloatArray]) -> dict[str, bytes]:
    """Return groups as stored."""
    return {group.name: Int16Attribute(group).serialize(array) for group, array in groups}


@given(
    arrays(np.float32, (33, 3), elements=st.floats(-7.9375, 7.9375, width=32)),
    arrays(np.float32, (33, 1), elements=st.floats(0, 1, width=32)),
)
def test_int16_is_off_by_half_a_step(places: FloatArray, visibility: FloatArray) -> None:
    """Read-only float32 again, and whether a landmark is visible does not change."""
    array = np.hstack((places, visibility))

    read = decode(in_16_bits((POSE, array)), "int16")[POSE.name]

    assert (read.dtype, read.shape) == (np.dtype("<f4"), (33, 4))
    assert not read.flags.writeable
    np.testing.assert_allclose(read[:, :3], places, rtol=0, atol=0.5 / 4096)
    np.testing.assert_allclose(read[:, 3:], visibility, rtol=0, atol=0.5001 / 32767)
    assert ((read[:, 3] >= VISIBLE) == (array[:, 3] >= VISIBLE)).all()


@pytest.mark.parametrize(
    ("value", "hand", "pose"),
    [
        (0.0, 0.0, 0.0),
        (1.0, 1.0, 1.0),
        (-1 / 4096, -1 / 4096, -1 / 4096),
        (1 / 16384, 1 / 16384, 0.0),
        (1.99999, 2 - 1 / 16384, 2.0),
        (2.5, 2 - 1 / 16384, 2.5),
        (-7.0, -2.0, -7.0),
        (8.0, 2 - 1 / 16384, 8 - 1 / 4096),
        (-1e30, -2.0, -8.0),
        (LARGEST, 2 - 1 / 16384, 8 - 1 / 4096),
    ],
)
def test_int16_clips_and_never_wraps(value: float, hand: float, pose: float) -> None:
    """The sign stays, however far outside a landmark is."""
    for group, expected in ((HAND, hand), (FACE, hand), (POSE, pose)):
        array = np.full((group.points[0], len(group.columns)), value, np.float32)
        read = decode(in_16_bits((group, array)), "int16")[group.name]
        assert read[:, :3].tolist() == np.full((len(array), 3), expected).tolist()


def test_int16_has_the_documented_bytes() -> None:
    """Little-endian, row by row; world landmarks have no visibility of their own."""
    pose = np.tile(np.array([[0.5, -0.25, 1.0, 1.0]], np.float32), (33, 1))

    stored = in_16_bits((POSE, pose), (WORLD, pose))

    assert stored[POSE.name] == bytes.fromhex("0008 00fc 0010 ff7f") * 33
    assert stored[WORLD.name] == bytes.fromhex("0020 00f0 0040") * 33
    assert decode(stored, "int16")[WORLD.name].tolist() == pose.tolist()


@pytest.mark.parametrize(
    ("stored", "encoding", "reason"),
    [
        ({POSE.name: bytes(264)}, None, "cannot reshape"),
        ({FACE.name: bytes(2808)}, None, "face_landmarks has 234 landmarks: is `encoding` missing"),
        ({POSE.name: bytes(528)}, "int16", "66 landmarks"),
        ({HAND.name: bytes(126)}, None, "buffer size must be a multiple"),
        ({WORLD.name: bytes(198)}, "int16", "visibility of pose_world_landmarks is that of pose"),
        ({POSE.name: bytes(528)}, "int12", "encoding='int12' is unknown"),
    ],
)
def test_bytes_of_another_encoding_are_an_error(
    stored: dict[str, bytes], encoding: str | None, reason: str
) -> None:
    """Lengths are checked, but the encoding is never guessed from them."""
    with pytest.raises(ValueError, match=reason):
        decode(stored, encoding)


def test_every_encoding_has_an_attribute() -> None:
    """And writes DynamoDB's type of it."""
    assert {name: kind.attr_type for name, kind in ATTRIBUTES.items()} == {
        LandmarkEncoding.BINARY: "B",
        LandmarkEncoding.INT16: "B",
        LandmarkEncoding.MAPS: "L",
    }
