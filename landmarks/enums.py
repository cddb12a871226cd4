"""The fixed words of the table: plain strings, without PynamoDB or NumPy."""

from enum import StrEnum
from typing import Final

DETECTED: Final = "detected"


NOT_DETECTED: Final = "not_detected"


FAILED: Final = "failed"


class LandmarkEncoding(StrEnum):
    """How groups of landmarks are written; readers understand all of them.

    Attributes:
        BINARY: the bytes of the numbers: small, and exact to the last bit.
        MAPS: a list of maps, `{"x": …, "y": …, "z": …}`, six decimals: DynamoDB's own
            expressions reach every number.
    """

    BINARY = "binary"
    MAPS = "maps"
