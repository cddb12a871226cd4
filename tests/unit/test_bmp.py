"""BMP files of every kind look as in Pillow, and damaged ones are rejected."""

import struct

import numpy as np
import numpy.typing as npt
import pytest

from landmarks.errors import CorruptImageError, UnsupportedFormatError
from tests.pictures import HEIGHT, WIDTH, bmp, bmp_rle8, corners, encode, photo, read_with_pillow
from worker.detector.decode import decode_image
from worker.detector.formats import bmp as bmp_format
from worker.detector.header import read_header

MAX_PIXELS = 50_000_000
RGB = np.asarray(corners())
PALETTE = corners().quantize(4)


def decode(content: bytes) -> npt.NDArray[np.uint8]:
    """Decode a BMP."""
    image = decode_image(content, max_pixels=MAX_PIXELS)
    assert (image.format, image.width, image.height) == ("bmp", WIDTH, HEIGHT)
    return image.pixels


def colours(entry_bytes: int) -> bytes:
    """Return the palette of `PALETTE`."""
    table = np.zeros((4, entry_bytes), np.uint8)
    table[:, 2::-1] = np.array(PALETTE.getpalette(), np.uint8)[:12].reshape(4, 3)
    return table.tobytes()


def indices(bits: int) -> bytes:
    """Return the pixels of `PALETTE` from the bottom up."""
    values = np.asarray(PALETTE)[::-1]
    if bits == 4:
        values = values[:, ::2] << 4 | values[:, 1::2]
    return values.tobytes()


def packed(order: str) -> bytes:
    """Return 32-bit pixels from the bottom up, in the order of these channels."""
    alpha = np.full((HEIGHT, WIDTH), 7, np.uint8)
    channels = dict(zip("rgbx", [*np.moveaxis(RGB, 2, 0), alpha], strict=True))
    return np.dstack([channels[name] for name in order])[::-1].tobytes()


def packed_16(masks: tuple[int, int, int]) -> bytes:
    """Return 16-bit pixels from the bottom up."""
    red, green, blue = (RGB[::-1].astype("<u2")[..., channel] for channel in range(3))
    middle = 2 if masks[1] == 0x7E0 else 3
    top = 11 if masks[0] == 0xF800 else 10
    return (red >> 3 << top | green >> middle << 5 | blue >> 3).astype("<u2").tobytes()


BYTES = {"b": 0xFF, "g": 0xFF00, "r": 0xFF0000}
WHOLE = bmp(RGB[::-1, :, ::-1].tobytes(), bits=24)
PALETTED = {
    "8-bit": bmp(indices(8), bits=8, palette=colours(4), colours=4),
    "4-bit": bmp(indices(4), bits=4, palette=colours(4), colours=4),
    "os2-short": bmp(indices(8), bits=8, palette=colours(3), length=12),
    "os2-16": bmp(indices(8), bits=8, palette=colours(4), length=16),
    "os2-64": bmp(indices(8), bits=8, palette=colours(4), length=64, colours=4),
    "too-many-colours": bmp(indices(8), bits=8, palette=colours(4) + bytes(1200), colours=304),
    "full-palette": bmp(indices(8), bits=8, palette=colours(4) + bytes(1008)),
    "rle": bmp_rle8(),
}
TRUE_COLOUR = {
    "24-bit": WHOLE,
    "32-bit": bmp(packed("bgrx"), bits=32),
    "reserved-set": WHOLE[:6] + b"\x15\0\x10\0" + WHOLE[10:],
    "no-length": WHOLE[:2] + bytes(4) + WHOLE[6:],
    "top-down": bmp(RGB[..., ::-1].tobytes(), bits=24, height=-HEIGHT),
    **{f"header-{n}": bmp(RGB[::-1, :, ::-1].tobytes(), bits=24, length=n) for n in (52, 56, 108)},
    "header-124": bmp(RGB[::-1, :, ::-1].tobytes(), bits=24, length=124),
    "last-row-not-filled": bmp(RGB[::-1, :, ::-1].tobytes(), bits=24),
    "order-rgbx": bmp(packed("rgbx"), bits=32, masks=(0xFF, 0xFF00, 0xFF0000)),
    "order-xbgr": bmp(packed("xbgr"), bits=32, masks=(0xFF000000, 0xFF0000, 0xFF00)),
    "order-in-108": bmp(packed("rgbx"), bits=32, masks=(0xFF, 0xFF00, 0xFF0000), length=108),
}


@pytest.mark.parametrize("content", TRUE_COLOUR.values(), ids=TRUE_COLOUR.keys())
def test_keeps_true_colours(content: bytes) -> None:
    """Every header and every order of bytes gives the same pixels."""
    np.testing.assert_array_equal(decode(content), RGB)


