"""WebP: walks over the RIFF chunks to the canvas and the first frame."""

import struct
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

from landmarks.errors import CorruptImageError, UnsupportedFormatError
from worker.detector.formats import ImageHeader, shown
from worker.detector.formats.orientation import read_orientation

_Chunk: TypeAlias = tuple[bytes, memoryview]  # type and body
_Size: TypeAlias = tuple[int, int]  # width and height in pixels

_RIFF = struct.Struct("<4sI4s")
_CHUNK = struct.Struct("<4sI")
_SIDE_BITS = 14

_ANIMATED, _XMP, _EXIF, _ALPHA = 0x02, 0x04, 0x08, 0x10  # flags in VP8X
_LOSSLESS_ALPHA = 0x10  # a flag in the last byte of a lossless frame's header
_PLACE_BYTES = 16  # ANMF: the frame's place on the canvas, duration and flags, before its chunks

# By lossless, alpha. Measured at 48 megapixels, at most: 6.0, 13.0 (with an alpha plane that takes
# as much as a lossless picture), 7.0 and 11.0.
_BYTES_PER_PIXEL = {(False, False): 6, (False, True): 14, (True, False): 8, (True, True): 12}

# Ordinary files have up to 7, an animation of two minutes 3,600. libwebp keeps them in a list.
MAX_CHUNKS = 8192

# The decoder keeps two canvases with alpha; measured with a lossless frame: 19.3.
_ANIMATION_BYTES_PER_PIXEL = 20


def walk(content: bytes) -> ImageHeader:
    """Find the size, orientation and end of the image."""
    end = _end(content)
    chunks = list(_chunks(memoryview(content)[_RIFF.size : end]))
    extended = next((body for kind, body in chunks if kind == b"VP8X"), None)
    flags = extended[0] if extended else 0
    orientation = read_orientation(  # decoders need the flags, too
        exif=(body for kind, body in chunks if kind == b"EXIF" and flags & _EXIF),
        xmp=(body for kind, body in chunks if kind == b"XMP " and flags & _XMP),
    )
    canvas = _canvas_size(extended) if extended else None
    if canvas and flags & _ANIMATED:
        still = _first_frame(chunks, canvas, flags)
        return ImageHeader(
            "webp",
            *canvas,
            end,
            orientation,
            bytes_per_pixel=_ANIMATION_BYTES_PER_PIXEL,
            decodable=still,
        )
    size = _frame_size(chunks)
    if canvas not in (None, size):
        raise CorruptImageError(f"the WebP file's canvas is {canvas}, its frame {size}")
    return ImageHeader(
        "webp", *size, end, orientation, bytes_per_pixel=_bytes_per_pixel(dict(chunks), flags)
    )


def _end(content: bytes) -> int:
    _, length, _ = _RIFF.unpack_from(content)
    end: int = _CHUNK.size + length
    if end > len(content):
        raise CorruptImageError(f"the WebP file is truncated: {len(content)} of {end} bytes")
    return end


def _chunks(content: memoryview) -> Iterator[_Chunk]:
    start = 0
    for _ in range(MAX_CHUNKS):
        if start >= len(content):
            return
        if start + _CHUNK.size > len(content):
            raise CorruptImageError("the WebP file ends within a chunk's header")
        kind, length = _CHUNK.unpack_from(content, start)
        body = start + _CHUNK.size
        if body + length > len(content):
            raise CorruptImageError(f"the WebP chunk {shown(kind)} extends beyond the file")
        yield kind, content[body : body + length]
        start = body + length + length % 2  # chunks start at even offsets
    raise UnsupportedFormatError(f"the WebP file has more than {MAX_CHUNKS} chunks")


def _bytes_per_pixel(chunks: Mapping[bytes, memoryview], flags: int) -> int:
    lossless = chunks.get(b"VP8L", b"")
    has_alpha = flags & _ALPHA or int.from_bytes(lossless[4:5]) & _LOSSLESS_ALPHA
    return _BYTES_PER_PIXEL[b"VP8L" in chunks, b"ALPH" in chunks or bool(has_alpha)]


def _canvas_size(body: memoryview) -> _Size:
    """Read VP8X: flags (1 byte), reserved (3), width - 1 (3), height - 1 (3)."""
    return int.from_bytes(body[4:7], "little") + 1, int.from_bytes(body[7:10], "little") + 1


def _first_frame(chunks: Iterable[_Chunk], canvas: _Size, flags: int) -> bytes:
    """Return an animation of the first frame alone, which the decoder draws onto the canvas.

    It starts with a transparent black canvas, as in Pillow and browsers, whatever the background
    colour is.
    """
    parts = dict(reversed([*chunks]))  # the first of each type
    if not {b"ANIM", b"ANMF"} <= parts.keys():
        raise CorruptImageError("the animated WebP file has no frame")
    frame = parts[b"ANMF"]
    left, top, width, height = (int.from_bytes(frame[at : at + 3], "little") for at in (0, 3, 6, 9))
    size = width + 1, height + 1
    if 2 * left + size[0] > canvas[0] or 2 * top + size[1] > canvas[1]:
        raise CorruptImageError("the WebP file's first frame is not within its canvas")
    if _frame_size(_chunks(frame[_PLACE_BYTES:])) != size:
        raise CorruptImageError("the WebP file's first frame has another size than its pixels")
    extended = bytes((flags & (_ANIMATED | _ALPHA),)) + parts[b"VP8X"][1:]
    return _file((b"VP8X", extended), (b"ANIM", parts[b"ANIM"]), (b"ANMF", frame))


def _file(*chunks: tuple[bytes, bytes | memoryview]) -> bytes:
    body = b"".join(
        _CHUNK.pack(kind, len(data)) + data + bytes(len(data) % 2) for kind, data in chunks
    )
    return _RIFF.pack(b"RIFF", len(b"WEBP") + len(body), b"WEBP") + body


def _frame_size(chunks: Iterable[_Chunk]) -> _Size:
    """Read the size of the only frame."""
    sizes = [
        _lossy_size(bytes(body[:10])) if kind == b"VP8 " else _lossless_size(bytes(body[:5]))
        for kind, body in chunks
        if kind in (b"VP8 ", b"VP8L")
    ]
    if len(sizes) != 1:
        raise CorruptImageError(f"the WebP file has {len(sizes)} frames instead of one")
    return sizes[0]


def _lossy_size(body: bytes) -> _Size:
    """Read VP8: frame tag (3 bytes), start code (3), width (14 bits, then 2 of scale), height."""
    if body[3:6] != b"\x9d\x01\x2a" or body[0] & 1:
        raise CorruptImageError("the WebP file's frame is not a VP8 key frame")
    mask = (1 << _SIDE_BITS) - 1
    width, height = (int.from_bytes(body[at : at + 2], "little") & mask for at in (6, 8))
    return width, height


def _lossless_size(body: bytes) -> _Size:
    """Read VP8L: signature (1 byte), width - 1 (14 bits), height - 1 (14 bits)."""
    if body[:1] != b"\x2f":
        raise CorruptImageError("the WebP file's frame is not a VP8L frame")
    bits, mask = int.from_bytes(body[1:5], "little"), (1 << _SIDE_BITS) - 1
    return (bits & mask) + 1, (bits >> _SIDE_BITS & mask) + 1
