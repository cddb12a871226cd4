"""Fixed values in the results table. Needs neither PynamoDB nor NumPy."""

from enum import StrEnum
from typing import Final

DETECTED: Final = "detected"
NOT_DETECTED: Final = "not_detected"
FAILED: Final = "failed"


class LandmarkEncoding(StrEnum):
    """How groups of landmarks are written. Readers understand every encoding.

    Attributes:
        BINARY: raw float32 bytes, small and exact.
        MAPS: a list of maps, `{"x": …, "y": …, "z": …}`, rounded to six decimals. DynamoDB
            expressions can use every number.
    """

    BINARY = "binary"
    MAPS = "maps"
