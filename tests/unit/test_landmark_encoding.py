"""Landmarks as lists of maps, with numbers rounded to six decimals."""

import re
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from pynamodb.exceptions import AttributeDeserializationError

from landmarks.encoding import LandmarkMapsAttribute, LandmarksAttribute
from landmarks.groups import XYZ, XYZV, FloatArray

FINITE = st.floats(width=32, allow_nan=False, allow_infinity=False)
LARGEST = float(np.finfo(np.float32).max)

# A number that DynamoDB and all readers accept: no exponent, no "-0", no trailing zeros.
PLAIN = re.compile(r"0|-?(0|[1-9][0-9]*)\.[0-9]{0,5}[1-9]|-?[1-9][0-9]*")


def encode(array: FloatArray) -> list[dict[str, Any]]:
    """Return a group as stored in the item."""
    encoded: list[dict[str, Any]] = LandmarkMapsAttribute(XYZV[: array.shape[1]]).serialize(array)
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
    for columns in (XYZ, XYZV):
        array = np.resize(numbers, (7, len(columns)))
        attribute = LandmarkMapsAttribute(columns)

        read = attribute.deserialize(attribute.get_value({"L": attribute.serialize(array)}))

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
    shuffled = {"L": [{"M": {name: {"N": str(ord(name[0]))} for name in ("visibility", *"zyx")}}]}
    attribute = LandmarksAttribute(XYZV)
    assert attribute.deserialize(attribute.get_value(shuffled)).tolist() == [[120, 121, 122, 118]]


@pytest.mark.parametrize("attribute", [LandmarksAttribute, LandmarkMapsAttribute])
def test_each_encoding_reads_the_other(attribute: type[LandmarksAttribute]) -> None:
    """Any other type is an error."""
    array = np.arange(12, dtype=np.float32).reshape(4, 3)
    for stored in ({"B": array.tobytes()}, {"L": encode(array)}):
        reader = attribute(XYZ)
        np.testing.assert_array_equal(reader.deserialize(reader.get_value(stored)), array)
    with pytest.raises(AttributeDeserializationError):
        attribute(XYZ).get_value({"S": "an application's own"})
