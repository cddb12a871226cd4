"""The first page of a TIFF looks as in Pillow, and dangerous files are rejected."""

import contextlib
import io
import struct
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from landmarks.errors import CorruptImageError, ImageError, UnsupportedFormatError
from tests.pictures import (
    HEIGHT,
    WIDTH,
    TiffValue,
    corners,
    cut_out,
    encode,
    exif,
    jpeg_scans,
    photo,
    read_with_pillow,
    tiff_file,
    tiff_jpeg,
    tiff_rgb,
    xmp,
)
from worker.detector.decode import DecodedImage, decode_image
from worker.detector.formats import ImageHeader
from worker.detector.formats.directory import MAX_ENTRIES, MAX_VALUES
from worker.detector.header import read_header

MAX_PIXELS = 50_000_000
STRIP_ROWS = 278

RGB = np.asarray(corners())
GREY = np.asarray(corners().convert("L"))
GREY_ENTRIES: dict[int, TiffValue] = {256: WIDTH, 257: HEIGHT, 258: 8, 259: 1, 262: 1}


def header(content: bytes) -> ImageHeader:
    """Read a header with the default limit."""
    return read_header(content, max_pixels=MAX_PIXELS)


def decode(content: bytes) -> DecodedImage:
    """Decode with the default limit."""
    image = decode_image(content, max_pixels=MAX_PIXELS)
    assert image.format == "tiff"
    return image


def encoded(mode: str, **options: Any) -> bytes:  # noqa: ANN401 - Pillow's
    """Encode `corners` in a mode with Pillow."""
    return encode(corners().convert(mode), "TIFF", **options)


def by_opencv(samples: npt.NDArray[Any], *options: int) -> bytes:
    """Encode samples with OpenCV, which writes RGB for BGR."""
    return bytes(cv2.imencode(".tif", samples, options)[1])


