"""Fixed values in the results table. Needs neither PynamoDB nor NumPy."""

from enum import StrEnum
from typing import Final

DETECTED: Final = "detected"
NOT_DETECTED: Final = "not_detected"
FAILED: Final = "failed"


class LandmarkEncoding(StrEnum):
    """How groups of landmarks are written. Readers understand every encoding.

    Attributes:
        BINARY: raw float32 bytes, exact.
        INT16: fixed-point numbers of 16 bits, half the size. Off by at most an eighth of a
            thousandth of the image's width or height.
        MAPS: a list of maps, `{"x": …, "y": …, "z": …}`, rounded to six decimals. DynamoDB
            expressions can use every number.
    """

    BINARY = "binary"
    INT16 = "int16"
    MAPS = "maps"
