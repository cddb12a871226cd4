"""Checks a child's segmentation mask in the parent, without decoding it."""

from dataclasses import dataclass
from typing import Final

from landmarks.errors import ImageError
from worker.detector.formats import png
from worker.detector.header import MAX_SIDE_PIXELS

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_GREY_8_BIT: Final = (8, 0)  # depth, colour type

# Large JPEGs are decoded at a fraction of their sides, rounded up.
_DIVISORS: Final = (1, 2, 4, 8)

# `decode.py` may round twice when it scales an image down.
_ROUNDING_PIXELS: Final = 2


@dataclass(frozen=True, slots=True)
class MaskBounds:
    """Limits for masks.

    Attributes:
        max_pixels: how many pixels a mask may have.
        max_side: maximum side after scaling, in pixels; None without scaling.
    """

    max_pixels: int
    max_side: int | None

    @property
    def max_bytes(self) -> int:
        """The maximum size of a mask file."""
        side = self.max_side or MAX_SIDE_PIXELS
        return _file_bytes(min(self.max_pixels, side * side) + side)

    def flaw(self, mask: bytes, width: int, height: int) -> str | None:
        """Return why a file can't be an image's mask; None if it can.

        Args:
            mask: the file's bytes.
            width: width of the upright image, in pixels.
            height: height of the upright image, in pixels.
        """
        if not mask.startswith(_SIGNATURE):
            return "not a PNG"
        try:
            header = png.read_header(mask)
            walked = png.walk(mask)
        except ImageError as error:
            return str(error)
        if (header.depth, header.colour) != _GREY_8_BIT or walked.decodable:
            return "not a still 8-bit greyscale image"
        if not self._fits((header.width, header.height), (width, height)):
            return f"{header.width} x {header.height} pixels for an image of {width} x {height}"
        length = walked.length_bytes
        if length != len(mask) or length > _file_bytes((header.width + 1) * header.height):
            return f"{len(mask)} bytes for {header.width} x {header.height} pixels"
        return None

    def _fits(self, found: tuple[int, int], image: tuple[int, int]) -> bool:
        """Return whether the image may have had this size after decoding and scaling."""
        return any(
            self._fits_decoded(found, (-(-image[0] // divisor), -(-image[1] // divisor)))
            for divisor in _DIVISORS
        )

    def _fits_decoded(self, found: tuple[int, int], decoded: tuple[int, int]) -> bool:
        longest = max(decoded)
        if self.max_side is None or longest <= self.max_side:
            return found == decoded
        scale = self.max_side / longest
        return max(found) == self.max_side and all(
            abs(side - whole * scale) <= _ROUNDING_PIXELS
            for side, whole in zip(found, decoded, strict=True)
        )


def _file_bytes(row_bytes: int) -> int:
    """Return the maximum size of a PNG whose rows have this many bytes in total.

    Each row has one byte more than pixels. zlib stores incompressible data with 5 extra bytes per
    16 kB; libpng adds 12 bytes per 8 kB of that, 0.2 % in total, and 0.1 kB for the file.
    """
    return row_bytes + row_bytes // 256 + 1024
