"""PynamoDB attributes for groups of landmarks and for named tuples."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar

import numpy as np
from pynamodb.attributes import Attribute
from pynamodb.constants import BINARY, BOOLEAN, LIST, MAP, NUMBER, STRING

from landmarks.enums import LandmarkEncoding
from landmarks.groups import FloatArray

# In an image of 10,000 pixels, six decimals are a hundredth of a pixel.
DECIMALS: Final = 6

# From here on, float32 has no decimals, and six of them could exceed DynamoDB's 38 digits.
_WHOLE: Final = float(2**23)

Fields = TypeVar("Fields", bound=tuple[object, ...])


class LandmarksAttribute(Attribute[FloatArray]):
    """A group of landmarks. Reads bytes and lists of maps; writes bytes.

    The bytes are little-endian float32 values, row by row.
    """

    attr_type = BINARY

    def __init__(self, columns: Sequence[str]) -> None:
        super().__init__(null=True)
        self._columns = columns

    def get_value(self, value: dict[str, Any]) -> Any:  # noqa: ANN401, bytes or a list
        """Return the stored value, which is bytes or a list.

        Raises:
            AttributeDeserializationError: it is neither bytes nor a list.
        """
        for kind in (BINARY, LIST):
            if kind in value:
                return value[kind]
        return super().get_value(value)

    def serialize(self, value: FloatArray) -> Any:  # noqa: ANN401, bytes or a list
        """Return the bytes of an array of shape (n, columns)."""
        return value.astype("<f4").tobytes()

    def deserialize(self, value: bytes | Sequence[Mapping[str, Any]]) -> FloatArray:
        """Return a read-only array of shape (n, columns)."""
        if isinstance(value, bytes):
            return np.frombuffer(value, dtype="<f4").reshape(-1, len(self._columns))
        rows = [[float(point[MAP][name][NUMBER]) for name in self._columns] for point in value]
        array = np.array(rows, dtype="<f4").reshape(-1, len(self._columns))
        array.flags.writeable = False
        return array


class LandmarkMapsAttribute(LandmarksAttribute):
    """A group of landmarks. Reads bytes and lists of maps; writes a list of maps."""

    attr_type = LIST

    def serialize(self, value: FloatArray) -> Any:  # noqa: ANN401, bytes or a list
        """Return a map for each row of an array of shape (n, columns)."""
        return [
            {MAP: dict(zip(self._columns, map(_number, row), strict=True))}
            for row in value.tolist()
        ]


ATTRIBUTES: Final[Mapping[LandmarkEncoding, type[LandmarksAttribute]]] = {
    LandmarkEncoding.BINARY: LandmarksAttribute,
    LandmarkEncoding.MAPS: LandmarkMapsAttribute,
}


def _number(number: float) -> Mapping[str, str]:
    """Format a float32 for DynamoDB: no exponent, no trailing zeros, no negative zero."""
    if abs(number) >= _WHOLE:
        return {NUMBER: np.format_float_positional(np.float32(number), trim="-")}
    text = f"{number:.{DECIMALS}f}".rstrip("0").rstrip(".")
    return {NUMBER: "0" if text == "-0" else text}


class TupleAttribute(Attribute[Fields]):
    """A named tuple of strings, numbers and booleans, stored as a map.

    Fields that have their default value, or None without a default, are left out.
    """

    attr_type = MAP

    def __init__(self, kind: type[Fields], *, null: bool = False) -> None:
        super().__init__(null=null)
        self._kind = kind
        self._defaults: Mapping[str, object] = kind._field_defaults  # type: ignore[attr-defined]

    def serialize(self, value: Fields) -> dict[str, dict[str, Any]]:
        """Return the named tuple as a map."""
        fields: dict[str, object] = value._asdict()  # type: ignore[attr-defined]
        return {
            name: _typed(field)
            for name, field in fields.items()
            if field != self._defaults.get(name)
        }

    def deserialize(self, value: Mapping[str, Mapping[str, Any]]) -> Fields:
        """Return the named tuple. Unknown fields are ignored."""
        kinds = self._kind.__annotations__
        return self._kind(
            **{
                name: _plain(value[name], kind) if name in value else self._defaults.get(name)
                for name, kind in kinds.items()
            }
        )


def _typed(value: object) -> dict[str, Any]:
    if isinstance(value, bool):
        return {BOOLEAN: value}
    return {STRING: value} if isinstance(value, str) else {NUMBER: json.dumps(value)}


def _plain(value: Mapping[str, Any], kind: object) -> Any:  # noqa: ANN401, a field of any type
    if NUMBER not in value:
        return next(iter(value.values()))
    number = json.loads(value[NUMBER])
    return float(number) if kind is float else number  # DynamoDB writes 1.0 as 1
