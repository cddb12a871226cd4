"""The table's fixed words, as plain strings that need neither PynamoDB nor NumPy."""

from enum import StrEnum
from typing import Final

DETECTED: Final = "detected"
NOT_DETECTED: Final = "not_detected"
FAILED: Final = "failed"


class LandmarkEncoding(StrEnum):
    """How groups of landmarks are written. Readers understand every encoding.

    Attributes:
        BINARY: the numbers' bytes: small, and exact to the last bit.
        MAPS: a list of maps, `{"x": …, "y": …, "z": …}`, with six decimals: every number is
            within reach of DynamoDB's own expressions.
    """

    BINARY = "binary"
    MAPS = "maps"
