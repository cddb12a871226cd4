"""The parent's check of a child's segmentation mask; nothing is decoded."""

from dataclasses import dataclass
from typing import Final

from landmarks.errors import ImageError
from worker.detector.formats import png
from worker.detector.header import MAX_SIDE_PIXELS

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_GREY_8_BIT: Final = (8, 0)  # depth, colour type

# `decode.py` may round twice when it reduces an image.
_ROUNDING_PIXELS: Final = 2


@dataclass(frozen=True, slots=True)
class MaskBounds:
    """Bounds for the masks of images.

    Attributes:
        max_image_pixels: larger images are not decoded.
        max_image_side: what longer sides are reduced to, in pixels; None if they are not.
    """

    max_image_pixels: int
    max_image_side: int | None

    @property
    def max_bytes(self) -> int:
        """The largest file that any mask may be."""
        side = self.max_image_side or MAX_SIDE_PIXELS
        return _file_bytes(min(self.max_image_pixels, side * side) + side)

    def flaw(self, mask: bytes, width: int, height: int) -> str | None:
        """Why a file can't be an image's mask; None if it can.

        Args:
            mask: the file.
            width: of the upright image, in pixels.
            height: of the upright image, in pixels.
        """
        if not mask.startswith(_SIGNATURE):
            return "not a PNG"
        try:
            header = png.read_header(mask)
            _, _, length = png.walk(mask)
        except ImageError as error:
            return str(error)
        if (header.depth, header.colour) != _GREY_8_BIT:
            return "not 8-bit greyscale"
        if not self._fits((header.width, header.height), (width, height)):
            return f"{header.width} x {header.height} pixels for an image of {width} x {height}"
        if length != len(mask) or length > _file_bytes((header.width + 1) * header.height):
            return f"{len(mask)} bytes for {header.width} x {header.height} pixels"
        return None

    def _fits(self, found: tuple[int, int], image: tuple[int, int]) -> bool:
        """Whether the image may have had this size after reduction."""
        longest = max(image)
        if self.max_image_side is None or longest <= self.max_image_side:
            return found == image
        scale = self.max_image_side / longest
        return max(found) == self.max_image_side and all(
            abs(side - whole * scale) <= _ROUNDING_PIXELS
            for side, whole in zip(found, image, strict=True)
        )


def _file_bytes(row_bytes: int) -> int:
    """The largest PNG for rows of this many bytes in all, one more than pixels in each.

    zlib stores what it can't compress, with 5 bytes more per 16 kB. libpng adds 12 bytes per 8 kB
    of that, which makes 0.2 %, and 0.1 kB for the file.
    """
    return row_bytes + row_bytes // 256 + 1024
