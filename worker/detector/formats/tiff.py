"""TIFF: checks the first page, and writes a directory that has nothing but its pixels.

OpenCV and libtiff turn the pixels by some orientations and blend transparency, read all pages'
directories, and print a warning for each tag that they don't know. The file that is written has the
pixels where they were, and one directory of only the tags below, so nothing of this happens.
Transparency is dropped, as in PNG.
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from landmarks.errors import CorruptImageError, UnsupportedFormatError
from worker.detector.formats import PIXEL_BYTES, ImageHeader, jpeg
from worker.detector.formats.directory import (
    BYTES,
    LONG,
    RATIONAL,
    SHORT,
    Directory,
    Value,
    read_directory,
    write_directory,
)
from worker.detector.formats.orientation import UPRIGHT, from_xmp

MAGIC = re.compile(rb"(?:II[*+]\0|MM\0[*+])")

# Tags
_SUBFILE, _WIDTH, _HEIGHT, _BITS, _COMPRESSION, _COLOURS = 254, 256, 257, 258, 259, 262
_FILL_ORDER, _STRIPS, _ORIENTATION, _SAMPLES, _STRIP_ROWS, _STRIP_BYTES = (
    266,
    273,
    274,
    277,
    278,
    279,
)
_PLANAR, _FAX3_OPTIONS, _FAX4_OPTIONS, _PREDICTOR = 284, 292, 293, 317
_WHITE_POINT, _PALETTE = 318, 320
_TILE_WIDTH, _TILE_HEIGHT, _TILES, _TILE_BYTES, _SUB_DIRECTORIES = 322, 323, 324, 325, 330
_EXTRA_SAMPLES, _SAMPLE_FORMAT, _JPEG_TABLES, _WHOLE_JPEG = 338, 339, 347, 513
_COEFFICIENTS, _SUBSAMPLING, _REFERENCE, _XMP, _DNG = 529, 530, 532, 700, 50706

# Colour models
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTED, _CMYK, _YCBCR, _LAB = 0, 1, 2, 3, 5, 6, 8
_CHANNELS: Final = {
    _WHITE_IS_ZERO: 1,
    _BLACK_IS_ZERO: 1,
    _RGB: 3,
    _PALETTED: 1,
    _CMYK: 4,
    _YCBCR: 3,
    _LAB: 3,
}
_GREY: Final = (_WHITE_IS_ZERO, _BLACK_IS_ZERO)
_DEPTHS: Final = dict.fromkeys(_GREY, (1, 4, 8, 16)) | {_RGB: (8, 16), _PALETTED: (1, 4, 8)}
_MAX_SAMPLES = 4

# libtiff converts Lab to sRGB, and with any other white point, white becomes yellow.
_SRGB_WHITE: Final = (3127, 10_000, 3290, 10_000)

# Compressions
_NONE, _FAX2, _FAX3, _FAX4, _LZW, _OLD_JPEG, _JPEG, _DEFLATE = range(1, 9)
_PACK_BITS, _OLD_DEFLATE = 32773, 32946
_FAX: Final = (_FAX2, _FAX3, _FAX4)
_COMPRESSIONS: Final = (_NONE, *_FAX, _LZW, _JPEG, _DEFLATE, _PACK_BITS, _OLD_DEFLATE)
_NAMES: Final = {34925: "LZMA", 50000: "Zstandard", 50001: "WebP", 34712: "JPEG 2000"}

_UNSIGNED: Final = (1, 4)  # formats of a sample; 4 is undefined
_PREVIEW = 1  # a flag of a page that shows another one

# A tile may be larger than a small image, by less than a usual one.
MAX_TILE_SIDE = 1024

MAX_TABLES_BYTES = 65_536  # quantisation and Huffman tables have up to 3,000


@dataclass(frozen=True, slots=True)
class _Page:
    """How the pixels are stored.

    Attributes:
        piece_width: width of a strip or a tile, in pixels.
        piece_height: its height; the last strip may be shorter.
        is_tiled: whether the pieces are tiles.
        is_planar: whether each channel has its own pieces.
    """

    width: int
    height: int
    colours: int
    samples: int
    bits: int
    compression: int
    piece_width: int
    piece_height: int
    is_tiled: bool
    is_planar: bool

    def pieces(self) -> int:
        """Number of strips or tiles."""
        across = -(-self.width // self.piece_width)
        down = -(-self.height // self.piece_height)
        return across * down * (self.samples if self.is_planar else 1)

    def piece_rows(self) -> list[int]:
        """Number of rows of each strip or tile."""
        across = -(-self.width // self.piece_width)
        tops = range(0, self.height, self.piece_height)
        left = [self.height - top for top in tops for _ in range(across)]
        rows = [self.piece_height if self.is_tiled else min(n, self.piece_height) for n in left]
        return rows * (self.samples if self.is_planar else 1)

    def row_bytes(self) -> int:
        """Length of a piece's row that is not compressed."""
        samples = 1 if self.is_planar else self.samples
        return (self.piece_width * samples * self.bits + 7) // 8


