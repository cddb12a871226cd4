"""BMP: reads all versions of the header, and writes the one that OpenCV reads correctly.

OpenCV rejects OS/2's short headers and palettes that are too long, and ignores the order of the
bytes in 32-bit pixels. What is written has a 40-byte header, a full palette, and 32-bit pixels in
the order blue, green, red, alpha. Alpha is dropped, as in PNG.
"""

import re
import struct
from typing import NamedTuple

from landmarks.errors import CorruptImageError, UnsupportedFormatError
from worker.detector.formats import ImageHeader

# With the header's length, at most 128 bytes. Other fields vary: some writers set the reserved
# ones, others leave out the file's length.
MAGIC = re.compile(rb"BM.{12}[\x0c\x10-\x80]\0\0\0", re.DOTALL)

_FILE = struct.Struct("<2sIII")  # "BM", the file's length, reserved, where the pixels start
_LENGTH = struct.Struct("<I")
_SHORT = struct.Struct("<IHHHH")  # of 12 bytes
_LONG = struct.Struct("<IiiHHIIiiII")  # of 40 bytes, or the start of a longer one
_MASKS = struct.Struct("<III")  # which bits of a pixel are red, green and blue

_PLAIN, _RLE8, _RLE4, _MASKED, _JPEG, _PNG, _MASKED_ALPHA = range(7)
_NAMES = {_JPEG: "an embedded JPEG", _PNG: "an embedded PNG"}
_OS2_BYTES = 64  # the length of the only header whose compressions 3 and 4 mean something else

_BITS = {
    _PLAIN: (1, 4, 8, 16, 24, 32),
    _RLE8: (8,),
    _RLE4: (4,),
    _MASKED: (16, 32),
    _MASKED_ALPHA: (16, 32),
}
_PALETTE_BITS, _BYTES_BITS = 8, 32  # at most, with a palette; with a byte per channel and alpha

_MASKS_OF_16_BITS = ((0x7C00, 0x3E0, 0x1F), (0xF800, 0x7E0, 0x1F))
_BYTES = {0xFF << 8 * place: place for place in range(4)}  # by mask, in 32 bits

# While 32-bit pixels are brought in order, they are there twice.
_BYTES_PER_PIXEL = 8


class _Header(NamedTuple):
    """What the header says; height is negative if the top row comes first."""

    length: int
    width: int
    height: int
    planes: int
    bits: int
    compression: int = _PLAIN
    data_bytes: int = 0
    horizontal: int = 0
    vertical: int = 0
    colours: int = 0
    important: int = 0

    @property
    def row_bytes(self) -> int:
        """Length of a row that is not compressed."""
        return (self.width * self.bits + 31) // 32 * 4


def walk(content: bytes) -> ImageHeader:
    """Find the size and the pixels, and write them after a header that OpenCV reads correctly."""
    header = _read_header(content)
    _, _, _, start = _FILE.unpack_from(content)
    pixels, end = _pixels(content, start, header)
    compression, masks = header.compression, b""
    if compression in (_MASKED, _MASKED_ALPHA):
        masks = _masks(content, header)
        if header.bits == _BYTES_BITS:
            pixels, compression, masks = _in_order(pixels, masks), _PLAIN, b""
        else:
            compression = _MASKED
    table = masks + _palette(content, start, header)
    length = _FILE.size + _LONG.size + len(table)
    written = _Header(_LONG.size, header.width, header.height, 1, header.bits, compression)
    decodable = b"".join((_FILE.pack(b"BM", 0, 0, length), _LONG.pack(*written), table, pixels))
    return ImageHeader(
        "bmp",
        header.width,
        abs(header.height),
        end,
        bytes_per_pixel=_BYTES_PER_PIXEL,
        decodable=decodable,
    )


def _read_header(content: bytes) -> _Header:
    (length,) = _LENGTH.unpack_from(content, _FILE.size)
    if _FILE.size + length > len(content):
        raise CorruptImageError("the BMP file ends within its header")
    if length < _SHORT.size + 4:
        header = _Header(*_SHORT.unpack_from(content, _FILE.size))
    else:  # OS/2's header may end earlier; the rest is zero
        fields = content[_FILE.size : _FILE.size + min(length, _LONG.size)]
        header = _Header(*_LONG.unpack(fields.ljust(_LONG.size, b"\0")))
    if header.width <= 0 or not header.height:
        raise CorruptImageError(f"the BMP file claims {header.width} x {header.height} pixels")
    _check_variant(header)
    return header


def _check_variant(header: _Header) -> None:
    kind = header.compression
    if kind not in _BITS or (kind > _RLE4 and header.length == _OS2_BYTES):
        name = _NAMES.get(kind, f"compression {kind}")
        raise UnsupportedFormatError(f"BMP with {name} is not supported: save it uncompressed")
    if header.bits not in _BITS[kind]:
        raise UnsupportedFormatError(
            f"BMP with {header.bits} bits per pixel is not supported: save it with 24"
        )


def _pixels(content: bytes, start: int, header: _Header) -> tuple[bytes, int]:
    """Return the pixels as stored, and where they end."""
    height = abs(header.height)
    if header.compression in (_RLE8, _RLE4):
        length = header.data_bytes or len(content) - start
        padding = 0
    else:
        length = header.row_bytes * height
        # Some writers leave out what fills up the last row.
        padding = header.row_bytes - (header.width * header.bits + 7) // 8
    end = min(start + length, len(content))
    missing = length - (end - start)
    if missing > padding:
        raise CorruptImageError(f"the BMP file is truncated: {missing} bytes are missing")
    return content[start:end] + bytes(missing), end


def _masks(content: bytes, header: _Header) -> bytes:
    """Return the masks, which are in a long header, or follow a short one, at the same place."""
    masks = content[_FILE.size + _LONG.size :][: _MASKS.size]
    if len(masks) < _MASKS.size:
        raise CorruptImageError("the BMP file ends within its header")
    channels = _MASKS.unpack(masks)
    if header.bits == _BYTES_BITS:
        is_known = all(mask in _BYTES for mask in channels)
    else:
        is_known = channels in _MASKS_OF_16_BITS
    if not is_known:
        shown = ", ".join(f"{mask:X}" for mask in channels)
        raise UnsupportedFormatError(
            f"BMP with the colour masks {shown} is not supported: save it with 24 bits per pixel"
        )
    return masks


def _in_order(pixels: bytes, masks: bytes) -> bytes:
    """Move the bytes of 32-bit pixels to the order blue, green, red."""
    ordered = bytearray(len(pixels))
    for to, mask in enumerate(reversed(_MASKS.unpack(masks))):
        ordered[to::4] = pixels[_BYTES[mask] :: 4]
    return bytes(ordered)


def _palette(content: bytes, start: int, header: _Header) -> bytes:
    """Return blue, green, red, zero for every colour that the bits can name."""
    if header.bits > _PALETTE_BITS:
        return b""
    size = 3 if header.length == _SHORT.size else 4
    most = 2**header.bits
    first = _FILE.size + header.length
    end = first + size * min(header.colours or most, most)
    if start < (end if header.colours else first):
        raise CorruptImageError("the BMP file's palette and pixels overlap")
    entries = content[first : min(start, end)]
    palette = bytearray(4 * most)
    for channel in range(3):
        values = entries[channel::size]
        palette[channel : 4 * len(values) : 4] = values
    return bytes(palette)
