"""What a child's segmentation mask may be: the parent's side, which decodes nothing."""

from dataclasses import dataclass
from typing import Final

from landmarks.errors import ImageError
from worker.detector.formats import png
from worker.detector.header import MAX_SIDE_PIXELS

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"


_GREY_8_BIT: Final = (8, 0)  # depth, colour


# Of an image that is reduced; `decode.py` may round twice on the way.
_ROUNDING_PIXELS: Final = 2


@dataclass(frozen=True, slots=True)
class MaskBounds:
    """The masks that an honest child may answer.

    Attributes:
        max_image_pixels: larger images are not decoded.
        max_image_side: of what MediaPipe is shown, in pixels; None if nothing is reduced.
    """

    max_image_pixels: int
    max_image_side: int | None

    @property
    def max_bytes(self) -> int:
        """The longest file that any image may have for a mask."""
        side = self.max_image_side or MAX_SIDE_PIXELS
        return _file_bytes(min(self.max_image_pixels, side * side) + side)

    def flaw(self, mask: bytes, width: int, height: int) -> str | None:
        """Why a file can't be the mask of an image; None if it can.

        Args:
            mask: the file.
            width: of the upright image, in pixels.
            height: of the upright image, in pixels.
        """
        if not mask.startswith(_SIGNATURE):
            return "no PNG"
        try:
            header = png.read_header(mask)
            _, _, length = png.walk(mask)
        except ImageError as error:
            return str(error)
        if (header.depth, header.colour) != _GREY_8_BIT:
            return "not of 8-bit grey values"
        if not self._is_shown_size((header.width, header.height), (width, height)):
            return f"{header.width} x {header.height} pixels for an image of {width} x {height}"
        if length != len(mask) or length > _file_bytes((header.width + 1) * header.height):
            return f"{len(mask)} bytes for {header.width} x {header.height} pixels"
        return None

    def _is_shown_size(self, found: tuple[int, int], image: tuple[int, int]) -> bool:
        """Whether MediaPipe may have been shown the image in this size."""
        longest = max(image)
        if self.max_image_side is None or longest <= self.max_image_side:
            return found == image
        scale = self.max_image_side / longest
        return max(found) == self.max_image_side and all(
            abs(side - whole * scale) <= _ROUNDING_PIXELS
            for side, whole in zip(found, image, strict=True)
        )


def _file_bytes(row_bytes: int) -> int:
    """The longest PNG of so many bytes in its rows, which have one more than pixels each.

    zlib stores what it can't make smaller: 5 bytes more for 16 kB. libpng puts 12 around
    each 8 kB of that, which makes 0.2 %, and 0.1 kB around it all.
    """
    return row_bytes + row_bytes // 256 + 1024