def walk(content: bytes) -> ImageHeader:
    """Find the first page's size, orientation and pixels."""
    directory = read_directory(content)
    _refuse_raw(directory)
    if directory.integer(_COMPRESSION, _NONE) == _OLD_JPEG:
        return _walk_old_jpeg(directory)
    page = _read_page(directory)
    offsets, lengths = _pieces(directory, page)
    entries = _entries(directory, page, offsets, lengths)
    end = max(directory.end, *map(sum, zip(offsets, lengths, strict=True)))
    return ImageHeader(
        "tiff",
        page.width,
        page.height,
        end,
        orientation=_orientation(directory),
        bytes_per_pixel=_bytes_per_pixel(page, max(lengths)),
        decodable=write_directory(directory, entries, end),
    )


def _refuse_raw(directory: Directory) -> None:
    """Refuse camera raw files, whose first page is a thumbnail."""
    is_preview = directory.integer(_SUBFILE, 0) & _PREVIEW and _SUB_DIRECTORIES in directory
    if _DNG in directory or is_preview:
        raise UnsupportedFormatError("camera raw is not supported: develop it and save a JPEG")


def _walk_old_jpeg(directory: Directory) -> ImageHeader:
    """Find the complete JPEG file that most TIFF files with old-style JPEG contain."""
    start = directory.integer(_WHOLE_JPEG, 0) or directory.integer(_STRIPS, 0)
    whole = directory.content[start:]
    if not start or not whole.startswith(b"\xff\xd8\xff"):
        raise UnsupportedFormatError("TIFF with old-style JPEG in pieces is not supported")
    found = jpeg.walk(whole)
    return replace(
        found,
        format="tiff",
        length_bytes=max(directory.end, start + found.length_bytes),
        orientation=_orientation(directory),
        decodable=found.decodable or whole[: found.length_bytes],
    )


def _orientation(directory: Directory) -> int:
    orientation = directory.integer(_ORIENTATION, 0)
    if _ORIENTATION in directory:
        return orientation if orientation in range(1, 9) else UPRIGHT
    return from_xmp(directory.data(_XMP)) or UPRIGHT


def _read_page(directory: Directory) -> _Page:
    width, height = directory.integer(_WIDTH, 0), directory.integer(_HEIGHT, 0)
    if not (0 < width < 2**32 and 0 < height < 2**32):
        raise CorruptImageError(f"the TIFF file claims {width} x {height} pixels")
    samples = directory.integer(_SAMPLES, 1)
    colours = directory.integer(_COLOURS, _RGB if samples > 2 else _WHITE_IS_ZERO)  # noqa: PLR2004
    is_tiled = _TILE_WIDTH in directory
    page = _Page(
        width,
        height,
        colours,
        samples,
        bits=directory.integer(_BITS, 1),
        compression=directory.integer(_COMPRESSION, _NONE),
        piece_width=directory.integer(_TILE_WIDTH, 0) if is_tiled else width,
        piece_height=directory.integer(_TILE_HEIGHT, 0)
        if is_tiled
        else min(directory.integer(_STRIP_ROWS, height), height),
        is_tiled=is_tiled,
        is_planar=directory.integer(_PLANAR, 1) == 2 and samples > 1,  # noqa: PLR2004
    )
    _check_samples(directory, page)
    _check_compression(page)
    _check_pieces(page)
    return page


