"""How to turn a stored image upright, for every format: 1 to 8, as EXIF numbers them.

EXIF decides; XMP's `tiff:Orientation` only where no EXIF block has an orientation. Of several
blocks, the first with an orientation counts. An orientation outside 1 to 8 means upright.

This is Pillow's rule. Chromium reads EXIF in JPEG and PNG, but neither EXIF in WebP nor XMP.
OpenCV, which used to turn the pixels, ignores XMP, and EXIF in WebP and PNG that starts with the
prefix `Exif` (measured with Pillow 13.0, Chromium 156 and OpenCV 4.14).
"""

import re
import struct
from collections.abc import Iterable
from itertools import chain
from typing import Final, TypeAlias

Block: TypeAlias = bytes | memoryview

UPRIGHT: Final = 1

# Some programs add one each time they save a file.
_PREFIXES: Final = re.compile(rb"(?:Exif\0\0)*+")
_BYTE_ORDERS: Final = {b"II*\0": "<", b"MM\0*": ">"}
_TAG: Final = 0x0112
_ENTRY_BYTES: Final = 12
_INTEGERS: Final = {3: "H", 4: "I", 8: "h", 9: "i"}  # SHORT, LONG, and both signed

# An attribute or an element.
_XMP: Final = re.compile(rb"""tiff:Orientation\s*(?:=\s*["']|>)\s*([1-8])\b""")


def read_orientation(exif: Iterable[Block], xmp: Iterable[Block]) -> int:
    """Return the orientation, 1 to 8, from a file's EXIF blocks and XMP packets."""
    found = chain(map(from_exif, exif), map(from_xmp, xmp))
    return next((orientation for orientation in found if orientation), UPRIGHT)


def from_exif(block: Block) -> int | None:
    """Read the orientation from a TIFF structure, with or without prefixes `Exif`.

    Only its first directory counts, because the second describes the thumbnail.

    Returns:
        1 to 8; None if there is no orientation, or the structure is damaged.
    """
    prefixes = _PREFIXES.match(block)
    tiff = memoryview(block)[prefixes.end() if prefixes else 0 :]
    order = _BYTE_ORDERS.get(bytes(tiff[:4]))
    if order is None:
        return None
    for tag, kind, count, value in _first_directory(tiff, order):
        code = _INTEGERS.get(kind)
        if tag == _TAG and code and 1 <= count <= len(value) // struct.calcsize(code):
            orientation = struct.unpack_from(order + code, value)[0]
            return orientation if orientation in range(1, 9) else UPRIGHT
    return None


def _first_directory(tiff: memoryview, order: str) -> Iterable[tuple[int, int, int, bytes]]:
    """Return each entry's tag, type, number of values, and value or offset."""
    try:
        (start,) = struct.unpack_from(order + "I", tiff, 4)
        (count,) = struct.unpack_from(order + "H", tiff, start)
    except struct.error:  # beyond the end
        return ()
    start += 2
    count = min(count, (len(tiff) - start) // _ENTRY_BYTES)
    return struct.iter_unpack(order + "HHI4s", tiff[start : start + count * _ENTRY_BYTES])


def from_xmp(packet: Block) -> int | None:
    """Read the orientation from an XMP packet: 1 to 8, or None if it has none."""
    found = _XMP.search(packet)
    return int(found[1]) if found else None