@pytest.mark.parametrize("content", PALETTED.values(), ids=PALETTED.keys())
def test_keeps_palettes(content: bytes) -> None:
    """Palettes of any length and entry size give the same colours."""
    np.testing.assert_array_equal(decode(content), np.asarray(PALETTE.convert("RGB")))


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA"])
def test_reads_what_pillow_writes(mode: str) -> None:
    """All modes look as in Pillow."""
    content = encode(corners().convert(mode), "BMP")
    np.testing.assert_array_equal(decode(content), read_with_pillow(content))


@pytest.mark.parametrize("masks", [(0x7C00, 0x3E0, 0x1F), (0xF800, 0x7E0, 0x1F)])
def test_reads_16_bits(masks: tuple[int, int, int]) -> None:
    """Five bits per channel are at most a step of 8 darker."""
    pixels = decode(bmp(packed_16(masks), bits=16, masks=masks))
    assert np.abs(pixels.astype(int) - RGB).max() < 8
    if masks[0] == 0x7C00:  # without masks
        np.testing.assert_array_equal(decode(bmp(packed_16(masks), bits=16)), pixels)


def test_fills_up_the_last_row() -> None:
    """The padding of the last row may be missing, but no pixel."""
    pixels = np.zeros((HEIGHT, 72), np.uint8)  # 23 pixels of 3 bytes, and 3 bytes
    pixels[:, :69] = 200
    content = bmp(pixels.tobytes(), bits=24, width=23)
    image = decode_image(content[:-3], max_pixels=MAX_PIXELS)
    assert (image.pixels == 200).all()
    with pytest.raises(CorruptImageError, match="truncated: 4 bytes"):
        read_header(content[:-4], max_pixels=MAX_PIXELS)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (bmp(photo("JPEG"), bits=0, compression=4), "embedded JPEG"),
        (bmp(photo("PNG"), bits=0, compression=5), "embedded PNG"),
        (bmp(bytes(9000), bits=24, compression=4, length=64), "embedded JPEG"),
        (bmp(bytes(9000), bits=16, compression=3, length=64), "compression 3"),
        (bmp(bytes(9000), bits=24, compression=11), "compression 11"),
        (bmp(bytes(9000), bits=2), "2 bits per pixel"),
        (bmp(bytes(9000), bits=30_000), "30000 bits per pixel"),
        (bmp(bytes(9000), bits=24, compression=1), "24 bits per pixel"),
        (bmp(packed("bgrx"), bits=32, masks=(0x3FF00000, 0xFFC00, 0x3FF)), "masks 3FF00000"),
        (bmp(packed_16((0x7C00, 0x3E0, 0x1F)), bits=16, masks=(0xF00, 0xF0, 0xF)), "masks F00"),
    ],
)
def test_names_what_is_not_supported(content: bytes, reason: str) -> None:
    """Rare variants are rejected with their name."""
    with pytest.raises(UnsupportedFormatError, match=f"^BMP with .*{reason}.*: save it"):
        read_header(content, max_pixels=MAX_PIXELS)


@pytest.mark.parametrize(
    "content",
    [
        WHOLE[:20],
        bmp(b"", bits=24),
        bmp(bytes(9000), bits=24, width=-WIDTH),
        bmp(bytes(9000), bits=24, height=0),
        bmp(bytes(9000), bits=24, width=2**31 - 1, height=-(2**31)),
        bmp(indices(8), bits=8, palette=colours(4), colours=5),
        WHOLE[:10] + struct.pack("<I", 2**32 - 1) + WHOLE[14:],
        WHOLE[:10] + struct.pack("<I", 20) + PALETTED["8-bit"][14:],
        PALETTED["rle"][:-9],
        bmp(b"", bits=32, masks=(0xFF0000, 0xFF00, 0xFF))[:60],
    ],
)
def test_refuses_damage(content: bytes) -> None:
    """Contradicting sizes are rejected."""
    with pytest.raises(CorruptImageError):
        read_header(content, max_pixels=MAX_PIXELS)


def test_shows_the_decoder_only_pixels() -> None:
    """A profile, data after the pixels and reserved fields don't reach the decoder."""
    secret = b"not a profile"
    content = WHOLE[:10] + struct.pack("<I", 54 + len(secret)) + WHOLE[14:54] + secret + WHOLE[54:]
    header = read_header(content + secret, max_pixels=MAX_PIXELS)
    assert header.length_bytes == len(content)
    assert header.decodable == bmp_format.walk(WHOLE).decodable
    assert header.decodable is not None
    assert secret not in header.decodable
