"""HEIF and AVIF: walks over the boxes to the primary image, its tiles and their properties.

Both are ISO base media files of the same structure; the codec of the primary image says which of
the two a file is. Of bursts, collections and sequences, the primary image is read.

Only `irot` and `imir` turn an image. The standard tells readers to ignore the orientation in Exif
and XMP, and libheif and browsers do. `clap`, a crop, is left to the decoders: libheif applies it,
browsers and OpenCV don't do so for AVIF.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from landmarks.errors import CorruptImageError, UnsupportedFormatError
from worker.detector.formats import ImageFormat, ImageHeader
from worker.detector.formats.boxes import Box, Reader, by_kind

# The brand comes first, or among the next 30 if the first is more general, such as "miaf".
_BRANDS = rb"(?:....){0,31}?(?:hei[cmsx]|hev[cmsx]|mif[12]|msf1|avi[fs])"
MAGIC = re.compile(rb"....ftyp" + _BRANDS, re.DOTALL)
# Files that begin like this may need libheif; OpenCV reads those that say they are AVIF.
HEIF_MAGIC = re.compile(rb"....ftyp(?!avi[fs])" + _BRANDS, re.DOTALL)
_BRAND = slice(8, 12)

_FORMATS: dict[bytes, tuple[ImageFormat, bytes]] = {
    b"hvc1": ("heif", b"hvcC"),
    b"av01": ("avif", b"av1C"),
}

# A phone's photo has 4 kB. Colour profiles take up to 1 MB.
MAX_META_BYTES = 4 * 1024 * 1024
MAX_ITEMS = 1000  # as in libheif; 200 megapixels have 768 tiles
MAX_EXTENTS = 32  # as in libheif
# Encoders may store equal tiles once, but a decoder reads them each time.
MAX_SHARED_BYTES = 16 * 1024 * 1024

# Decoding's maximum for 8 bits with 4:2:0 chroma or none, as in nearly all photos, and for others.
_BYTES_PER_PIXEL = {"heif": (9, 15), "avif": (9, 15)}

# The last row and column of tiles may extend beyond the image, by less than a usual tile.
MAX_TILE_SIDE = 1024

# An EXIF orientation after a quarter turn anticlockwise (`irot`), and after a flip from top to
# bottom or from left to right (`imir`).
_TURNED = {1: 8, 8: 3, 3: 6, 6: 1, 2: 5, 5: 4, 4: 7, 7: 2}
_FLIPPED = (
    {1: 4, 4: 1, 2: 3, 3: 2, 5: 8, 8: 5, 6: 7, 7: 6},
    {1: 2, 2: 1, 3: 4, 4: 3, 5: 6, 6: 5, 7: 8, 8: 7},
)

# In the third byte of `av1C`: 10 or 12 bits, no chroma, chroma halved in either direction.
_AV1_DEEP, _AV1_MONOCHROME, _AV1_HALF_CHROMA = 0x60, 0x10, 0x0C

_NUMBER_BYTES = {2: 2, 3: 4}  # by the version of `infe`


@dataclass(slots=True)
class _Item:
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


@dataclass(frozen=True, slots=True)
class _Photo:
    """What matters of a file.

    Attributes:
        primary: the image.
        tiles: the items with its pixels: itself, or the tiles of a grid.
        end: where the file ends for a decoder.
        unused: positions of the types of all other items, and of a sequence.
    """

    primary: _Item
    tiles: Sequence[_Item]
    end: int
    unused: Sequence[int]


def walk(content: bytes) -> ImageHeader:
    """Find the size, the orientation and the data of the primary image."""
    photo = _read(content)
    width, height = _size(content, photo.primary)
    file_format, _ = _FORMATS[photo.tiles[0].kind]
    return ImageHeader(
        file_format,
        width,
        height,
        photo.end,
        orientation=_orientation(content, photo.primary),
        bytes_per_pixel=max(_bytes_per_pixel(content, tile) for tile in photo.tiles),
        decodable=_only_primary(content, photo),
    )


def _only_primary(content: bytes, photo: _Photo) -> bytes:
    """Return the file in a form in which decoders find only the primary image.

    They would otherwise decode an alpha channel for nothing, or prefer the sequence of an animated
    AVIF. And OpenCV returns the luma of a monochrome AVIF unchanged even if its range is 16 to 235:
    told that there is chroma, it lets libavif convert it.
    """
    changed = bytearray(content[: photo.end])
    for at in photo.unused:
        changed[at : at + 4] = b"free"
    for tile in photo.tiles:
        if tile.kind == b"av01":
            changed[_BRAND] = b"avif"
            changed[tile.property(b"av1C").start + 2] &= ~_AV1_MONOCHROME
    return bytes(changed)


def _read(content: bytes) -> _Photo:
    outer = list(_outer(content))
    meta = next((box for box in outer if box.kind == b"meta"), None)
    if meta is None:
        raise UnsupportedFormatError("the HEIF file has no still image: it is a sequence or empty")
    if meta.end - meta.start > MAX_META_BYTES:
        raise UnsupportedFormatError(f"the HEIF file has over {MAX_META_BYTES} bytes of metadata")
    reader = Reader(content, meta.start, meta.end)
    reader.version()
    boxes = by_kind(reader.boxes())
    items = _read_types(_body(reader, boxes, b"iinf"))
    _read_locations(_body(reader, boxes, b"iloc"), items, boxes.get(b"idat"))
    _read_properties(reader, boxes, items)
    if b"iref" in boxes:
        _read_references(reader.of(boxes[b"iref"]), items)
    number = _body(reader, boxes, b"pitm")
    primary = _item(items, number.number(2 if number.version() == 0 else 4))
    tiles = [primary]
    if primary.kind == b"grid":
        tiles = [_item(items, part) for part in primary.parts]
        _check_grid(content, primary, tiles)
    _check_kinds(tiles)
    if tiles[0].kind == b"hvc1" and not HEIF_MAGIC.match(content):
        raise CorruptImageError("the AVIF file has an image in HEVC")
    used = {id(item) for item in (primary, *tiles)}
    unused = [item.kind_at for item in items.values() if id(item) not in used]
    unused += [box.at + 4 for box in outer if box.kind == b"moov"]
    return _Photo(primary, tiles, _end(outer, meta, (primary, *tiles)), unused)


def _outer(content: bytes) -> Iterator[Box]:
    """Yield the file's boxes up to anything else, such as a phone's trailer."""
    with suppress(CorruptImageError):
        yield from Reader(content, 0, len(content)).boxes()


def _body(reader: Reader, boxes: Mapping[bytes, Box], kind: bytes) -> Reader:
    """Return a reader of a box that must be there."""
    if kind not in boxes:
        raise CorruptImageError(f"the HEIF file has no {kind.decode()} box")
    return reader.of(boxes[kind])


def _item(items: Mapping[int, _Item], number: int) -> _Item:
    if number not in items:
        raise CorruptImageError(f"the HEIF file has no item {number}")
    return items[number]


def _read_types(reader: Reader) -> dict[int, _Item]:
    items: dict[int, _Item] = {}
    reader.take(2 if reader.version() == 0 else 4)  # how many there are
    for box in reader.boxes():
        entry = reader.of(box)
        version = entry.version()
        if version not in _NUMBER_BYTES:  # it has no type
            continue
        number = entry.number(_NUMBER_BYTES[version])
        encrypted, at = entry.number(2) != 0, entry.at
        item = _Item(entry.take(4), at, encrypted)
        if items.setdefault(number, item) is not item:
            raise CorruptImageError(f"the HEIF file has two items {number}")
    if len(items) > MAX_ITEMS:
        raise UnsupportedFormatError(f"the HEIF file has {len(items)} items, more than {MAX_ITEMS}")
    return items


def _read_locations(reader: Reader, items: Mapping[int, _Item], idat: Box | None) -> None:
    version, sizes = reader.version(), reader.number(2)
    offset_bytes, length_bytes, base_bytes, index_bytes = (sizes >> n & 15 for n in (12, 8, 4, 0))
    number_bytes = 2 if version < 2 else 4  # noqa: PLR2004 - a version
    starts = {0: 0} | ({1: idat.start} if idat else {})
    for _ in range(_count(reader.number(number_bytes), MAX_ITEMS, "locations")):
        item = items.get(reader.number(number_bytes), _Item())
        start = starts.get(reader.number(2) & 15 if version else 0)
        in_this_file = reader.number(2) == 0
        base = reader.number(base_bytes)
        for _ in range(_count(reader.number(2), MAX_EXTENTS, "extents")):
            reader.take(index_bytes if version else 0)
            offset, length = base + reader.number(offset_bytes), reader.number(length_bytes)
            if in_this_file and start is not None:
                item.extents.append((start + offset, start + offset + length))


def _read_properties(
    reader: Reader, boxes: Mapping[bytes, Box], items: Mapping[int, _Item]
) -> None:
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
    entries: Reader, version: tuple[int, int], properties: Sequence[Box], items: Mapping[int, _Item]
) -> None:
    """Give the items their properties."""
    number_bytes, wide_index = 4 if version[0] else 2, version[1] & 1
    for _ in range(_count(entries.number(4), MAX_ITEMS, "descriptions")):
        item = items.get(entries.number(number_bytes), _Item())
        for _ in range(entries.number(1)):
            # The upper bit says that readers have to understand it.
            index = entries.number(2) & 0x7FFF if wide_index else entries.number(1) & 0x7F
            if index > len(properties):
                raise CorruptImageError(f"the HEIF file has no property {index}")
            if index:
                item.properties.append(properties[index - 1])


def _read_references(reader: Reader, items: Mapping[int, _Item]) -> None:
    """Read what items are derived from."""
    number_bytes = 2 if reader.version() == 0 else 4
    for box in reader.boxes():
        if box.kind == b"dimg":
            entry = reader.of(box)
            item = items.get(entry.number(number_bytes), _Item())
            count = _count(entry.number(2), MAX_ITEMS, "tiles")
            item.parts = [entry.number(number_bytes) for _ in range(count)]


def _count(number: int, most: int, what: str) -> int:
    if number > most:
        raise UnsupportedFormatError(f"the HEIF file has {number} {what}, more than {most}")
    return number


def _check_kinds(tiles: Sequence[_Item]) -> None:
    kinds = {tile.kind for tile in tiles}
    if len(kinds) > 1 or not kinds <= _FORMATS.keys():
        names = " and ".join(sorted(kind.decode("latin-1") for kind in kinds))
        raise UnsupportedFormatError(f"HEIF with {names} is not supported: only HEVC and AV1")
    if any(tile.encrypted for tile in tiles):
        raise UnsupportedFormatError("encrypted HEIF is not supported")


def _check_grid(content: bytes, grid: _Item, tiles: Sequence[_Item]) -> None:
    """Check that a grid has all its tiles, and that their sizes add up to its own."""
    start, end = grid.extents[0] if grid.extents else (0, 0)
    reader = Reader(content, start, min(end, len(content)))
    _, flags, rows, columns = (reader.number(1) for _ in range(4))
    side_bytes = 4 if flags & 1 else 2
    width, height = reader.number(side_bytes), reader.number(side_bytes)
    sizes = {_size(content, tile) for tile in tiles}
    fits = (width, height) == _size(content, grid) and len(tiles) == (rows + 1) * (columns + 1)
    for tile_width, tile_height in sizes if fits else ():
        across, down = tile_width * (columns + 1), tile_height * (rows + 1)
        fits &= width <= across < width + min(tile_width, MAX_TILE_SIDE)
        fits &= height <= down < height + min(tile_height, MAX_TILE_SIDE)
    if len(sizes) != 1 or not fits:
        raise CorruptImageError("the HEIF file's tiles don't make up its image")


def _size(content: bytes, item: _Item) -> tuple[int, int]:
    box = item.property(b"ispe")
    reader = Reader(content, box.start, box.end)
    reader.version()
    return reader.number(4), reader.number(4)


def _orientation(content: bytes, item: _Item) -> int:
    """Apply the item's rotations and flips in their order."""
    orientation = 1
    for box in item.properties:
        if box.kind == b"irot":
            for _ in range(Reader(content, box.start, box.end).number(1) & 3):
                orientation = _TURNED[orientation]
        elif box.kind == b"imir":
            orientation = _FLIPPED[Reader(content, box.start, box.end).number(1) & 1][orientation]
    return orientation