def _check_samples(directory: Directory, page: _Page) -> None:
    if any(kind not in _UNSIGNED for kind in directory.integers(_SAMPLE_FORMAT, 1)):
        raise UnsupportedFormatError(
            "TIFF with floating-point or signed samples is not supported: save it as 8-bit RGB"
        )
    if page.colours not in _CHANNELS:
        raise UnsupportedFormatError(
            f"TIFF's colour model {page.colours} is not supported: save it as RGB"
        )
    depths = directory.integers(_BITS, 1)[: page.samples]
    is_known = page.bits in _DEPTHS.get(page.colours, (8,)) and len(set(depths)) == 1
    if not is_known or (page.bits < 8 and page.samples > 1):  # noqa: PLR2004 - bits
        shown = " and ".join(map(str, sorted(set(depths))))
        raise UnsupportedFormatError(
            f"TIFF with {shown} bits in this colour model is not supported: save it as 8-bit RGB"
        )
    if not _CHANNELS[page.colours] <= page.samples <= _MAX_SAMPLES:
        raise UnsupportedFormatError(
            f"TIFF with {page.samples} channels is not supported: save it as RGB"
        )


def _check_compression(page: _Page) -> None:
    name = _NAMES.get(page.compression, str(page.compression))
    is_fit = {
        **dict.fromkeys(_FAX, page.bits == 1),
        _JPEG: page.bits == 8 and page.colours not in (_PALETTED, _LAB),  # noqa: PLR2004
    }
    if page.compression not in _COMPRESSIONS or not is_fit.get(page.compression, True):
        raise UnsupportedFormatError(
            f"TIFF's compression {name} is not supported here: save it with LZW"
        )


def _check_pieces(page: _Page) -> None:
    for piece, side in ((page.piece_width, page.width), (page.piece_height, page.height)):
        if not 0 < piece <= max(side, MAX_TILE_SIDE):
            raise CorruptImageError(f"the TIFF file's strips or tiles have {piece} pixels a side")
    if page.is_tiled and (page.piece_width % 16 or page.piece_height % 16):
        raise CorruptImageError("the TIFF file's tiles are not multiples of 16 pixels")


def _pieces(directory: Directory, page: _Page) -> tuple[list[int], list[int]]:
    """Return where each strip or tile starts, and its length."""
    content, count = directory.content, page.pieces()
    offsets = directory.integers(_TILES if page.is_tiled else _STRIPS)[:count]
    lengths = directory.integers(_TILE_BYTES if page.is_tiled else _STRIP_BYTES)[:count]
    if len(offsets) < count:
        raise CorruptImageError(f"the TIFF file has {len(offsets)} of {count} strips or tiles")
    if page.compression == _NONE and page.colours != _YCBCR:  # whatever it says
        lengths = tuple(page.row_bytes() * rows for rows in page.piece_rows())
    elif not lengths and count == 1:
        lengths = (len(content) - offsets[0],)
    if len(lengths) < count:
        raise CorruptImageError(f"the TIFF file has {len(lengths)} of {count} lengths")
    for start, length in zip(offsets, lengths, strict=True):
        if not start or length <= 0 or start + length > len(content):
            raise CorruptImageError("the TIFF file is truncated: a strip or tile is beyond its end")
    if sum(lengths) > len(content):
        raise CorruptImageError("the TIFF file's strips or tiles overlap")
    if page.compression == _JPEG:
        for start, length in zip(offsets, lengths, strict=True):
            _check_jpeg(content[start : start + length], page)
    return list(offsets), list(lengths)


def _check_jpeg(piece: bytes, page: _Page) -> None:
    """Check a JPEG stream, whose tables may be missing."""
    if not piece.startswith(b"\xff\xd8\xff"):
        raise CorruptImageError("the TIFF file has a JPEG strip or tile without a start")
    found = jpeg.walk(piece)
    if found.truncated or found.width > page.piece_width or found.height > page.piece_height:
        raise CorruptImageError("the TIFF file has a JPEG strip or tile of another size")


