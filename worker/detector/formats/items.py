"""The items of HEIF and AVIF files: where their data are, and what describes them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from landmarks.errors import CorruptImageError, UnsupportedFormatError
from worker.detector.formats.boxes import Box, Reader, by_kind

MAX_ITEMS = 1000  # as in libheif; 200 megapixels have 768 tiles
MAX_EXTENTS = 32  # as in libheif

_NUMBER_BYTES = {2: 2, 3: 4}  # by the version of `infe`


@dataclass(slots=True)
class Item:
    """An item of the file, such as an image, a tile or metadata.

    Attributes:
        kind: its codec, or how it is derived from others.
        kind_at: where the file says so.
        encrypted: whether it is.
        extents: where each part of its data starts and ends in the file.
        properties: what describes it, in order.
        parts: numbers of the items that it is derived from.
    """

    kind: bytes = b""
    kind_at: int = 0
    encrypted: bool = False
    extents: list[tuple[int, int]] = field(default_factory=list)
    properties: list[Box] = field(default_factory=list)
    parts: list[int] = field(default_factory=list)

    def property(self, kind: bytes) -> Box:
        """Return the first property of a type."""
        for box in self.properties:
            if box.kind == kind:
                return box
        raise CorruptImageError(f"the HEIF file has an image without {kind.decode()}")


def read_items(content: bytes, meta: Box) -> tuple[Item, Mapping[int, Item]]:
    """Read the `meta` box.

    Returns:
        the primary item, and all by number.

    Raises:
        ImageError: it is damaged, or has more of something than is allowed.
    """
    reader = Reader(content, meta.start, meta.end)
    reader.version()
    boxes = by_kind(reader.boxes())
    items = _read_types(_body(reader, boxes, b"iinf"))
    _read_locations(_body(reader, boxes, b"iloc"), items, boxes.get(b"idat"))
    _read_properties(reader, boxes, items)
    if b"iref" in boxes:
        _read_references(reader.of(boxes[b"iref"]), items)
    primary = _body(reader, boxes, b"pitm")
    return find(items, primary.number(2 if primary.version() == 0 else 4)), items


def find(items: Mapping[int, Item], number: int) -> Item:
    """Return an item that must be there."""
    if number not in items:
        raise CorruptImageError(f"the HEIF file has no item {number}")
    return items[number]


def _body(reader: Reader, boxes: Mapping[bytes, Box], kind: bytes) -> Reader:
    """Return a reader of a box that must be there."""
    if kind not in boxes:
        raise CorruptImageError(f"the HEIF file has no {kind.decode()} box")
    return reader.of(boxes[kind])


def _read_types(reader: Reader) -> dict[int, Item]:
    items: dict[int, Item] = {}
    reader.take(2 if reader.version() == 0 else 4)  # how many there are
    for box in reader.boxes():
        entry = reader.of(box)
        version = entry.version()
        if version not in _NUMBER_BYTES:  # it has no type
            continue
        number = entry.number(_NUMBER_BYTES[version])
        encrypted, at = entry.number(2) != 0, entry.at
        item = Item(entry.take(4), at, encrypted)
        if items.setdefault(number, item) is not item:
            raise CorruptImageError(f"the HEIF file has two items {number}")
    if len(items) > MAX_ITEMS:
        raise UnsupportedFormatError(f"the HEIF file has {len(items)} items, more than {MAX_ITEMS}")
    return items


def _read_locations(reader: Reader, items: Mapping[int, Item], idat: Box | None) -> None:
    version, sizes = reader.version(), reader.number(2)
    offset_bytes, length_bytes, base_bytes, index_bytes = (sizes >> n & 15 for n in (12, 8, 4, 0))
    number_bytes = 2 if version < 2 else 4  # noqa: PLR2004 - a version
    starts = {0: 0} | ({1: idat.start} if idat else {})
    for _ in range(_count(reader.number(number_bytes), MAX_ITEMS, "locations")):
        item = items.get(reader.number(number_bytes), Item())
        start = starts.get(reader.number(2) & 15 if version else 0)
        in_this_file = reader.number(2) == 0
        base = reader.number(base_bytes)
        for _ in range(_count(reader.number(2), MAX_EXTENTS, "extents")):
            reader.take(index_bytes if version else 0)
            offset, length = base + reader.number(offset_bytes), reader.number(length_bytes)
            if in_this_file and start is not None:
                item.extents.append((start + offset, start + offset + length))


def _read_properties(reader: Reader, boxes: Mapping[bytes, Box], items: Mapping[int, Item]) -> None:
    inner = list(_body(reader, boxes, b"iprp").boxes())
    properties = [entry for box in inner if box.kind == b"ipco" for entry in reader.of(box).boxes()]
    versions = set()
    for box in inner:
        if box.kind == b"ipma":
            entries = reader.of(box)
            version = entries.number(1), entries.number(3)
            if version in versions:
                raise CorruptImageError("the HEIF file has two ipma boxes of the same version")
            versions.add(version)
            _associate(entries, version, properties, items)


def _associate(
    entries: Reader, version: tuple[int, int], properties: Sequence[Box], items: Mapping[int, Item]
) -> None:
    """Give the items their properties."""
    number_bytes, wide_index = 4 if version[0] else 2, version[1] & 1
    for _ in range(_count(entries.number(4), MAX_ITEMS, "descriptions")):
        item = items.get(entries.number(number_bytes), Item())
        for _ in range(entries.number(1)):
            # The upper bit says that readers have to understand it.
            index = entries.number(2) & 0x7FFF if wide_index else entries.number(1) & 0x7F
            if index > len(properties):
                raise CorruptImageError(f"the HEIF file has no property {index}")
            if index:
                item.properties.append(properties[index - 1])


def _read_references(reader: Reader, items: Mapping[int, Item]) -> None:
    """Read what items are derived from."""
    number_bytes = 2 if reader.version() == 0 else 4
    for box in reader.boxes():
        if box.kind == b"dimg":
            entry = reader.of(box)
            item = items.get(entry.number(number_bytes), Item())
            count = _count(entry.number(2), MAX_ITEMS, "tiles")
            item.parts = [entry.number(number_bytes) for _ in range(count)]


def _count(number: int, most: int, what: str) -> int:
    if number > most:
        raise UnsupportedFormatError(f"the HEIF file has {number} {what}, more than {most}")
    return number
