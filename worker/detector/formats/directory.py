"""TIFF's directories: reads the entries of a classic TIFF or a BigTIFF, and writes classic ones."""

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from landmarks.errors import CorruptImageError, UnsupportedFormatError

BYTES, SHORT, LONG, RATIONAL = 7, 3, 4, 5  # types of values

_ORDERS: Final = {b"II": "<", b"MM": ">"}
_CLASSIC, _BIG = 42, 43
_CODES: Final = {1: "B", SHORT: "H", LONG: "I", 13: "I", 16: "Q", 18: "Q"}  # of integers
_SIZES: Final = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 13: 4, 16: 8, 17: 8, 18: 8}

MAX_ENTRIES = 4096  # photos have 20 to 100
MAX_VALUES = 262_144


@dataclass(slots=True)
class Directory:
    """The first directory of a file.

    Attributes:
        content: the file.
        order: the byte order, in the language of `struct`.
        entries: by tag, the type, the number of values, and where they start.
        end: where the part of the file ends that has been read.
    """

    content: bytes
    order: str
    entries: dict[int, tuple[int, int, int]] = field(default_factory=dict)
    end: int = 0

    def __contains__(self, tag: int) -> bool:
        """Tell whether there is an entry."""
        return tag in self.entries

    def integers(self, tag: int, *default: int) -> tuple[int, ...]:
        """Return an entry's values, or the default if it is missing or of another type."""
        kind, count, _ = self.entries.get(tag, (0, 0, 0))
        if kind not in _CODES or not count:
            return default
        return struct.unpack(f"{self.order}{count}{_CODES[kind]}", self.data(tag))

    def integer(self, tag: int, default: int) -> int:
        """Return an entry's first value."""
        return self.integers(tag, default)[0]

    def data(self, tag: int) -> bytes:
        """Return an entry's values as stored; empty if it is missing or of an unknown type."""
        kind, count, start = self.entries.get(tag, (BYTES, 0, 0))
        if count > MAX_VALUES:
            raise UnsupportedFormatError(f"the TIFF file's tag {tag} has {count} values")
        end = start + count * _SIZES.get(kind, 0)
        if end > len(self.content):
            raise CorruptImageError(f"the TIFF file's tag {tag} extends beyond the file")
        self.end = max(self.end, end)
        return self.content[start:end]


def read_directory(content: bytes) -> Directory:
    """Read the first directory.

    Raises:
        CorruptImageError: it extends beyond the file.
        UnsupportedFormatError: it has more than MAX_ENTRIES entries.
    """
    order = _ORDERS[content[:2]]
    is_big = struct.unpack_from(order + "H", content, 2)[0] == _BIG
    head, number, entry = ("8xQ", "Q", "HHQ") if is_big else ("4xI", "H", "HHI")
    directory = Directory(content, order)
    try:
        (at,) = struct.unpack_from(order + head, content)
        (count,) = struct.unpack_from(order + number, content, at)
        at += struct.calcsize(order + number)
        if count > MAX_ENTRIES:
            raise UnsupportedFormatError(f"the TIFF file has {count} tags, more than {MAX_ENTRIES}")
        for _ in range(count):
            tag, kind, values = struct.unpack_from(order + entry, content, at)
            at += struct.calcsize(order + entry)
            inline = struct.calcsize("Q" if is_big else "I")
            (start,) = struct.unpack_from(order + ("Q" if is_big else "I"), content, at)
            if values * _SIZES.get(kind, 0) <= inline:
                start = at
            at += inline
            directory.entries.setdefault(tag, (kind, values, start))
    except (struct.error, OverflowError):  # beyond the end, or beyond what an offset can be
        raise CorruptImageError("the TIFF file's directory extends beyond its end") from None
    directory.end = at
    return directory


Value = tuple[int, Sequence[int] | bytes]


def write_directory(directory: Directory, entries: Mapping[int, Value], end: int) -> bytes:
    """Return the file up to `end` as a classic TIFF with only these entries.

    What the entries don't mention is still there, but a decoder doesn't look at it.
    """
    order = directory.order
    start = end + end % 2
    values_at = start + 2 + 12 * len(entries) + 4
    head, values = [struct.pack(order + "H", len(entries))], []
    for tag, (kind, numbers) in sorted(entries.items()):
        packed, count = _packed(order, kind, numbers)
        inline = packed.ljust(4, b"\0")
        if len(packed) > 4:  # noqa: PLR2004 - the size of an offset
            inline = struct.pack(order + "I", values_at)
            values.append(packed + bytes(len(packed) % 2))
            values_at += len(values[-1])
        head.append(struct.pack(order + "HHI4s", tag, kind, count, inline))
    first = directory.content[:2] + struct.pack(order + "HI", _CLASSIC, start)
    body = directory.content[len(first) : end] + bytes(end % 2)
    return b"".join((first, body, *head, bytes(4), *values))


def _packed(order: str, kind: int, numbers: Iterable[int] | bytes) -> tuple[bytes, int]:
    """Return values as stored, and their number."""
    if isinstance(numbers, bytes):
        return numbers, len(numbers) // _SIZES[kind]
    values = tuple(numbers)
    return struct.pack(f"{order}{len(values)}{_CODES[kind]}", *values), len(values)
