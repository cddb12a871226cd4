"""The names of the forms that landmarks have in the table. Needs neither PynamoDB nor NumPy."""

from enum import StrEnum


class LandmarkEncoding(StrEnum):
    """How groups of landmarks are written; readers understand all of them.

    Attributes:
        BINARY: the bytes of the numbers: small, and exact to the last bit.
        MAPS: a list of maps, `{"x": …, "y": …, "z": …}`, six decimals: DynamoDB's own
            expressions reach every number.
    """

    BINARY = "binary"
    MAPS = "maps"
