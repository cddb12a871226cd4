"""The size of an item, as DynamoDB charges for it.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
"""

from base64 import b64decode
from collections.abc import Mapping
from math import ceil
from typing import Any, Final

_WRITE_UNIT_BYTES: Final = 1024


def write_units(item: Mapping[str, Any]) -> int:
    """Write units of one put of an item, given as DynamoDB's JSON."""
    return ceil(item_bytes(item) / _WRITE_UNIT_BYTES)


def item_bytes(item: Mapping[str, Any]) -> int:
    """The size of an item: names and values."""
    return sum(len(name.encode()) + value_bytes(value) for name, value in item.items())


def value_bytes(value: Mapping[str, Any]) -> int:
    """The size of a value; binary may be bytes or base64."""
    match value:
        case {"S": str(text)}:
            return len(text.encode())
        case {"B": bytes() | str() as binary}:
            return len(binary if isinstance(binary, bytes) else b64decode(binary))
        case {"N": str(number)}:
            digits = len(number.lower().partition("e")[0].replace(".", "").strip("-0"))
            return (digits + 1) // 2 + 1 + number.startswith("-")
        case {"M": dict(parts)}:
            return 3 + len(parts) + item_bytes(parts)
        case {"L": list(elements)}:
            return 3 + len(elements) + sum(map(value_bytes, elements))
        case _:
            return 1
