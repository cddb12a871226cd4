"""The first frame of a GIF looks as in Pillow, and the others cost nothing."""

import struct
import time

import numpy as np
import pytest
from PIL import Image

from landmarks.errors import CorruptImageError, TooManyPixelsError, UnsupportedFormatError
from tests.pictures import (
    HEIGHT,
    WIDTH,
    corners,
    encode,
    gif,
    gif_blocks,
    gif_codes,
    gif_flat,
    read_with_pillow,
)
from worker.detector.decode import DecodedImage, decode_image
from worker.detector.formats.gif import MAX_BLOCKS, MAX_CLEARS
from worker.detector.header import read_header

MAX_PIXELS = 50_000_000

TABLE = bytes((10, 20, 30, 200, 40, 50, 60, 210, 70, 80, 90, 220))
SMALL = (1, 2, 8, 4)
PIXELS = gif_flat([0, 1, 2, 3] * 8)


def control(transparent: int, *, flags: int = 1) -> bytes:
    """Return the extension that names the transparent colour."""
    return b"\x21\xf9" + gif_blocks(struct.pack("<BHB", flags, 10, transparent))


def comment(data: bytes) -> bytes:
    """Return an extension that decoders ignore."""
    return b"\x21\xfe" + gif_blocks(data)


def decode(content: bytes) -> DecodedImage:
    """Decode with the default limit."""
    return decode_image(content, max_pixels=MAX_PIXELS)


NOISE = Image.fromarray(np.random.default_rng(1).integers(0, 256, (200, 300), np.uint8), "L")
FILES = {
    "palette": encode(corners().quantize(16), "GIF"),
    "grey": encode(corners().convert("L"), "GIF"),
    "two-colours": encode(corners().convert("1"), "GIF"),
    "not-interlaced": encode(NOISE, "GIF", interlace=0),
    "interlaced": encode(NOISE, "GIF", interlace=1),
    "transparent": encode(corners().quantize(16), "GIF", transparency=0),
    "small-frame": gif(PIXELS, frame=SMALL, table=TABLE, background=1),
    "small-frame-transparent": gif(PIXELS, control(2), frame=SMALL, table=TABLE, background=1),
    "transparency-not-used": gif(PIXELS, control(2, flags=0), frame=SMALL, table=TABLE),
    "no-table": gif(PIXELS, frame=SMALL),
    "background-not-in-table": gif(PIXELS, frame=SMALL, table=TABLE, background=255),
    "beyond-the-canvas": gif(PIXELS, frame=(WIDTH - 4, HEIGHT - 2, 8, 4), table=TABLE),
    "comments": gif(PIXELS, comment(b"a" * 999), comment(b""), b"\0", frame=SMALL, table=TABLE),
    "no-end-mark": gif(PIXELS, frame=SMALL, table=TABLE)[:-1],
}


@pytest.mark.parametrize("content", FILES.values(), ids=FILES.keys())
def test_looks_as_in_pillow(content: bytes) -> None:
    """Tables, transparency, interlacing and extents give Pillow's pixels."""
    image = decode(content)
    assert image.format == "gif"
    assert image.pixels.shape == (image.height, image.width, 3)
    np.testing.assert_array_equal(image.pixels, read_with_pillow(content))


def test_goes_by_magic_bytes() -> None:
    """The older version of the format is read, too."""
    content = gif(PIXELS, frame=SMALL, table=TABLE)
    older = b"GIF87a" + content[6:]
    np.testing.assert_array_equal(decode(older).pixels, decode(content).pixels)


def test_uses_the_table_of_the_frame() -> None:
    """A frame's own colours come before the file's."""
    content = gif(PIXELS, frame=SMALL, table=TABLE)
    at = content.index(b",", 25) + 9  # the frame's flags
    own = content[:at] + b"\x81" + TABLE[::-1] + content[at + 1 :]
    image = decode(own)
    np.testing.assert_array_equal(image.pixels, read_with_pillow(own))
    assert tuple(image.pixels[2, 1]) == tuple(TABLE[:-4:-1])


