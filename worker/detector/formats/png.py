"""PNG: walks over the chunks. libpng verifies the checksums."""

import struct
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import NamedTuple, TypeAlias

from landmarks.errors import CorruptImageError, UnsupportedFormatError
from worker.detector.formats import ImageHeader
from worker.detector.formats.orientation import read_orientation

_Chunk: TypeAlias = tuple[bytes, int, int]  # type, and where it starts and ends

_SIGNATURE_BYTES = 8
_HEADER = struct.Struct(">I4sIIBBBBB")
_CHUNK = struct.Struct(">I4s")
_CHECKSUM_BYTES = 4

_BIT_DEPTHS = {
    0: (1, 2, 4, 8, 16),
    2: (8, 16),
    3: (1, 2, 4, 8),
    4: (8, 16),
    6: (8, 16),
}  # by colour type

_ANIMATION = frozenset({b"acTL", b"fcTL", b"fdAT"})
_METADATA = frozenset({b"eXIf", b"tEXt", b"zTXt", b"iTXt"})
_PROFILE_KEY, _XMP_KEY = b"Raw profile type exif\0", b"XML:com.adobe.xmp\0"

# libpng writes chunks of 8 kB, so 30 MB are 3,800 chunks. Walking over 65,536 takes 20 ms.
MAX_CHUNKS = 65_536

# libpng inflates each to up to 8 MB and keeps it. 100 texts in 0.8 MB took 5 s and 0.8 GB.
MAX_TEXTS = 16

MAX_TEXT_BYTES = 2**20  # as much of a text as is searched for an orientation

# Measured with all depths and colour types, interlaced or not.
_BYTES_PER_PIXEL = 6


class Header(NamedTuple):
    """The IHDR chunk: size in pixels, bits per sample, PNG colour type."""

    width: int
    height: int
    depth: int
    colour: int


def walk(content: bytes) -> ImageHeader:
    """Find the size, orientation and end of the image."""
    header = read_header(content)
    chunks = list(_chunks(content))
    kinds = Counter(kind for kind, _, _ in chunks)
    if b"IDAT" not in kinds:
        raise CorruptImageError("the PNG file has no pixels")
    texts = kinds[b"zTXt"] + kinds[b"iTXt"]
    if texts > MAX_TEXTS:
        raise UnsupportedFormatError(f"the PNG file has {texts} text chunks, more than {MAX_TEXTS}")
    return ImageHeader(
        "png",
        header.width,
        header.height,
        length_bytes=chunks[-1][2],
        orientation=_orientation(content, chunks),
        bytes_per_pixel=_BYTES_PER_PIXEL,
        decodable=_default_image(content, chunks) if kinds.keys() & _ANIMATION else None,
    )


def read_header(content: bytes) -> Header:
    """Read the header, which follows the signature."""
    if len(content) < _SIGNATURE_BYTES + _HEADER.size:
        raise CorruptImageError("the PNG file ends within its header")
    length, kind, width, height, depth, colour, compression, filtering, interlace = (
        _HEADER.unpack_from(content, _SIGNATURE_BYTES)
    )
    is_known = depth in _BIT_DEPTHS.get(colour, ()) and compression == filtering == 0
    if (length, kind) != (13, b"IHDR") or not is_known or interlace > 1:
        raise CorruptImageError("the PNG file's header is damaged")
    return Header(width, height, depth, colour)


def _chunks(content: bytes) -> Iterator[_Chunk]:
    """Yield the chunks up to IEND."""
    end = _SIGNATURE_BYTES
    for _ in range(MAX_CHUNKS):
        if end + _CHUNK.size > len(content):
            raise CorruptImageError("the PNG file is truncated: it has no IEND chunk")
        length, kind = _CHUNK.unpack_from(content, end)
        start, end = end, end + _CHUNK.size + length + _CHECKSUM_BYTES
        if end > len(content):  # a decoder would allocate this much
            raise CorruptImageError(f"the PNG chunk at byte {start} extends beyond the file")
        yield kind, start, end
        if kind == b"IEND":
            return
    raise UnsupportedFormatError(f"the PNG file has more than {MAX_CHUNKS} chunks")


def _default_image(content: bytes, chunks: Iterable[_Chunk]) -> bytes:
    """Return an animated PNG without its animation.

    What remains is mostly the first frame, and what Pillow and all decoders without animations
    show. OpenCV would parse the other frames, too.
    """
    still = [content[start:end] for kind, start, end in chunks if kind not in _ANIMATION]
    return content[:_SIGNATURE_BYTES] + b"".join(still)


def _orientation(content: bytes, chunks: Iterable[_Chunk]) -> int:
    """Read the orientation from eXIf, ImageMagick's profile of EXIF in a text chunk, or XMP."""
    exif, profiles, xmp = [], [], []
    for kind, start, end in chunks:
        body = content[start + _CHUNK.size : end - _CHECKSUM_BYTES] if kind in _METADATA else b""
        if kind == b"eXIf":
            exif.append(body)
        elif body.startswith(_PROFILE_KEY):
            profiles.append(_profile(_text(kind, body)))
        elif body.startswith(_XMP_KEY):
            xmp.append(_text(kind, body))
    return read_orientation(exif + profiles, xmp)


def _text(kind: bytes, body: bytes) -> bytes:
    """Return the text of a tEXt, zTXt or iTXt chunk, up to MAX_TEXT_BYTES; empty if damaged."""
    _, _, text = body.partition(b"\0")
    is_deflated = kind == b"zTXt"
    if is_deflated:
        text = text[1:]  # after the method
    elif kind == b"iTXt":  # flag and method (1 byte each), language, translated keyword
        is_deflated = text[:1] == b"\1"
        text = text[2:].split(b"\0", 2)[-1]
    with suppress(zlib.error):
        return zlib.decompressobj().decompress(text, MAX_TEXT_BYTES) if is_deflated else text
    return b""


def _profile(text: bytes) -> bytes:
    """Decode a raw profile: a line with its type, one with its length, and lines of digits."""
    digits = b"".join(text[:MAX_TEXT_BYTES].split(b"\n")[3:])
    try:
        return bytes.fromhex(digits.decode("latin-1"))
    except ValueError:
        return b""
