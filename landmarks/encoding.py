"""Groups of landmarks as attributes of the table: bytes, or a list of maps."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from pynamodb.attributes import Attribute
from pynamodb.constants import BINARY, LIST, MAP, NUMBER

from landmarks.enums import LandmarkEncoding
from landmarks.groups import FloatArray

# A position at 10,000 pixels is exact to a hundredth of one.
DECIMALS: Final = 6


# From here on float32 has no decimals, and would soon need more digits than DynamoDB's 38.
_WHOLE: Final = float(2**23)


class LandmarksAttribute(Attribute[FloatArray]):
    """One group of landmarks. Read in every form, written as bytes.

    The bytes are float32, little-endian, row-major.
    """

    attr_type = BINARY

    def __init__(self, columns: Sequence[str]) -> None:
        """Hold rows of numbers that are called so, in this order."""
        super().__init__(null=True)
        self._columns = columns

    def get_value(self, value: dict[str, Any]) -> Any:  # noqa: ANN401, bytes or a list
        """What stands in the item, of whichever of the two types.

        Raises:
            AttributeDeserializationError: it is neither bytes nor a list.
        """
        for kind in (BINARY, LIST):
            if kind in value:
                return value[kind]
        return super().get_value(value)

    def serialize(self, value: FloatArray) -> Any:  # noqa: ANN401, bytes or a list
        """The bytes of an array of shape (n, columns)."""
        return value.astype("<f4").tobytes()

    def deserialize(self, value: bytes | Sequence[Mapping[str, Any]]) -> FloatArray:
        """A read-only array of shape (n, columns), of either form."""
        if isinstance(value, bytes):
            return np.frombuffer(value, dtype="<f4").reshape(-1, len(self._columns))
        rows = [[float(point[MAP][name][NUMBER]) for name in self._columns] for point in value]
        array = np.array(rows, dtype="<f4").reshape(-1, len(self._columns))
        array.flags.writeable = False
        return array


class LandmarkMapsAttribute(LandmarksAttribute):
    """One group of landmarks. Read in every form, written as a list of maps."""

    attr_type = LIST

    def serialize(self, value: FloatArray) -> Any:  # noqa: ANN401, bytes or a list
        """A map for each row of an array of shape (n, columns)."""
        return [
            {MAP: dict(zip(self._columns, map(_number, row), strict=True))}
            for row in value.tolist()
        ]


ATTRIBUTES: Final[Mapping[LandmarkEncoding, type[LandmarksAttribute]]] = {
    LandmarkEncoding.BINARY: LandmarksAttribute,
    LandmarkEncoding.MAPS: LandmarkMapsAttribute,
}


def _number(number: float) -> Mapping[str, str]:
    """A float32 as DynamoDB's number: no exponent, no zeros at the end, no negative zero."""
    if abs(number) >= _WHOLE:
        return {NUMBER: np.format_float_positional(np.float32(number), trim="-")}
    text = f"{number:.{DECIMALS}f}".rstrip("0").rstrip(".")
    return {NUMBER: "0" if text == "-0" else text}
