"""GIF: walks over the blocks to the first frame, and writes a file of that frame alone.

Transparency is dropped, as in PNG, so the colour below it shows. A frame that is smaller than the
canvas is surrounded by that colour, or the first one; a frame that extends beyond it enlarges it.
Pillow does the same.
"""

import re
import struct
from collections.abc import Iterator
from functools import cache

from landmarks.errors import CorruptImageError, UnsupportedFormatError
from worker.detector.formats import ImageHeader

MAGIC = re.compile(rb"GIF8[79]a")

_SCREEN = struct.Struct("<6sHHBBB")  # magic bytes, width, height, flags, background, aspect ratio
_FRAME = struct.Struct("<HHHHB")  # left, top, width, height, flags
_EXTENSION, _IMAGE, _TRAILER = 0x21, 0x2C, 0x3B
_CONTROL = 0xF9  # an extension; its first byte has a flag, its last the transparent colour
_CONTROL_BYTES = 4

MAX_SIDE = 65_535

_HAS_TABLE, _TABLE_BITS, _INTERLACED, _TRANSPARENT = 0x80, 0x07, 0x40, 0x01
_TABLE_BYTES = 3 * 256
_GREY = bytes(level for level in range(256) for _ in range(3))  # for files without colours

_MIN_CODE_BITS, _MAX_CODE_BITS = 3, 12  # of LZW; the colours are a bit shorter
_MAX_COLOUR_BITS = 8

# 30 MB have 117,000 blocks of 255 bytes.
MAX_BLOCKS = 131_072

# OpenCV takes 7 us to clear its table, which a code of 3 bits may demand. Ordinary files do so
# every 4,000 codes, those that avoid compression every 254.
MAX_CLEARS = 131_072

# The canvas has 4, the frame's colours 1.
_BYTES_PER_PIXEL = 9


def walk(content: bytes) -> ImageHeader:
    """Find the canvas and its first frame, and write a file that has nothing else."""
    if len(content) < _SCREEN.size:
        raise _truncated()
    _, width, height, flags, _, _ = _SCREEN.unpack_from(content)
    table, at = _table(content, _SCREEN.size, flags)
    at, transparent = _find_frame(content, at)
    if at + _FRAME.size > len(content):
        raise _truncated()
    left, top, columns, rows, flags = _FRAME.unpack_from(content, at)
    own_table, at = _table(content, at + _FRAME.size, flags)
    colour_bits = int.from_bytes(content[at : at + 1])
    if not _MIN_CODE_BITS - 1 <= colour_bits <= _MAX_COLOUR_BITS or not columns or not rows:
        raise CorruptImageError("the GIF file's first frame is damaged")
    blocks, end = _blocks(content, at + 1)
    codes = _until_end(b"".join(blocks), colour_bits)
    width, height = max(width, left + columns), max(height, top + rows)
    if max(width, height) > MAX_SIDE:
        raise CorruptImageError("the GIF file's first frame extends beyond the largest canvas")
    colours = (own_table or table or _GREY).ljust(_TABLE_BYTES, b"\0")
    screen = b"GIF89a", width, height, _HAS_TABLE | _TABLE_BITS, transparent, 0
    frame = left, top, columns, rows, flags & _INTERLACED
    decodable = b"".join(
        (
            _SCREEN.pack(*screen) + colours + bytes((_IMAGE,)) + _FRAME.pack(*frame),
            bytes((colour_bits,)),
            *(bytes((len(block),)) + block for block in _cut(codes)),
            bytes((0, _TRAILER)),
        )
    )
    return ImageHeader(
        "gif", width, height, end, bytes_per_pixel=_BYTES_PER_PIXEL, decodable=decodable
    )


def _truncated() -> CorruptImageError:
    return CorruptImageError("the GIF file ends before its first frame does")


def _table(content: bytes, at: int, flags: int) -> tuple[bytes, int]:
    """Return a table of colours, empty if there is none, and where it ends."""
    if not flags & _HAS_TABLE:
        return b"", at
    end = at + (6 << (flags & _TABLE_BITS))
    if end > len(content):
        raise _truncated()
    return content[at:end], end


def _find_frame(content: bytes, at: int) -> tuple[int, int]:
    """Return where the first frame starts, and its transparent colour or the first."""
    transparent = 0
    count = 0
    while count < MAX_BLOCKS:
        count += 1
        kind, label = content[at : at + 1], content[at + 1 : at + 2]
        if kind == bytes((_IMAGE,)):
            return at + 1, transparent
        if kind == bytes((_EXTENSION,)) and label:
            blocks, at = _blocks(content, at + 2)
            count += len(blocks)
            control = blocks[0] if blocks else b""
            if label == bytes((_CONTROL,)) and len(control) == _CONTROL_BYTES:
                transparent = control[3] if control[0] & _TRANSPARENT else 0
        elif kind == b"\0":  # some writers end a block twice
            at += 1
        elif not kind:
            raise _truncated()
        else:
            raise CorruptImageError("the GIF file has no frame")
    raise _too_many_blocks()


def _blocks(content: bytes, at: int) -> tuple[list[bytes], int]:
    """Return the blocks up to an empty one, and where that ends."""
    blocks: list[bytes] = []
    while at < len(content):
        length, start = content[at], at + 1
        at = start + length
        if at > len(content):
            break
        if not length:
            return blocks, at
        if len(blocks) >= MAX_BLOCKS:
            raise _too_many_blocks()
        blocks.append(content[start:at])
    raise _truncated()


def _too_many_blocks() -> UnsupportedFormatError:
    return UnsupportedFormatError(f"the GIF file has more than {MAX_BLOCKS} blocks")


def _cut(codes: bytes) -> Iterator[bytes]:
    return (codes[at : at + 255] for at in range(0, len(codes), 255))


def _until_end(data: bytes, colour_bits: int) -> bytes:
    """Return the codes up to the one that ends them, which also has to follow few clear codes.

    Codes grow from `colour_bits + 1` to 12 bits, by how many have been read since the last clear
    code, so that a whole run of the same width can be searched at once, as one number.
    """
    at = clears = 0
    width = colour_bits + 1
    while at < 8 * len(data):
        count = 2 ** (width - 1) - (width == colour_bits + 1)
        run = int.from_bytes(data[at // 8 : (at + count * width) // 8 + 1], "little") >> at % 8
        lowest, clear_codes = _patterns(width, count, 1 << colour_bits)
        found = _first_zero(run ^ clear_codes, width, lowest)
        if found is None:
            at += count * width
            width = min(width + 1, _MAX_CODE_BITS)
            continue
        at += found + width
        if run >> found & 1:  # the code after the clear code
            return data[: (at + 7) // 8]
        width = colour_bits + 1
        clears += 1
        if clears > MAX_CLEARS:
            raise UnsupportedFormatError(f"the GIF file has more than {MAX_CLEARS} clear codes")
    return data


@cache
def _patterns(width: int, count: int, clear_code: int) -> tuple[int, int]:
    """Return numbers of `count` codes: all 1, and all `clear_code`."""
    lowest = ((1 << width * count) - 1) // ((1 << width) - 1)
    return lowest, lowest * clear_code


def _first_zero(run: int, width: int, lowest: int) -> int | None:
    """Return the position of the first code of a run that is 0 or 1."""
    others = run >> 1
    for _ in range(width - 2):
        run >>= 1
        others |= run >> 1
    found = lowest & ~others
    return (found & -found).bit_length() - 1 if found else None
