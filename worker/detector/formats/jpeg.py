"""JPEG: walks over the marker segments, including those between scans."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from landmarks.errors import CorruptImageError, UnsupportedFormatError
from worker.detector.formats import PIXEL_BYTES, ImageHeader
from worker.detector.formats.orientation import read_orientation

_SOI, _EOI, _SOS, _APP1 = 0xD8, 0xD9, 0xDA, 0xE1
_END = bytes((0xFF, _EOI))
_EXIF, _XMP = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"  # what an APP1 segment starts with

# All "start of frame" markers: C0 to CF without DHT (C4) and DAC (CC), and JPEG-LS's F7.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xCC} | {0xF7}

# Baseline, extended sequential and progressive, with Huffman coding. The others (lossless,
# hierarchical, arithmetic) are very rare, and their decoders were not tested.
_PROGRESSIVE = 0xC2
_SUPPORTED_FRAMES = frozenset({0xC0, 0xC1, _PROGRESSIVE})

_FIRST_MARKER = 0xC0  # those below are reserved; libjpeg rejects them, too

# The next marker with a segment. As in libjpeg, FF00 (a data byte), FF01, FFD0 to FFD7 (restarts)
# and FFFF (padding) are skipped. A regular expression is fast enough for 50 MB of padding (0.3 s).
_MARKER = re.compile(rb"\xff([^\x00\x01\xd0-\xd7\xff])")

# A progressive photo has about 10 scans, each a pass over all pixels. At 50 megapixels, 64 scans
# take 1.5 s, and a thousand took 14 s.
MAX_SCANS = 64

# At 200 megapixels, 64 scans took 12 s. libjpeg writes 10 for colours and 18 for CMYK.
MAX_SCANNED_PIXELS = 18 * 250_000_000

# A phone's depth map, 20 MB of extended XMP, takes 320 segments.
MAX_SEGMENTS = 4096

_COEFFICIENT_BYTES = 2


class _BrokenOffError(CorruptImageError):
    """Raised where a JPEG can't be read on; what is before that may be an image."""

    def __init__(self, message: str, end_bytes: int) -> None:
        super().__init__(message)
        self.end_bytes = end_bytes


@dataclass(slots=True)
class _Structure:
    """What matters of a JPEG's segments.

    Attributes:
        frame_marker: the marker of the frame, 0 without one.
        frame: the frame segment's body.
        first_scan: the first scan segment's body.
        scans: number of scans.
        metadata: bodies of EXIF and XMP segments before the first scan.
        end: where the image ends.
        truncated: whether it ends there because it breaks off.
    """

    frame_marker: int = 0
    frame: bytes = b""
    first_scan: bytes = b""
    scans: int = 0
    metadata: list[bytes] = field(default_factory=list)
    end: int = 0
    truncated: bool = False


def walk(content: bytes) -> ImageHeader:
    """Find the size, orientation and end of the image.

    An image that breaks off after the start of a scan is truncated, as long as something is there:
    it has no end, or a marker that doesn't belong between scans.
    """
    # Zeros fill up a file that was allocated before its upload broke off. FF00 is a data byte.
    content = content[: len(content.rstrip(b"\0")) + 1]
    found = _read(content)
    if not found.frame_marker or not found.scans:
        raise CorruptImageError("the JPEG file has no pixels")
    width, height = _frame_size(found.frame_marker, found.frame)
    most = min(MAX_SCANS, MAX_SCANNED_PIXELS // max(1, width * height))
    if found.scans > most:
        raise UnsupportedFormatError(f"the JPEG file has {found.scans} scans, more than {most}")
    components = found.frame[5:6], found.first_scan[:1]
    in_one_pass = found.frame_marker != _PROGRESSIVE and components[0] == components[1]
    return ImageHeader(
        "jpeg",
        width,
        height,
        found.end,
        orientation=read_orientation(
            exif=(body for body in found.metadata if body.startswith(_EXIF)),
            xmp=(body for body in found.metadata if body.startswith(_XMP)),
        ),
        truncated=found.truncated,
        bytes_per_pixel=PIXEL_BYTES + (0 if in_one_pass else _coefficient_bytes(found.frame)),
        decodable=content[: found.end] + _END if found.truncated else None,
    )


def _read(content: bytes) -> _Structure:
    found = _Structure()
    try:
        for marker, start, found.end in _segments(content):
            if marker in _FRAMES:
                found.frame_marker, found.frame = marker, content[start : found.end]
            elif marker == _SOS:
                found.scans += 1
                found.first_scan = found.first_scan or content[start : found.end]
            elif not found.scans and marker == _APP1 and content.startswith((_EXIF, _XMP), start):
                found.metadata.append(content[start : found.end])
    except _BrokenOffError as damage:
        if not found.scans:
            raise
        found.end, found.truncated = damage.end_bytes, True
    return found


def _segments(content: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield each marker up to "end of image", with the start and end of its segment's body."""
    end = 2  # after "start of image", which is part of the magic bytes
    has_frame = False
    for _ in range(MAX_SEGMENTS):
        found = _MARKER.search(content, end)
        if not found:
            raise _BrokenOffError(
                "the JPEG file is truncated: it has no end-of-image marker", len(content)
            )
        marker, start = found[1][0], found.end()
        if marker == _EOI:
            yield marker, start, start
            return
        if marker == _SOI or marker < _FIRST_MARKER or (has_frame and marker in _FRAMES):
            raise _BrokenOffError(
                f"the JPEG file has a stray marker FF{marker:02X} at byte {start}", found.start()
            )
        has_frame = has_frame or marker in _FRAMES
        end = start + int.from_bytes(content[start : start + 2], "big")
        if not start + 2 <= end <= len(content):
            raise _BrokenOffError(
                f"the JPEG segment at byte {start} extends beyond the file", found.start()
            )
        yield marker, start + 2, end
    raise UnsupportedFormatError(f"the JPEG file has more than {MAX_SEGMENTS} segments")


def _frame_size(marker: int, body: bytes) -> tuple[int, int]:
    if marker not in _SUPPORTED_FRAMES:
        raise UnsupportedFormatError(
            f"JPEG variant FF{marker:02X} is not supported: only baseline and progressive"
        )
    precision = int.from_bytes(body[:1])
    if precision != 8:  # noqa: PLR2004 - bits
        raise UnsupportedFormatError(
            f"JPEG with {precision} bits per sample is not supported: only 8"
        )
    height, width = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
    return width, height


def _coefficient_bytes(frame: bytes) -> int:
    """Return the bytes per pixel of all coefficients, which several scans keep in memory."""
    factors = [(sampling >> 4, sampling & 15) for sampling in frame[7::3]]
    most = max(x for x, _ in factors) * max(y for _, y in factors) if factors else 0
    samples = sum(x * y for x, y in factors)
    return -(-_COEFFICIENT_BYTES * samples // most) if most else 0