def _entries(
    directory: Directory, page: _Page, offsets: list[int], lengths: list[int]
) -> dict[int, Value]:
    """Return what a decoder needs to know."""
    entries: dict[int, Value] = {
        _WIDTH: (LONG, (page.width,)),
        _HEIGHT: (LONG, (page.height,)),
        _BITS: (SHORT, (page.bits,) * page.samples),
        _COMPRESSION: (SHORT, (page.compression,)),
        _COLOURS: (SHORT, (page.colours,)),
        _SAMPLES: (SHORT, (page.samples,)),
        _PLANAR: (SHORT, (2 if page.is_planar else 1,)),
        _TILES if page.is_tiled else _STRIPS: (LONG, offsets),
        _TILE_BYTES if page.is_tiled else _STRIP_BYTES: (LONG, lengths),
    }
    if page.is_tiled:
        entries[_TILE_WIDTH] = (LONG, (page.piece_width,))
        entries[_TILE_HEIGHT] = (LONG, (page.piece_height,))
    else:
        entries[_STRIP_ROWS] = (LONG, (page.piece_height,))
    extra = page.samples - _CHANNELS[page.colours]
    if extra:  # without a meaning, so that it isn't blended
        entries[_EXTRA_SAMPLES] = (SHORT, (0,) * extra)
    return entries | dict(_colour_entries(directory, page)) | dict(_coding_entries(directory, page))


def _colour_entries(directory: Directory, page: _Page) -> Iterator[tuple[int, Value]]:
    levels = 2**page.bits
    if page.colours == _PALETTED:
        palette = directory.integers(_PALETTE)
        if len(palette) != 3 * levels:
            raise CorruptImageError(f"the TIFF file's palette has {len(palette)} values")
        yield _PALETTE, (SHORT, [value & 0xFFFF for value in palette])
    elif page.colours in _GREY and page.bits == 4:  # noqa: PLR2004 - OpenCV reads only palettes
        greys = [0x1111 * level for level in range(levels)]
        yield _COLOURS, (SHORT, (_PALETTED,))
        yield _PALETTE, (SHORT, (greys[::-1] if page.colours == _WHITE_IS_ZERO else greys) * 3)
    elif page.colours == _LAB:
        yield _WHITE_POINT, (RATIONAL, struct.pack(f"{directory.order}4I", *_SRGB_WHITE))
    elif page.colours == _YCBCR:
        subsampling = directory.integers(_SUBSAMPLING, 2, 2)
        if len(subsampling) != 2 or not set(subsampling) <= {1, 2, 4}:  # noqa: PLR2004
            raise CorruptImageError("the TIFF file's chroma is damaged")
        yield _SUBSAMPLING, (SHORT, subsampling)
        for tag, count in ((_COEFFICIENTS, 3), (_REFERENCE, 6)):
            kind, found, _ = directory.entries.get(tag, (0, 0, 0))
            if (kind, found) == (RATIONAL, count):
                yield tag, (RATIONAL, directory.data(tag))


def _coding_entries(directory: Directory, page: _Page) -> Iterator[tuple[int, Value]]:
    fill_order = directory.integer(_FILL_ORDER, 1)
    if fill_order == 2:  # noqa: PLR2004 - the lowest bit comes first
        yield _FILL_ORDER, (SHORT, (fill_order,))
    if page.compression == _JPEG and _JPEG_TABLES in directory:
        tables = directory.data(_JPEG_TABLES)
        if len(tables) > MAX_TABLES_BYTES:
            raise UnsupportedFormatError(f"the TIFF file's JPEG tables have {len(tables)} bytes")
        yield _JPEG_TABLES, (BYTES, tables)
    if page.compression in (_LZW, _DEFLATE, _OLD_DEFLATE) and _PREDICTOR in directory:
        predictor = directory.integer(_PREDICTOR, 1)
        if predictor not in (1, 2):
            raise UnsupportedFormatError(f"TIFF's predictor {predictor} is not supported")
        yield _PREDICTOR, (SHORT, (predictor,))
    for tag, compression in ((_FAX3_OPTIONS, _FAX3), (_FAX4_OPTIONS, _FAX4)):
        if page.compression == compression and tag in directory:
            yield tag, (LONG, (directory.integer(tag, 0) % 2**32,))


def _bytes_per_pixel(page: _Page, longest: int) -> int:
    """Return the memory for decoding: the pixels, and a strip or tile or another copy.

    A strip or tile is read, decompressed (JPEG with its coefficients), and converted to 4 bytes
    per pixel.
    """
    pixels = page.width * page.height
    sample_bytes = 3 if page.compression == _JPEG else max(1, page.bits // 8)
    piece_bytes = page.piece_width * page.piece_height * (4 + page.samples * sample_bytes)
    return PIXEL_BYTES + -(-(longest + max(piece_bytes, PIXEL_BYTES * pixels)) // pixels)
