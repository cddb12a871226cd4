"""Pictures as large as a detector's memory allows, of the kinds that take most of it.

They are made piece by piece, which takes little memory and time.
"""

import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from itertools import groupby
from typing import Any, Final, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from landmarks.errors import TooManyPixelsError
from tests import photos, pictures
from worker.detector.decode import ImageMemory, decode_image
from worker.detector.header import read_header
from worker.detector.launch import ChildOptions

# Eight rows of blocks, even of subsampled ones: restart markers count to eight.
STRIP_ROWS: Final = 128

_ENTROPY_END: Final = re.compile(rb"\xff[^\x00\xd0-\xd7]")
_MAX_WEBP_ROWS: Final = 16_383
_LOSSLESS_HEADER_BYTES: Final = 5
_ALPHA_FLAG: Final = 0x10


class Kind(NamedTuple):
    """A kind of image whose size is limited by memory.

    Attributes:
        name: for reports.
        width: width in pixels.
        build: returns a file of a width and a number of rows.
        step_rows: what the number of rows must be a multiple of.
    """

    name: str
    width: int
    build: Callable[[int, int], bytes]
    step_rows: int = 1

    def largest(self, options: ChildOptions) -> bytes:
        """Return a file of 98 % of the size that a detector accepts; its bytes count, too."""
        least = self.build(self.width, self.step_rows)
        rows = most_pixels(least, options) * 98 // 100 // self.width
        return self.build(self.width, rows - rows % self.step_rows)


