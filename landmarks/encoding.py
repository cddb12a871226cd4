"""PynamoDB attributes for groups of landmarks and for named tuples."""

import json
from collections.abc import Collection, Mapping
from typing import Any, Final, TypeVar

import numpy as np
from pynamodb.attributes import Attribute
from pynamodb.constants import BINARY, BOOLEAN, LIST, MAP, NUMBER, STRING

from landmarks.enums import LandmarkEncoding
from landmarks.groups import GROUPS, FloatArray, Group

# In an image of 10,000 pixels, six decimals are a hundredth of a pixel.
DECIMALS: Final = 6

# From here on, float32 has no decimals, and six of them could exceed DynamoDB's 38 digits.
_WHOLE: Final = float(2**23)

# Steps in a unit of each stored column, by group. Powers of two are exact in float32. The pose may
# lie far outside the image; its visibility is 0 to 1. The visibility of world landmarks is always
# that of the pose, so it is not stored again.
_INT16_SCALE: Final = (2**14,) * 3
_INT16_SCALES: Final = {"pose_landmarks": (2**12, 2**12, 2**12, 2**15 - 1)}

Fields = TypeVar("Fields", bound=tuple[object, ...])


class LandmarksAttribute(Attribute[FloatArray]):
    """A group of landmarks, written as little-endian float32 values, row by row.

    Reads the stored bytes or list, which `decode` turns into an array: only the item knows its
    encoding.
    """

    attr_type = BINARY

    def __init__(self, group: Group) -> None:
        super().__init__(null=True)
        self._group = group

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


class Int16Attribute(LandmarksAttribute):
    """A group of landmarks, written as little-endian 16-bit fixed-point numbers, row by row."""

    def serialize(self, value: FloatArray) -> Any:  # noqa: ANN401, bytes or a list
        """Return the bytes of an array of shape (n, columns), clipped to what 16 bits hold."""
        scales = _INT16_SCALES.get(self._group.name, _INT16_SCALE)
        numbers = np.rint(value[:, : len(scales)].astype(np.float64) * scales)
        limits = np.iinfo(np.int16)
        return np.clip(numbers, limits.min, limits.max).astype("<i2").tobytes()


class LandmarkMapsAttribute(LandmarksAttribute):
    """A group of landmarks, written as a list of maps."""

    attr_type = LIST

    def serialize(self, value: FloatArray) -> Any:  # noqa: ANN401, bytes or a list
        """Return a map for each row of an array of shape (n, columns)."""
        return [
            {MAP: dict(zip(self._group.columns, map(_number, row), strict=True))}
            for row in value.tolist()
        ]


ATTRIBUTES: Final[Mapping[LandmarkEncoding, type[LandmarksAttribute]]] = {
    LandmarkEncoding.BINARY: LandmarksAttribute,
    LandmarkEncoding.INT16: Int16Attribute,
    LandmarkEncoding.MAPS: LandmarkMapsAttribute,
}


def decode(stored: Mapping[str, Any], encoding: str | None) -> dict[str, FloatArray]:
    """Return the groups of a person as read-only float32 arrays of shape (n, columns).

    Args:
        stored: by group name, bytes or a list of maps in DynamoDB's JSON.
        encoding: the item's attribute of that name; None for float32 and maps.

    Raises:
        ValueError: bytes are not the landmarks of a group, or the encoding is unknown.
    """
    if encoding not in (None, LandmarkEncoding.INT16):
        raise ValueError(f"encoding={encoding!r} is unknown: a newer version wrote this item")
    found: dict[str, FloatArray] = {}
    for group in GROUPS:
        value = stored.get(group.name)
        if isinstance(value, bytes):
            values = _float32(value) if encoding is None else _from_int16(value, group, found)
            array = values.reshape(-1, len(group.columns))
            if len(array) not in group.points:
                raise ValueError(f"{group.name} has {len(array)} landmarks: is `encoding` missing?")
        elif value is not None:
            rows = [[float(point[MAP][name][NUMBER]) for name in group.columns] for point in value]
            array = np.array(rows, dtype="<f4").reshape(-1, len(group.columns))
        else:
            continue
        array.flags.writeable = False
        found[group.name] = array
    return found


def _float32(value: bytes) -> FloatArray:
    return np.frombuffer(value, dtype="<f4")


def _from_int16(value: bytes, group: Group, found: Mapping[str, FloatArray]) -> FloatArray:
    """Decode one group; `found` has those before it in `GROUPS`, and so the pose."""
    scales = _INT16_SCALES.get(group.name, _INT16_SCALE)
    numbers = np.frombuffer(value, dtype="<i2").reshape(-1, len(scales))
    array: FloatArray = numbers / np.array(scales, dtype="<f4")
    if group.name != "pose_world_landmarks":
        return array
    if "pose_landmarks" not in found:
        raise ValueError("the visibility of pose_world_landmarks is that of pose_landmarks")
    return np.column_stack((array, found["pose_landmarks"][:, 3]))


def _number(number: float) -> Mapping[str, str]:
    """Format a float32 for DynamoDB: no exponent, no trailing zeros, no negative zero."""
    if abs(number) >= _WHOLE:
        return {NUMBER: np.format_float_positional(np.float32(number), trim="-")}
    text = f"{number:.{DECIMALS}f}".rstrip("0").rstrip(".")
    return {NUMBER: "0" if text == "-0" else text}


class TupleAttribute(Attribute[Fields]):
    """A named tuple of strings, numbers and booleans, stored as a map.

    Args:
        kind: the named tuple's class. Fields that are None are left out.
        null: whether items may lack the attribute.
        sparse: names of fields that are left out if they have their default value.
    """

    attr_type = MAP

    def __init__(
        self, kind: type[Fields], *, null: bool = False, sparse: Collection[str] = ()
    ) -> None:
        super().__init__(null=null)
        self._kind = kind
        self._defaults: Mapping[str, object] = kind._field_defaults  # type: ignore[attr-defined]
        self._left_out = {name: self._defaults[name] for name in sparse}

    def serialize(self, value: Fields) -> dict[str, dict[str, Any]]:
        """Return the named tuple as a map."""
        fields: dict[str, object] = value._asdict()  # type: ignore[attr-defined]
        return {
            name: _typed(field)
            for name, field in fields.items()
            if field is not None and (name not in self._left_out or field != self._left_out[name])
        }

    def deserialize(self, value: Mapping[str, Mapping[str, Any]]) -> Fields:
        """Return the named tuple.

        Missing fields have their default, or else are None; unknown ones are ignored.
        """
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