def _bytes_per_pixel(content: bytes, tile: _Item) -> int:
    file_format, configuration = _FORMATS[tile.kind]
    box = tile.property(configuration)
    data = Reader(content, box.start, box.end)
    if file_format == "avif":
        flags = data.number(3)
        ordinary = not flags & _AV1_DEEP and flags & (_AV1_HALF_CHROMA | _AV1_MONOCHROME)
    else:
        data.take(16)
        ordinary = data.number(1) & 3 <= 1 and not data.number(1) & 7  # 4:2:0 or grey; 8 bits
    return _BYTES_PER_PIXEL[file_format][0 if ordinary else 1]


def _end(outer: Sequence[Box], meta: Box, items: Sequence[_Item]) -> int:
    """Return the end of the outer box up to which decoders need the file."""
    if not all(item.extents for item in items):
        raise CorruptImageError("the HEIF file's image has no data in this file")
    parts = [part for item in items for part in item.extents]
    if sum(end - start for start, end in parts) > outer[-1].end + MAX_SHARED_BYTES:
        raise UnsupportedFormatError("the HEIF file's tiles share too much data")
    needed = max(meta.end, *(end for _, end in parts))
    ends = [box.end for box in outer if box.end >= needed]
    if not ends:
        raise CorruptImageError(f"the HEIF file is truncated: {outer[-1].end} of {needed} bytes")
    return min(ends)