def most_pixels(content: bytes, options: ChildOptions) -> int:
    """Return how many pixels a file like this may have, according to the refusal of more."""
    width = read_header(content, max_pixels=options.max_image_pixels).width
    try:
        decode_image(
            with_rows(content, options.max_image_pixels // width),
            max_pixels=options.max_image_pixels,
            memory=ImageMemory(options.image_bytes or 0, options.bytes_per_pixel),
        )
    except TooManyPixelsError as error:
        return int(re.findall(r"\d+", str(error))[-1])
    return options.max_image_pixels  # memory is no limit


def with_rows(content: bytes, rows: int) -> bytes:
    """Return the file with another height in its headers."""
    if content.startswith(pictures.PNG_SIGNATURE):
        return content[:20] + rows.to_bytes(4) + content[24:]
    if content.startswith(b"GIF"):
        return _gif_with_rows(content, rows)
    if content.startswith(b"RIFF"):
        return _webp_with_rows(content, min(rows, _MAX_WEBP_ROWS))
    at = pictures.jpeg_frame(content) + 5
    return content[:at] + rows.to_bytes(2) + content[at + 2 :]


def _gif_with_rows(content: bytes, rows: int) -> bytes:
    width, height = content[6:8], rows.to_bytes(2, "little")
    frame = content.index(b"\x2c" + bytes(4) + width) + 7
    return content[:8] + height + content[10:frame] + height + content[frame + 2 :]


def _webp_with_rows(content: bytes, rows: int) -> bytes:
    patched = bytearray(content)
    if (at := content.find(b"VP8X")) > 0:
        patched[at + 15 : at + 18] = (rows - 1).to_bytes(3, "little")
    if (at := content.find(b"VP8 ")) > 0:
        patched[at + 16 : at + 18] = rows.to_bytes(2, "little")
    else:
        at = content.index(b"VP8L") + 9
        bits = int.from_bytes(content[at : at + 4], "little")
        bits = bits & ~(0x3FFF << 14) | (rows - 1) << 14
        patched[at : at + 4] = bits.to_bytes(4, "little")
    return bytes(patched)


# JPEG: strips that start with a restart marker can be joined.


def person_jpeg(width: int, rows: int) -> bytes:
    """Return a JPEG of a person with raised hands."""
    options = [cv2.IMWRITE_JPEG_RST_INTERVAL, -(-width // 16)]
    strips = _person(width, rows)
    return join([bytes(cv2.imencode(".jpg", strip, options)[1]) for strip in strips])


def striped_jpeg(width: int, rows: int, *, mode: str = "RGB", **options: Any) -> bytes:  # noqa: ANN401 - Pillow's
    """Return a JPEG of one strip, again and again."""
    return join([_strip(width, mode, **options)] * (rows // STRIP_ROWS))


def join(strips: Sequence[bytes]) -> bytes:
    """Return a JPEG of strips with the same tables, one below the other."""
    scans = [_scans(strip) for strip in strips]
    parts = [
        heads[0] + b"\xff\xd7".join(data)
        for heads, data in (zip(*scan, strict=True) for scan in zip(*scans, strict=True))
    ]
    rows = sum(
        int.from_bytes(strip[(at := pictures.jpeg_frame(strip) + 5) : at + 2]) for strip in strips
    )
    return with_rows(b"".join((*parts, b"\xff\xd9")), rows)


@cache
def _strip(width: int, mode: str, **options: Any) -> bytes:  # noqa: ANN401 - Pillow's
    picture = Image.linear_gradient("L").resize((width, STRIP_ROWS)).convert("RGB").convert(mode)
    return pictures.encode(picture, "JPEG", restart_marker_rows=1, **options)


@cache
def _scans(content: bytes) -> tuple[tuple[bytes, bytes], ...]:
    """Return each scan: all segments before its data, and the data."""
    found, start, end = [], 0, 2
    while content[end + 1] != 0xD9:
        is_scan = content[end + 1] == 0xDA
        end += 2 + int.from_bytes(content[end + 2 : end + 4])
        if is_scan:
            data = end
            end = next(match.start() for match in _ENTROPY_END.finditer(content, data))
            found.append((content[start:data], content[data:end]))
            start = end
    return tuple(found)


# PNG and WebP


def person_png(width: int, rows: int) -> bytes:
    """Return an 8-bit RGB PNG of a person with raised hands and blue skin."""
    lines = [b"\0" + line.tobytes() for strip in _person(width, rows) for line in strip]
    same = b"\2" + bytes(3 * width)  # filter type: the difference to the row above
    checksum, data = 1, [b"\x78\x01"]
    for line, group in groupby(lines):
        copies = same * (len(list(group)) - 1)
        checksum = zlib.adler32(copies, zlib.adler32(line, checksum))
        data += _deflated(line), _deflated(copies)
    chunks = (
        pictures.png_header(width, rows),
        pictures.png_chunk(b"IDAT", b"".join((*data, b"\3\0", checksum.to_bytes(4)))),
        pictures.png_chunk(b"IEND"),
    )
    return pictures.PNG_SIGNATURE + b"".join(chunks)


@cache
def _deflated(data: bytes) -> bytes:
    """Return data as blocks that can follow any others."""
    compressor = zlib.compressobj(1, wbits=-zlib.MAX_WBITS)
    return compressor.compress(data) + compressor.flush(zlib.Z_FULL_FLUSH)


def webp(width: int, rows: int, *, mode: str = "RGB", lossless: bool = False) -> bytes:
    """Return a WebP of one colour, half transparent with mode RGBA."""
    picture = Image.new("RGB", (width, rows), (200, 195, 190))
    if mode == "RGBA":
        picture.putalpha(128)
    return pictures.encode(picture, "WEBP", lossless=lossless, method=0, quality=0)


def gif(width: int, rows: int) -> bytes:
    """Return a GIF of one colour."""
    return pictures.encode(Image.new("P", (width, rows)), "GIF")


def webp_with_alpha_plane(width: int, rows: int) -> bytes:
    """Return a lossy WebP whose alpha plane takes as much memory as a lossless picture.

    Of that, only the green channel is used. With few colours, a byte per pixel would be enough.
    """
    gradients = Image.linear_gradient("L"), Image.radial_gradient("L")
    colours = Image.merge("RGB", (*gradients, gradients[0])).resize((width, rows))
    plane = pictures.webp_frame(pictures.encode(colours, "WEBP", lossless=True, method=0))[1]
    alpha = b"ALPH", b"\1" + plane[_LOSSLESS_HEADER_BYTES:]  # 1: compressed
    frame = pictures.webp_frame(webp(width, rows))
    return pictures.webp(pictures.webp_canvas(width, rows, _ALPHA_FLAG), alpha, frame)


def _person(width: int, rows: int) -> Iterator[npt.NDArray[np.uint8]]:
    """Yield strips of an enlarged photograph in BGR, shape (up to STRIP_ROWS, width, 3)."""
    pixels = cv2.imdecode(np.frombuffer(photos.both_hands().content, np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    for start in range(0, rows, STRIP_ROWS):
        lines = np.arange(start, min(start + STRIP_ROWS, rows)) * len(pixels) // rows
        different, places = np.unique(lines, return_inverse=True)
        size = width, len(different)
        wide = cv2.resize(pixels[different], size, interpolation=cv2.INTER_NEAREST)
        yield np.asarray(wide, np.uint8)[places]


KINDS: Final = (
    Kind("progressive JPEG, 4:2:0", 16_320, partial(striped_jpeg, progressive=True), STRIP_ROWS),
    Kind(
        "progressive JPEG, 4:4:4",
        8_160,
        partial(striped_jpeg, progressive=True, subsampling=0),
        STRIP_ROWS,
    ),
    Kind(
        "progressive JPEG, CMYK",
        8_160,
        partial(striped_jpeg, progressive=True, mode="CMYK"),
        STRIP_ROWS,
    ),
    Kind("PNG", 9_120, person_png),
    Kind("GIF", 9_000, gif),
    Kind("WebP, lossy", 9_000, webp),
    Kind("WebP, lossless", 9_000, partial(webp, lossless=True)),
    Kind("WebP, lossless with alpha", 8_000, partial(webp, lossless=True, mode="RGBA")),
    Kind("WebP, lossy with alpha", 8_000, webp_with_alpha_plane),
)
