"""WebP: walks over the RIFF chunks to the sizes of the canvas and the only frame."""

import struct
from collections.abc import Iterator

from landmarks.errors import CorruptImageError, UnsupportedFormatError
from worker.detector.formats import ImageHeader

_RIFF = struct.Struct("<4sI4s")
_CHUNK = struct.Struct("<4sI")
_SIDE_BITS = 14

_ANIMATION = frozenset({b"ANIM", b"ANMF"})
_ANIMATED = 0x02  # a flag in VP8X

MAX_CHUNKS = 1024  # ordinary files have up to 7; libwebp keeps them in a list


def walk(content: bytes) -> ImageHeader:
    """Find the size and the end of the image."""
    end = _end(content)
    canvas = frame = None
    for kind, body in _chunks(content, end):
        if kind in _ANIMATION:
            raise UnsupportedFormatError("animated WebP is not supported")
        if kind == b"VP8X":
            canvas = _canvas_size(body)
        elif kind in (b"VP8 ", b"VP8L"):
            if frame:
                raise CorruptImageError("the WebP file has two frames")
            frame = _lossy_size(body) if kind == b"VP8 " else _lossless_size(body)
    if frame is None:
        raise CorruptImageError("the WebP file has no pixels")
    if canvas not in (None, frame):
        raise CorruptImageError(f"the WebP file's canvas is {canvas}, its frame {frame}")
    return ImageHeader("webp", *frame, end)


def _end(content: bytes) -> int:
    _, length, _ = _RIFF.unpack_from(content)
    end: int = _CHUNK.size + length
    if end > len(content):
        raise CorruptImageError(f"the WebP file is truncated: {len(content)} of {end} bytes")
    return end


def _chunks(content: bytes, end: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield the type and the first 10 bytes of each chunk."""
    start = _RIFF.size
    for _ in range(MAX_CHUNKS):
        if start >= end:
            return
        if start + _CHUNK.size > end:
            raise CorruptImageError("the WebP file ends within a chunk's header")
        kind, length = _CHUNK.unpack_from(content, start)
        body = start + _CHUNK.size
        if body + length > end:
            raise CorruptImageError(f"the WebP chunk at byte {start} extends beyond the file")
        yield kind, content[body : body + min(length, 10)]
        start = body + length + length % 2  # chunks start at even offsets
    raise UnsupportedFormatError(f"the WebP file has more than {MAX_CHUNKS} chunks")


def _canvas_size(body: bytes) -> tuple[int, int]:
    """Read VP8X: flags (1 byte), reserved (3), width - 1 (3), height - 1 (3)."""
    if int.from_bytes(body[:1]) & _ANIMATED:
        raise UnsupportedFormatError("animated WebP is not supported")
    return int.from_bytes(body[4:7], "little") + 1, int.from_bytes(body[7:10], "little") + 1


def _lossy_size(body: bytes) -> tuple[int, int]:
    """Read VP8: frame tag (3 bytes), start code (3), width (14 bits, then 2 of scale), height."""
    if body[3:6] != b"\x9d\x01\x2a" or body[0] & 1:
        raise CorruptImageError("the WebP file's frame is not a VP8 key frame")
    mask = (1 << _SIDE_BITS) - 1
    width, height = (int.from_bytes(body[at : at + 2], "little") & mask for at in (6, 8))
    return width, height


def _lossless_size(body: bytes) -> tuple[int, int]:
    """Read VP8L: signature (1 byte), width - 1 (14 bits), height - 1 (14 bits)."""
    if body[:1] != b"\x2f":
        raise CorruptImageError("the WebP file's frame is not a VP8L frame")
    bits, mask = int.from_bytes(body[1:5], "little"), (1 << _SIDE_BITS) - 1
    return (bits & mask) + 1, (bits >> _SIDE_BITS & mask) + 1
