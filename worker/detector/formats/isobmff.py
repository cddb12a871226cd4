"""HEIF and AVIF: walks over the boxes to the primary image, its tiles and their properties.

Both are ISO base media files of the same structure; the codec of the primary image says which of
the two a file is. Of bursts, collections and sequences, the primary image is read.

Only `irot` and `imir` turn an image. The standard tells readers to ignore the orientation in Exif
and XMP, and libheif and browsers do. `clap`, a crop, is left to the decoders: libheif applies it,
browsers and OpenCV don't do so for AVIF.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from landmarks.errors import CorruptImageError, UnsupportedFormatError
from worker.detector.formats import ImageFormat, ImageHeader
from worker.detector.formats.av1 import check_frames
from worker.detector.formats.boxes import Box, Reader
from worker.detector.formats.items import Item, find, read_items

# The brand comes first, or among the next 30 if the first is more general, such as "miaf".
_BRANDS = rb"(?:....){0,31}?(?:hei[cmsx]|hev[cmsx]|mif[12]|msf1|avi[fs])"
MAGIC = re.compile(rb"....ftyp" + _BRANDS, re.DOTALL)
# Files that begin like this may need libheif; OpenCV reads those that say they are AVIF.
HEIF_MAGIC = re.compile(rb"....ftyp(?!avi[fs])" + _BRANDS, re.DOTALL)
_MAJOR_BRAND = slice(8, 12)

_FORMATS: dict[bytes, tuple[ImageFormat, bytes]] = {
    b"hvc1": ("heif", b"hvcC"),
    b"av01": ("avif", b"av1C"),
}

# A phone's photo has 4 kB. Colour profiles take up to 1 MB.
MAX_META_BYTES = 4 * 1024 * 1024
# Encoders may store equal tiles once, but a decoder reads them each time.
MAX_SHARED_BYTES = 16 * 1024 * 1024

# Decoding's maximum for 8 bits with 4:2:0 chroma or none, as in nearly all photos, and for others.
_BYTES_PER_PIXEL = {"heif": (9, 16), "avif": (19, 22)}

# Codecs may code some more pixels than an image has, up to a multiple of this.
_BLOCK = 64

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


@dataclass(frozen=True, slots=True)
class _Photo:
    """What matters of a file.

    Attributes:
        primary: the image.
        tiles: the items with its pixels: itself, or the tiles of a grid.
        brands_end: where the first box ends, which names the file's brands.
        end: where the file ends for a decoder.
        unused: positions of the types of all other items, and of a sequence.
    """

    primary: Item
    tiles: Sequence[Item]
    brands_end: int
    end: int
    unused: Sequence[int]


def walk(content: bytes) -> ImageHeader:
    """Find the size, the orientation and the data of the primary image."""
    photo = _read(content)
    width, height = _size(content, photo.primary)
    file_format, _ = _FORMATS[photo.tiles[0].kind]
    if file_format == "avif":
        _check_av1(content, photo.tiles)
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
    if photo.tiles[0].kind == b"av01":
        brands = slice(_MAJOR_BRAND.start, photo.brands_end)
        changed[brands] = changed[brands].replace(b"avis", b"avif")  # or libavif wants `moov`
        changed[_MAJOR_BRAND] = b"avif"
        for tile in photo.tiles:
            changed[tile.property(b"av1C").start + 2] &= ~_AV1_MONOCHROME
    return bytes(changed)


def _read(content: bytes) -> _Photo:
    outer = list(_outer(content))
    meta = next((box for box in outer if box.kind == b"meta"), None)
    if meta is None and any(box.kind == b"moov" for box in outer):
        raise UnsupportedFormatError("the HEIF file is a sequence without a still image")
    if meta is None:
        raise CorruptImageError("the HEIF file has no meta box")
    if meta.end - meta.start > MAX_META_BYTES:
        raise UnsupportedFormatError(f"the HEIF file has over {MAX_META_BYTES} bytes of metadata")
    primary, items = read_items(content, meta)
    tiles = [primary]
    if primary.kind == b"grid":
        tiles = [find(items, part) for part in primary.parts]
        _check_grid(content, primary, tiles)
    _check_kinds(tiles)
    if tiles[0].kind == b"hvc1" and not HEIF_MAGIC.match(content):
        raise CorruptImageError("the AVIF file has an image in HEVC")
    used = {id(item) for item in (primary, *tiles)}
    unused = [item.kind_at for item in items.values() if id(item) not in used]
    unused += [box.at + 4 for box in outer if box.kind == b"moov"]
    end = _end(outer, meta, (primary, *tiles))
    return _Photo(primary, tiles, outer[0].end, end, unused)


def _outer(content: bytes) -> Iterator[Box]:
    """Yield the file's boxes up to anything else, such as a phone's trailer."""
    with suppress(CorruptImageError):
        yield from Reader(content, 0, len(content)).boxes()


def _check_kinds(tiles: Sequence[Item]) -> None:
    kinds = {tile.kind for tile in tiles}
    if len(kinds) > 1 or not kinds <= _FORMATS.keys():
        names = " and ".join(sorted(kind.decode("latin-1") for kind in kinds))
        raise UnsupportedFormatError(f"HEIF with {names} is not supported: only HEVC and AV1")
    if any(tile.encrypted for tile in tiles):
        raise UnsupportedFormatError("encrypted HEIF is not supported")


def _check_grid(content: bytes, grid: Item, tiles: Sequence[Item]) -> None:
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


def _size(content: bytes, item: Item) -> tuple[int, int]:
    box = item.property(b"ispe")
    reader = Reader(content, box.start, box.end)
    reader.version()
    return reader.number(4), reader.number(4)


def _check_av1(content: bytes, tiles: Sequence[Item]) -> None:
    """Check the frames of each tile. libheif has a limit for HEVC, and stops at the first frame."""
    for tile in {id(tile): tile for tile in tiles}.values():
        width, height = _size(content, tile)
        data = b"".join(content[start:end] for start, end in tile.extents)
        check_frames(data, (width + _BLOCK) * (height + _BLOCK))


def _orientation(content: bytes, item: Item) -> int:
    """Apply the item's rotations and flips in their order."""
    orientation = 1
    for box in item.properties:
        if box.kind == b"irot":
            for _ in range(Reader(content, box.start, box.end).number(1) & 3):
                orientation = _TURNED[orientation]
        elif box.kind == b"imir":
            orientation = _FLIPPED[Reader(content, box.start, box.end).number(1) & 1][orientation]
    return orientation


def _bytes_per_pixel(content: bytes, tile: Item) -> int:
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


def _end(outer: Sequence[Box], meta: Box, items: Sequence[Item]) -> int:
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
