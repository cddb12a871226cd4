"""The boxes of ISO base media files (HEIF, AVIF), and the numbers in them."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from landmarks.errors import CorruptImageError, UnsupportedFormatError

# A phone's photo has about 100 in any box.
MAX_BOXES = 2048


class Box(NamedTuple):
    """A box: its type, where it starts, and where its body starts and ends."""

    kind: bytes
    at: int
    start: int
    end: int


class Reader:
    """Reads a part of a file from its start to its end.

    Args:
        content: the whole file.
        start: where the part starts.
        end: where it ends; reading beyond raises CorruptImageError.

    Attributes:
        at: the position of what is read next.
    """

    def __init__(self, content: bytes, start: int, end: int) -> None:
        self._content = content
        self._end = end
        self.at = start

    def of(self, box: Box) -> "Reader":
        """Return a reader of a box's body."""
        return Reader(self._content, box.start, box.end)

    def take(self, size: int) -> bytes:
        """Return the next `size` bytes."""
        start, self.at = self.at, self.at + size
        if self.at > self._end:
            raise CorruptImageError(f"the HEIF box at byte {start} is too short")
        return self._content[start : self.at]

    def number(self, size: int) -> int:
        """Return the next number, which takes `size` bytes."""
        return int.from_bytes(self.take(size))

    def version(self) -> int:
        """Return the version that many boxes begin with, and skip the flags."""
        return self.number(4) >> 24

    def boxes(self) -> Iterator[Box]:
        """Yield the boxes from here to the end."""
        for _ in range(MAX_BOXES):
            if self.at == self._end:
                return
            at = self.at
            size, kind = self.number(4), self.take(4)
            if size == 1:
                size = self.number(8)
            end = at + size if size else self._end  # 0: up to the end
            if not self.at <= end <= self._end:
                raise CorruptImageError(f"the HEIF box at byte {at} extends beyond the file")
            yield Box(kind, at, self.at, end)
            self.at = end
        raise UnsupportedFormatError(f"the HEIF file has more than {MAX_BOXES} boxes in a row")


def by_kind(boxes: Iterable[Box]) -> dict[bytes, Box]:
    """Return boxes of which there may be only one of each type, by their type."""
    found: dict[bytes, Box] = {}
    for box in boxes:
        if found.setdefault(box.kind, box) is not box and box.kind != b"free":
            raise CorruptImageError(f"the HEIF file has two {box.kind.decode('latin-1')} boxes")
    return found
