"""HEIF and AVIF files, put together from their boxes, including hostile ones."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

# Pictures of `corners` and of its four colours, encoded with x265: pi-heif only decodes.
_FOLDER = Path(__file__).with_name("heif")
COLOURS = ("red", "green", "blue", "yellow")


def sample(name: str = "corners") -> bytes:
    """Return an ordinary HEIF file: `corners`, `corners-10-bit`, `corners-grey` or a colour."""
    return (_FOLDER / f"{name}.heic").read_bytes()


def box(kind: bytes, *parts: bytes) -> bytes:
    """Return a box."""
    body = b"".join(parts)
    return struct.pack(">I", 8 + len(body)) + kind + body


def full(kind: bytes, *parts: bytes, version: int = 0, flags: int = 0) -> bytes:
    """Return a box with a version and flags."""
    return box(kind, struct.pack(">I", version << 24 | flags), *parts)


def size(width: int, height: int) -> bytes:
    """Return an `ispe` property."""
    return full(b"ispe", struct.pack(">II", width, height))


def irot(quarters: int) -> bytes:
    """Return a rotation anticlockwise."""
    return box(b"irot", bytes((quarters,)))


def imir(axis: int) -> bytes:
    """Return a flip: 0 from top to bottom, 1 from left to right."""
    return box(b"imir", bytes((axis,)))


@dataclass(frozen=True)
class Item:
    """An item of a file: its type, data and properties; `in_idat` says where the data go."""

    kind: bytes
    data: bytes
    properties: tuple[bytes, ...] = ()
    in_idat: bool = False
    protected: int = 0

    def with_properties(self, *more: bytes) -> "Item":
        """Return the item with more properties."""
        return replace(self, properties=(*self.properties, *more))


@cache
def item(content: bytes) -> Item:
    """Return the only item of an encoded file, with its size and configuration."""
    kind, configuration = (b"av01", b"av1C") if b"av1C" in content else (b"hvc1", b"hvcC")
    properties = []
    for name in (configuration, b"ispe"):
        at = content.index(name) - 4
        properties.append(content[at : at + int.from_bytes(content[at : at + 4])])
    return Item(kind, content[content.rindex(b"mdat") + 4 :], tuple(properties))


def grid_item(columns: int, rows: int, width: int, height: int) -> Item:
    """Return the item that describes a grid of tiles."""
    shape = struct.pack(">BBBBHH", 0, 0, rows - 1, columns - 1, width, height)
    return Item(b"grid", shape, (size(width, height),), in_idat=True)


def reference(kind: bytes, source: int, *targets: int) -> bytes:
    """Return a reference from an item to others."""
    return box(kind, struct.pack(f">HH{len(targets)}H", source, len(targets), *targets))


def grid(tiles: Sequence[Item], columns: int, width: int, height: int, *more: bytes) -> bytes:
    """Return a file whose primary item is a grid of these tiles."""
    whole = grid_item(columns, len(tiles) // columns, width, height).with_properties(*more)
    links = reference(b"dimg", 1, *range(2, 2 + len(tiles)))
    return file(whole, *tiles, references=links)


def file(
    *items: Item,
    primary: int = 1,
    brand: bytes | None = None,
    references: bytes = b"",
    extra: bytes = b"",
    before: bytes = b"",
) -> bytes:
    """Return a file of these items, which are numbered from 1.

    Args:
        items: the items.
        primary: number of the primary item.
        brand: major brand; by default that of the first coded item.
        references: boxes in `iref`.
        extra: boxes in `meta`.
        before: boxes before `meta`.
    """
    if brand is None:
        brand = b"avif" if any(one.kind == b"av01" for one in items) else b"heic"
    start = box(b"ftyp", brand, bytes(4), b"mif1", brand) + before
    links = full(b"iref", references) if references else b""
    rest = full(b"pitm", struct.pack(">H", primary)) + _types(items) + _properties(items)
    inner = b"".join(one.data for one in items if one.in_idat)
    rest += links + (box(b"idat", inner) if inner else b"") + extra
    head = full(b"hdlr", bytes(4), b"pict", bytes(13)) + rest
    in_file = len(start) + 8 + 4 + len(head) + len(_locations(items, 0)) + 8
    meta = full(b"meta", head, _locations(items, in_file))
    return start + meta + box(b"mdat", *dict.fromkeys(_data(items)))


def _data(items: Sequence[Item]) -> list[bytes]:
    return [one.data for one in items if not one.in_idat]


def _types(items: Sequence[Item]) -> bytes:
    entries = (
        full(b"infe", struct.pack(">HH", number, one.protected), one.kind, b"\0", version=2)
        for number, one in enumerate(items, 1)
    )
    return full(b"iinf", struct.pack(">H", len(items)), *entries)


def _properties(items: Sequence[Item]) -> bytes:
    distinct = list(dict.fromkeys(p for one in items for p in one.properties))
    entries = []
    for number, one in enumerate(items, 1):
        # libavif insists on what has to be understood: all but the size.
        essential = (0 if b"ispe" in p else 0x80 for p in one.properties)
        indices = bytes(
            distinct.index(p) + 1 | e for p, e in zip(one.properties, essential, strict=True)
        )
        entries.append(struct.pack(">HB", number, len(indices)) + indices)
    associations = full(b"ipma", struct.pack(">I", len(items)), *entries)
    return box(b"iprp", box(b"ipco", *distinct), associations)


def _locations(items: Sequence[Item], start: int) -> bytes:
    """Return `iloc`; equal data are stored once."""
    places, at, at_idat, entries = dict[bytes, int](), start, 0, []
    for number, one in enumerate(items, 1):
        if one.in_idat:
            offset, at_idat = at_idat, at_idat + len(one.data)
        else:
            offset = places.setdefault(one.data, at)
            at += len(one.data) if offset == at else 0
        where = (number, int(one.in_idat), 0, 1, offset, len(one.data))
        entries.append(struct.pack(">HHHHII", *where))
    return full(b"iloc", b"\x44\0", struct.pack(">H", len(items)), *entries, version=1)