def test_only_the_first_frame_counts() -> None:
    """A file of 1,000 frames is decoded like its first frame, whatever follows."""
    frames = [corners().rotate(angle).quantize(16) for angle in (0, 90, 180)]
    content = encode(
        frames[0], "GIF", save_all=True, append_images=frames[1:] * 500, loop=0, disposal=2
    )
    first = read_header(content, max_pixels=MAX_PIXELS)
    assert first.length_bytes < len(content) / 900
    assert read_header(content[: first.length_bytes], max_pixels=MAX_PIXELS) == first
    np.testing.assert_array_equal(decode(content).pixels, read_with_pillow(content))


@pytest.mark.parametrize(
    "content",
    [
        b"GIF89a",
        gif(PIXELS, frame=(0, 0, 0, 4), table=TABLE),
        gif(PIXELS, frame=(0, 0, 4, 0), table=TABLE),
        gif(PIXELS, frame=(65_535, 0, 8, 4), table=TABLE),
        gif(PIXELS, b"X", frame=SMALL, table=TABLE),
        gif(PIXELS, b";", frame=SMALL, table=TABLE),
        gif(b"\x01" + PIXELS[1:], frame=SMALL, table=TABLE),
        gif(b"\x09" + PIXELS[1:], frame=SMALL, table=TABLE),
    ],
)
def test_refuses_damage(content: bytes) -> None:
    """Files without a frame, and impossible frames, never reach a decoder."""
    with pytest.raises(CorruptImageError):
        read_header(content, max_pixels=MAX_PIXELS)


@pytest.mark.parametrize("count", [0, 31, 34, 64])
def test_refuses_a_wrong_number_of_pixels(count: int) -> None:
    """A frame with fewer or more pixels than it should have is damaged."""
    with pytest.raises(CorruptImageError):
        decode(gif(gif_flat([1] * count), frame=SMALL, table=TABLE))


def test_refuses_huge_canvas() -> None:
    """A small file that claims 4 gigapixels is rejected."""
    with pytest.raises(TooManyPixelsError):
        read_header(gif(PIXELS, width=65_535, height=65_535), max_pixels=MAX_PIXELS)


def test_counts_clear_codes() -> None:
    """Each makes the decoder build its table again, so files may have 131,072, at any length."""
    most = struct.pack("<I", 0x924924)[:3] * (MAX_CLEARS // 8)  # eight clear codes of three bits
    frame = (0, 0, WIDTH, HEIGHT)
    start = time.process_time()
    assert read_header(gif(b"\2" + most, frame=frame), max_pixels=MAX_PIXELS).width == WIDTH
    with pytest.raises(UnsupportedFormatError, match="more than 131072 clear codes"):
        read_header(gif(b"\2" + most * 500, frame=frame), max_pixels=MAX_PIXELS)
    assert time.process_time() - start < 10


def test_finds_the_end_of_the_codes() -> None:
    """What follows the code that ends a frame doesn't reach the decoder."""
    for codes in ([4, 1, 2, 5], [5], [1] * 2 + [4, 5]):
        whole = gif(gif_codes(codes, bits=3), frame=SMALL)
        longer = gif(gif_codes(codes, bits=3) + bytes(9000), frame=SMALL)
        assert (
            read_header(whole, max_pixels=MAX_PIXELS).decodable
            == read_header(longer, max_pixels=MAX_PIXELS).decodable
        )


@pytest.mark.parametrize(
    "blocks",
    [b"\x01a" * MAX_BLOCKS, b"\x01a\0\x21\xfe" * MAX_BLOCKS],
    ids=["blocks", "extensions"],
)
def test_counts_blocks(blocks: bytes) -> None:
    """A file may not consist of millions of tiny blocks."""
    with pytest.raises(UnsupportedFormatError, match="more than 131072 blocks"):
        read_header(gif(PIXELS, b"\x21\xfe" + blocks * 2 + b"\0"), max_pixels=MAX_PIXELS)