def tiled(samples: npt.NDArray[np.uint8], side: int = 32) -> bytes:
    """Return an uncompressed TIFF in square tiles; the last ones extend beyond the image."""
    height, width = samples.shape[:2]
    rows, columns = -(-height // side), -(-width // side)
    padded = np.pad(samples, ((0, rows * side - height), (0, columns * side - width), (0, 0)))
    tiles = [
        padded[top : top + side, left : left + side].tobytes()
        for top in range(0, rows * side, side)
        for left in range(0, columns * side, side)
    ]
    entries: dict[int, TiffValue] = {
        256: width,
        257: height,
        258: (8, 8, 8),
        259: 1,
        262: 2,
        277: 3,
    }
    entries |= {322: side, 323: side, 325: (len(tiles[0]),) * len(tiles)}
    bare = tiff_file(b"", {**entries, 324: (0,) * len(tiles)})
    offsets = tuple(len(bare) + number * len(tiles[0]) for number in range(len(tiles)))
    return tiff_file(b"".join(tiles), {**entries, 324: offsets})


def planar(samples: npt.NDArray[Any], bits: int, orientation: int = 1) -> bytes:
    """Return an uncompressed TIFF with a strip per channel."""
    channels = [np.ascontiguousarray(plane).tobytes() for plane in np.moveaxis(samples, 2, 0)]
    entries: dict[int, TiffValue] = {256: WIDTH, 257: HEIGHT, 258: (bits,) * 3, 259: 1, 262: 2}
    entries |= {274: orientation, 277: 3, 284: 2, 279: (len(channels[0]),) * 3}
    start = len(tiff_file(b"", {**entries, 273: (1, 1, 1)}))
    offsets = tuple(start + number * len(channels[0]) for number in range(3))
    return tiff_file(b"".join(channels), {**entries, 273: offsets})


def big(content: bytes) -> bytes:
    """Return a TIFF with 64-bit offsets, of one strip, made from one by `tiff_file`."""
    (count,) = struct.unpack_from("<H", content, 8)
    entries = [struct.unpack_from("<HHII", content, 10 + 12 * n) for n in range(count)]
    shift = 16 + 8 + 20 * count + 8
    moved = [
        (tag, kind, number, value + shift if tag == 273 or number * 4 > 4 else value)
        for tag, kind, number, value in entries
    ]
    short = [(t, k, n, v) for t, k, n, v in moved if n <= 1 or t == 258]
    head = b"".join(struct.pack("<HHQQ", *entry) for entry in short).ljust(20 * count, b"\0")
    start = struct.pack("<2sHHHQQ", b"II", 43, 8, 0, 16, len(short))
    return start + head + bytes(8) + content


EXACT = {
    "rgb": encoded("RGB"),
    "grey": encoded("L"),
    "1-bit": encoded("1"),
    "palette": encode(corners().quantize(16), "TIFF"),
    "rgb-lzw": encoded("RGB", compression="tiff_lzw"),
    "rgb-lzw-predictor": encoded("RGB", compression="tiff_lzw", tiffinfo={317: 2}),
    "rgb-deflate": encoded("RGB", compression="tiff_adobe_deflate"),
    "rgb-old-deflate": encoded("RGB", compression="tiff_deflate"),
    "rgb-packbits": encoded("RGB", compression="packbits"),
    "fax-2": encoded("1", compression="tiff_ccitt"),
    "fax-3": encoded("1", compression="group3"),
    "fax-4": encoded("1", compression="group4"),
    "strips": encoded("RGB", compression="tiff_lzw", tiffinfo={STRIP_ROWS: 7}),
    "tiles": tiled(RGB),
    "big-endian": tiff_file(GREY.tobytes(), GREY_ENTRIES, order=">"),
    "white-is-zero": tiff_file(GREY.tobytes(), {**GREY_ENTRIES, 262: 0}),
    "bigtiff": big(tiff_file(GREY.tobytes(), GREY_ENTRIES)),
    "no-lengths": tiff_file(GREY.tobytes(), {**GREY_ENTRIES, 279: 2**31}),
    "no-colour-model": tiff_file(
        GREY.tobytes(), {k: v for k, v in GREY_ENTRIES.items() if k != 262}
    ),
    "4-bit": tiff_file(
        bytes((GREY[:, ::2] & 0xF0 | GREY[:, 1::2] >> 4).tobytes()), {**GREY_ENTRIES, 258: 4}
    ),
    "4-bit-white-is-zero": tiff_file(
        bytes((GREY[:, ::2] & 0xF0 | GREY[:, 1::2] >> 4).tobytes()),
        {**GREY_ENTRIES, 258: 4, 262: 0},
    ),
    "planar": planar(RGB, 8),
    "fill-order": tiff_file(
        np.packbits(GREY > 99, axis=1, bitorder="little").tobytes(),
        {**GREY_ENTRIES, 258: 1, 266: 2},
    ),
}


@pytest.mark.parametrize("content", EXACT.values(), ids=EXACT.keys())
def test_keeps_pixels(content: bytes) -> None:
    """Every compression and layout that loses nothing gives Pillow's pixels."""
    image = decode(content)
    assert (image.width, image.height) == (WIDTH, HEIGHT)
    np.testing.assert_array_equal(image.pixels, read_with_pillow(content))


ROUNDED = {
    "jpeg": (encoded("RGB", compression="jpeg"), 0),
    "jpeg-grey": (encoded("L", compression="jpeg"), 0),
    "jpeg-strips": (encoded("RGB", compression="jpeg", tiffinfo={STRIP_ROWS: 16}), 0),
    "jpeg-cmyk": (encoded("CMYK", compression="jpeg"), 1),
    "jpeg-progressive": (tiff_jpeg(photo("JPEG", progressive=True)), 0),
    "cmyk": (encoded("CMYK"), 1),
    "ycbcr": (encoded("YCbCr"), 2),
    "old-jpeg": (
        tiff_file(photo("JPEG"), {256: WIDTH, 257: HEIGHT, 258: 8, 259: 6, 262: 6, 277: 3}),
        None,
    ),
}


@pytest.mark.parametrize(("content", "most"), ROUNDED.values(), ids=ROUNDED.keys())
def test_keeps_colours(content: bytes, most: int | None) -> None:
    """JPEG and other colour models look as in Pillow, old-style JPEG like the JPEG in it."""
    expected = photo("JPEG") if most is None else content
    difference = np.abs(decode(content).pixels.astype(int) - read_with_pillow(expected))
    assert difference.max() <= (most or 0)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_rounds_16_bits(channels: int) -> None:
    """16-bit samples are the upper byte, in colour rounded to the nearest."""
    samples = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    content = by_opencv(np.dstack([samples] * channels))
    pixels = decode(content).pixels
    expected = np.dstack([samples >> 8 if channels == 1 else (samples + 128.0) // 257] * 3)
    np.testing.assert_array_equal(pixels, expected)
    np.testing.assert_array_equal(
        decode(planar(np.dstack([samples[:64, :96]] * 3), 16)).pixels,
        np.dstack([(samples[:64, :96] + 128.0) // 257] * 3),
    )


def test_white_is_white_in_lab() -> None:
    """Lab's white, grey and black have no tint."""
    samples = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    samples[:32, :, 0], samples[:, :48, 0] = 255, 128
    content = tiff_file(
        samples.tobytes(), {256: WIDTH, 257: HEIGHT, 258: (8, 8, 8), 259: 1, 262: 8, 277: 3}
    )
    pixels = decode(content).pixels.astype(int)
    assert np.ptp(pixels, axis=2).max() <= 2
    assert pixels[0, -1].min() == 255
    assert pixels[-1, -1].max() == 0


def test_shows_what_lies_below_transparency() -> None:
    """Transparency is dropped, not blended, whatever it means; grey has transparency, too."""
    expected = np.asarray(cut_out().convert("RGB"))
    for meaning in (0, 1, 2):
        content = tiff_file(
            cut_out().tobytes(),
            {256: WIDTH, 257: HEIGHT, 258: (8,) * 4, 259: 1, 262: 2, 277: 4, 338: meaning},
        )
        np.testing.assert_array_equal(decode(content).pixels, expected)
    content = encode(cut_out().convert("LA"), "TIFF")
    np.testing.assert_array_equal(decode(content).pixels, read_with_pillow(content))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("mode", ["RGB", "1"])
def test_turns_upright(orientation: int, mode: str) -> None:
    """The decoder turns nothing by itself, in no kind of file."""
    content = encoded(
        mode, exif=exif(orientation), compression="raw" if mode == "RGB" else "group4"
    )
    image = decode(content)
    assert image.orientation == orientation
    np.testing.assert_array_equal(image.pixels, read_with_pillow(content))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_turns_16_bits_upright(orientation: int) -> None:
    """OpenCV turns 16-bit pixels in another way than 8-bit ones, if it knows the orientation."""
    deep = decode(planar(RGB.astype(np.uint16) * 257, 16, orientation))
    expected = read_with_pillow(encoded("RGB", exif=exif(orientation)))
    assert deep.orientation == orientation
    np.testing.assert_array_equal(deep.pixels, expected)


def test_reads_orientation_in_xmp() -> None:
    """XMP counts only without an orientation tag."""
    assert header(tiff_rgb(tag_700=xmp(6))).orientation == 6
    assert header(tiff_rgb(tag_700=xmp(6), tag_274=3)).orientation == 3
    assert header(tiff_rgb(tag_700=xmp(6), tag_274=9)).orientation == 1


def test_reads_the_first_page() -> None:
    """Of many pages, only the first reaches the decoder."""
    pages = [corners().rotate(angle) for angle in (0, 90, 180)]
    content = encode(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    np.testing.assert_array_equal(decode(content).pixels, RGB)
    written = header(content).decodable
    assert written is not None
    with Image.open(io.BytesIO(written)) as picture:
        assert getattr(picture, "n_frames", None) == 1


def test_shows_the_decoder_only_known_tags(capfd: pytest.CaptureFixture[str]) -> None:
    """A thousand tags that libtiff doesn't know are no reason for a thousand warnings."""
    content = tiff_rgb(**{f"tag_{number}": 7 for number in range(40_000, 41_000)})
    np.testing.assert_array_equal(decode(content).pixels, RGB)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("compression", [4, 5, 8, 32773])
def test_damaged_strips_are_black_and_cost_no_log(
    compression: int, capfd: pytest.CaptureFixture[str]
) -> None:
    """Damage is skipped, as libtiff does; a line for each strip took longer than decoding."""
    strip = b"\x81\xff\xff\xff"
    entries = GREY_ENTRIES | {258: 1 if compression == 4 else 8, 259: compression, 278: 1}
    entries |= {279: (len(strip),) * HEIGHT}
    start = len(tiff_file(b"", {**entries, 273: (1,) * HEIGHT}))
    offsets = tuple(start + len(strip) * number for number in range(HEIGHT))
    content = tiff_file(strip * HEIGHT, {**entries, 273: offsets})
    assert decode(content).pixels.shape == (HEIGHT, WIDTH, 3)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (by_opencv(RGB.astype(np.float32)), "floating-point"),
        (tiff_file(bytes(4 * 6144), {**GREY_ENTRIES, 258: 32, 339: 2}), "signed"),
        (tiff_file(bytes(4 * 6144), {**GREY_ENTRIES, 258: 32}), "32 bits"),
        (tiff_file(bytes(6144), {**GREY_ENTRIES, 258: 2}), "2 bits"),
        (tiff_file(bytes(9999), {**GREY_ENTRIES, 258: 12}), "12 bits"),
        (tiff_rgb(tag_258=(8, 8, 16)), "8 and 16 bits"),
        (tiff_file(bytes(8 * 6144), {**GREY_ENTRIES, 258: (16,) * 4, 262: 5, 277: 4}), "16 bits"),
        (tiff_file(bytes(5 * 6144), {**GREY_ENTRIES, 258: (8,) * 5, 262: 2, 277: 5}), "5 channels"),
        (tiff_file(bytes(6144), {**GREY_ENTRIES, 262: 2}), "1 channels"),
        (tiff_rgb(tag_262=4), "colour model 4"),
        (tiff_rgb(tag_262=32844), "colour model 32844"),
        (tiff_rgb(tag_259=34925), "LZMA"),
        (tiff_rgb(tag_259=50001), "WebP"),
        (tiff_rgb(tag_259=34712), "JPEG 2000"),
        (tiff_rgb(tag_259=4), "compression 4"),
        (tiff_rgb(tag_259=6), "old-style JPEG in pieces"),
        (tiff_rgb(tag_259=5, tag_317=3), "predictor 3"),
        (tiff_rgb(tag_50706=b"\1\4\0\0"), "camera raw"),
        (tiff_rgb(tag_254=1, tag_330=8), "camera raw"),
        (tiff_jpeg(jpeg_scans(65)), "65 scans"),
        (tiff_file(photo("JPEG"), {**GREY_ENTRIES, 259: 7, 347: bytes(70_000)}), "70000 bytes"),
        (tiff_rgb(tag_279=(1,) * (MAX_VALUES + 1), tag_259=5), "262145 values"),
        (tiff_rgb(**{f"tag_{n}": 1 for n in range(1000, 1001 + MAX_ENTRIES)}), "more than 4096"),
    ],
)
def test_names_what_is_not_supported(content: bytes, reason: str) -> None:
    """Rare variants, hostile ones and camera raw are rejected with their name."""
    with pytest.raises(UnsupportedFormatError, match=reason):
        header(content)


@pytest.mark.parametrize(
    "content",
    [
        b"II*\0",
        b"MM\0*\0\0\0\x08",
        b"II+\0\x08\0\0\0" + b"\xff" * 8,
        b"II*\0\xff\xff\xff\xff",
        tiff_rgb(tag_256=0),
        big(tiff_rgb()).replace(
            struct.pack("<HHQQ", 256, 4, 1, 96), struct.pack("<HHQQ", 256, 16, 1, 2**40)
        ),
        tiff_rgb(tag_257=HEIGHT + 1),
        tiff_rgb(tag_257=2**32 - 1, tag_278=1),  # four billion strips
        tiff_rgb(tag_257=2**32 - 1, tag_284=2, tag_278=1),
        tiff_rgb(tag_278=0),
        tiff_rgb(tag_273=2**32 - 1),
        tiff_rgb(tag_278=8),  # eight strips are missing
        tiff_rgb(tag_322=0, tag_323=16),
        tiff_rgb(tag_322=4096, tag_323=16),
        tiff_rgb(tag_322=17, tag_323=16),
        tiff_rgb(tag_322=16, tag_323=2**31),
        tiff_rgb(tag_259=5, tag_279=0),
        tiff_rgb(tag_259=5, tag_273=2**31, tag_279=b"no number"),
        tiff_rgb(tag_259=5, tag_279=2**32 - 1),
        tiff_rgb(tag_259=5, tag_278=32, tag_273=(8, 8), tag_279=(18_000, 18_000)),  # the same
        tiff_rgb(tag_262=6, tag_530=(3, 3)),
        tiff_file(GREY.tobytes(), {**GREY_ENTRIES, 262: 3}),
        tiff_file(GREY.tobytes(), {**GREY_ENTRIES, 262: 3, 320: (1,) * 767}),
        tiff_jpeg(b"not a JPEG"),
        tiff_jpeg(photo("JPEG")[:-20]),
        tiff_jpeg(photo("JPEG"), width=WIDTH - 1),
        tiff_jpeg(photo("JPEG"), height=HEIGHT - 1),
    ],
)
def test_refuses_damage(content: bytes) -> None:
    """Contradicting sizes, and strips or tiles beyond the file, never reach a decoder."""
    with pytest.raises(CorruptImageError):
        header(content)


def test_reads_old_jpeg_without_its_end() -> None:
    """The JPEG inside is read like any other that breaks off."""
    content = tiff_file(photo("JPEG")[:-2], {256: WIDTH, 257: HEIGHT, 259: 6})
    image = decode(content)
    assert image.truncated
    np.testing.assert_array_equal(image.pixels, read_with_pillow(photo("JPEG")))


def test_survives_huge_options() -> None:
    """Options of more than 32 bits don't fit into what is written."""
    entries: dict[int, TiffValue] = {**GREY_ENTRIES, 258: 1, 259: 4, 293: 7}
    content = big(tiff_file(bytes(99), entries))
    huge = content.replace(
        struct.pack("<HHQQ", 293, 4, 1, 7), struct.pack("<HHQQ", 293, 16, 1, 2**40)
    )
    assert huge != content
    assert header(huge).width == WIDTH


def test_claims_its_memory() -> None:
    """One large strip takes more memory than many small ones, 16 bits more than 8."""
    options = (cv2.IMWRITE_TIFF_COMPRESSION, 1, cv2.IMWRITE_TIFF_ROWSPERSTRIP)
    deep = RGB.astype(np.uint16) * 257
    claimed = [
        header(by_opencv(samples, *options, rows)).bytes_per_pixel
        for samples, rows in ((RGB, 4), (RGB, HEIGHT), (deep, HEIGHT))
    ]
    assert all(fewer < more for fewer, more in pairwise(claimed))


@given(st.binary(max_size=300), st.sampled_from([b"II*\0", b"MM\0*", b"II+\0\x08\0\0\0"]))
def test_survives_anything(rest: bytes, magic: bytes) -> None:
    """Whatever follows the magic bytes, the result is a header or an image error."""
    for content in (magic + rest, magic + struct.pack("<I", 8) + rest):
        with contextlib.suppress(ImageError):
            assert header(content).width


def test_survives_damaged_entries() -> None:
    """Each value of each entry may be anything."""
    sound = [*EXACT.values(), *(content for content, _ in ROUNDED.values())]
    random = np.random.default_rng(1)
    outcomes = {"decoded": 0, "refused": 0}
    for number in range(600):
        content = bytearray(sound[number % len(sound)])
        for _ in range(random.integers(1, 4)):
            at = int(random.integers(4, min(len(content), 250)))
            content[at : at + 2] = random.choice([b"\0\0", b"\1\0", b"\xff\xff", random.bytes(2)])
        try:
            decode_image(bytes(content), max_pixels=1_000_000)
            outcomes["decoded"] += 1
        except ImageError:
            outcomes["refused"] += 1
    assert min(outcomes.values()) > 100, outcomes
