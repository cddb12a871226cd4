"""HEIF and AVIF give the upright primary image; hostile boxes reach no decoder."""

import itertools
import struct
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from landmarks.errors import (
    CorruptImageError,
    ImageError,
    TooManyPixelsError,
    UnsupportedFormatError,
)
from tests import heif_files, pictures
from tests.heif_files import COLOURS, Item, box, file, full, grid, imir, irot, item, reference, size
from tests.pictures import HEIGHT, WIDTH, corners
from worker.detector.decode import DecodedImage, decode_image
from worker.detector.formats.av1 import MAX_FRAMES, MAX_UNITS
from worker.detector.formats.boxes import MAX_BOXES
from worker.detector.formats.items import MAX_EXTENTS, MAX_ITEMS
from worker.detector.header import read_header

ROOT = Path(__file__).parents[2]
MAX_PIXELS = 50_000_000

HEVC, AV1 = item(heif_files.sample()), item(pictures.avif())
TILES = [item(heif_files.sample(colour)) for colour in COLOURS]
CODECS = pytest.mark.parametrize("coded", [HEVC, AV1], ids=["heif", "avif"])


def decode(content: bytes) -> DecodedImage:
    """Decode with the default limit."""
    return decode_image(content, max_pixels=MAX_PIXELS)


def difference(pixels: npt.NDArray[np.uint8], expected: object) -> int:
    """Return the largest difference from a picture."""
    other = np.asarray(expected, int)
    assert pixels.shape == other.shape
    return int(np.abs(pixels - other).max())


# The primary image, upright


@CODECS
def test_reads_the_picture(coded: Item) -> None:
    """An ordinary file is its picture."""
    image = decode(file(coded))

    assert image.format == {b"hvc1": "heif", b"av01": "avif"}[coded.kind]
    assert (image.width, image.height, image.orientation) == (WIDTH, HEIGHT, 1)
    assert image.pixels.flags.c_contiguous
    inner = np.s_[4:-4:24, 4:-4:24]  # chroma bleeds at the edges between colours
    assert difference(image.pixels[inner], np.asarray(corners())[inner]) <= 12


TURNS = [
    (),
    *((irot(quarters),) for quarters in range(1, 4)),
    *((imir(axis),) for axis in (0, 1)),
    *((irot(quarters), imir(axis)) for quarters in range(1, 4) for axis in (0, 1)),
    *((imir(axis), irot(quarters)) for quarters in (1, 3) for axis in (0, 1)),
]


def turned(pixels: npt.NDArray[np.uint8], steps: tuple[bytes, ...]) -> npt.NDArray[np.uint8]:
    """Apply rotations and flips in their order."""
    for step in steps:
        flip = np.fliplr if step[-1] else np.flipud
        pixels = np.rot90(pixels, step[-1]) if b"irot" in step else flip(pixels)
    return pixels


@CODECS
@pytest.mark.parametrize("steps", TURNS, ids=lambda steps: b"".join(steps).hex() or "none")
def test_turns_upright(coded: Item, steps: tuple[bytes, ...]) -> None:
    """Rotations and flips apply in the order in which the file has them."""
    image = decode(file(coded.with_properties(*steps)))

    expected = turned(decode(file(coded)).pixels, steps)
    np.testing.assert_array_equal(image.pixels, expected)
    assert (image.height, image.width) == expected.shape[:2]


def test_orientations_are_those_of_exif() -> None:
    """The item's `image.orientation` has EXIF's meaning, and all eight values occur."""
    found = {
        read_header(file(AV1.with_properties(*s)), max_pixels=MAX_PIXELS).orientation: s
        for s in TURNS
    }
    assert sorted(found) == list(range(1, 9))
    for orientation, steps in found.items():
        stored = corners()
        expected = pictures.read_with_pillow(
            pictures.encode(stored, "PNG", exif=pictures.exif(orientation))
        )
        np.testing.assert_array_equal(turned(np.asarray(stored), steps), expected)


@CODECS
def test_ignores_the_orientation_in_exif(coded: Item) -> None:
    """Exif's orientation does not count, neither alone nor in addition to `irot`."""
    tiff = pictures.exif(6).tobytes().removeprefix(b"Exif\0\0")
    exif = Item(b"Exif", bytes(4) + tiff)
    link = reference(b"cdsc", 2, 1)
    for steps in ((), (irot(1),)):
        whole = coded.with_properties(*steps)
        plain, tagged = decode(file(whole)), decode(file(whole, exif, references=link))
        assert tagged.orientation == plain.orientation
        np.testing.assert_array_equal(tagged.pixels, plain.pixels)


@CODECS
def test_reads_the_primary_image(coded: Item) -> None:
    """Of several images, the file says which one counts."""
    others = [Item(b"free", b"another"), *([TILES[0]] if coded is HEVC else [])]
    content = file(*others, coded, primary=len(others) + 1)
    np.testing.assert_array_equal(decode(content).pixels, decode(file(coded)).pixels)


@pytest.mark.parametrize("steps", [(), (irot(3),)], ids=["upright", "turned"])
def test_joins_tiles(steps: tuple[bytes, ...]) -> None:
    """A grid is one picture; its last tiles are cut off at its edge."""
    content = grid(TILES, 2, 120, 100, *steps)

    image = decode(content)
    expected = np.empty((100, 120, 3), np.uint8)
    for tile, (row, column) in zip(TILES, itertools.product((0, 64), (0, 64)), strict=True):
        expected[row : row + 64, column : column + 64] = decode(file(tile)).pixels[0, 0]
    assert difference(image.pixels, turned(expected, steps)) <= 2


def test_joins_avif_tiles() -> None:
    """The same for AVIF."""
    tiles = []
    for colour in ((30, 40, 220), (60, 200, 30)):
        pixels = np.full((64, 64, 3), colour, np.uint8)
        tiles.append(item(pictures.avif(pixels)))
    image = decode(grid(tiles, 2, 128, 64))
    assert difference(image.pixels[0, 0], (220, 40, 30)) <= 3
    assert difference(image.pixels[63, 127], (30, 200, 60)) <= 3


def test_crops() -> None:
    """HEIF's crop applies; the size is what remains."""
    clap = box(b"clap", struct.pack(">IIIIiIiI", 72, 1, 48, 1, 0, 1, 0, 1))
    image = decode(file(HEVC.with_properties(clap, irot(1))))
    assert (image.width, image.height) == (48, 72)
    whole = decode(file(HEVC)).pixels
    np.testing.assert_array_equal(image.pixels, np.rot90(whole[8:56, 12:84]))


# Depth, grey, alpha, sequences


def test_reads_deep_and_grey_heif() -> None:
    """10 bits become 8; grey becomes RGB."""
    expected = np.asarray(corners())[8::16, 8::16]
    assert (
        difference(decode(heif_files.sample("corners-10-bit")).pixels[8::16, 8::16], expected) <= 8
    )
    green = np.dstack([expected[:, :, 1]] * 3)
    assert difference(decode(heif_files.sample("corners-grey")).pixels[8::16, 8::16], green) <= 4


@pytest.mark.parametrize("bits", [10, 12])
def test_reads_deep_avif(bits: int) -> None:
    """10 and 12 bits become 8."""
    pixels = (np.asarray(corners(), np.uint16) << (bits - 8))[:, :, ::-1]
    content = pictures.avif(pixels, cv2.IMWRITE_AVIF_DEPTH, bits)
    inner = np.s_[8::16, 8::16]
    assert difference(decode(content).pixels[inner], np.asarray(corners())[inner]) <= 8


@pytest.mark.parametrize("value_range", ["full", "limited"])
def test_reads_grey_avif(value_range: str) -> None:
    """Grey values are those that browsers show, whatever range the file stores."""
    grey = corners().convert("L")
    content = pictures.encode(grey, "AVIF", range=value_range, speed=10, quality=100)
    assert content[content.index(b"av1C") + 6] & 0x10  # monochrome
    assert difference(decode(content).pixels, np.dstack([np.asarray(grey)] * 3)) <= 3


def test_drops_alpha() -> None:
    """What lies below transparency shows, as in PNG."""
    pixels = np.dstack([np.asarray(corners())[:, :, ::-1], np.zeros((HEIGHT, WIDTH), np.uint8)])
    content = pictures.avif(pixels)
    assert b"auxl" in content
    np.testing.assert_array_equal(decode(content).pixels, decode(pictures.avif()).pixels)


def test_reads_the_still_image_of_a_sequence() -> None:
    """An animated AVIF is the image that it shows where nothing moves."""
    frames = cv2.Animation()
    frames.frames = [
        np.full((64, 96, 3), colour, np.uint8) for colour in ((30, 40, 220), (9, 9, 9))
    ]
    frames.durations = [100, 100]
    encoded, content = cv2.imencodeanimation(".avif", frames)
    assert encoded
    assert b"moov" in content.tobytes()
    assert difference(decode(content.tobytes()).pixels[5, 5], (220, 40, 30)) <= 4


def test_a_sequence_alone_is_not_supported() -> None:
    """Without a still image, the error says so."""
    content = box(b"ftyp", b"hevc", bytes(4), b"msf1") + box(b"moov", bytes(64))
    with pytest.raises(UnsupportedFormatError, match="without a still image"):
        decode(content)


def test_drops_a_trailer() -> None:
    """A motion photo's video never reaches a decoder."""
    content = file(HEVC)
    for trailer in (box(b"mpvd", bytes(1000)), b"SEFT" * 9, b"\xff" * 3):
        header = read_header(content + trailer, max_pixels=MAX_PIXELS)
        assert header.length_bytes == len(header.decodable or b"") == len(content)


# What is refused


def located(content: bytes, **changes: int) -> bytes:
    """Change the first entry of `iloc`."""
    at = content.index(b"iloc") + 12
    names = ("number", "method", "source", "extents", "offset", "length")
    values = dict(zip(names, struct.unpack_from(">HHHHII", content, at), strict=True)) | changes
    return content[:at] + struct.pack(">HHHHII", *values.values()) + content[at + 16 :]


WHOLE = file(HEVC, extra=box(b"free"))
BROKEN = {
    "no primary item": file(HEVC, primary=2),
    "two primary items": file(HEVC, extra=full(b"pitm", b"\0\1")),
    "no size": file(replace(HEVC, properties=HEVC.properties[:1])),
    "no configuration": file(replace(HEVC, properties=HEVC.properties[1:])),
    "no such property": WHOLE.replace(b"\0\1\2\x81\2", b"\0\1\2\x81\3"),
    "data beyond the end": located(WHOLE, length=len(WHOLE)),
    "data far beyond the end": located(WHOLE, offset=2**32 - 1),
    "no data": located(WHOLE, extents=0),
    "data in another file": located(WHOLE, source=1),
    "data in another item": located(WHOLE, method=2),
    "a tile less": grid(TILES[:2], 2, 128, 128),
    "tiles of two sizes": grid([*TILES[:3], HEVC], 2, 128, 128),
    "tiles too small": grid(TILES, 2, 129, 128),
    "tiles for nothing": grid(TILES, 2, 64, 128),
    "a grid of another size": grid(TILES, 2, 128, 128).replace(size(128, 128), size(128, 127)),
    "a grid without tiles": file(heif_files.grid_item(1, 1, 64, 64)),
    "a box beyond the end": WHOLE.replace(box(b"free"), b"\xff\0\0\0free"),
    "another size": WHOLE.replace(size(WIDTH, HEIGHT), size(WIDTH, HEIGHT + 9)),
    "larger frames than the image": file(
        item(pictures.avif(np.zeros((256, 256, 3), np.uint8))), brand=b"avif"
    ).replace(size(256, 256), size(64, 64)),
    "a damaged tile": grid([*TILES[:3], replace(TILES[3], data=bytes(60))], 2, 128, 128),
    "HEVC in AVIF": file(HEVC, brand=b"avif"),
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN.keys())
def test_refuses_what_contradicts_itself(content: bytes) -> None:
    """Contradictions are damage."""
    with pytest.raises(CorruptImageError):
        decode(content)


OBU_FRAME = bytes((6 << 3 | 2, 1, 0))
UNSUPPORTED = {
    **{
        f"{kind.decode()} is not": file(replace(HEVC, kind=kind))
        for kind in (b"jpeg", b"avc1", b"j2k1", b"unci", b"vvc1", b"iovl", b"iden", b"mime")
    },
    "encrypted": file(replace(HEVC, protected=1)),
    "items": file(HEVC, *[Item(b"Exif", b"")] * MAX_ITEMS),
    "boxes": file(HEVC, extra=box(b"free") * MAX_BOXES),
    "extents": located(WHOLE, extents=MAX_EXTENTS + 1),
    "share": grid([replace(TILES[0], data=bytes(100_000))] * 900, 30, 1920, 1920),
    "frames": file(replace(AV1, data=AV1.data + OBU_FRAME * MAX_FRAMES)),
    "units": file(replace(AV1, data=AV1.data + b"\x12\0" * MAX_UNITS)),
    "metadata": file(HEVC, extra=box(b"free", bytes(5_000_000))),
}


@pytest.mark.parametrize("content", UNSUPPORTED.values(), ids=UNSUPPORTED.keys())
def test_names_what_is_not_supported(content: bytes, request: pytest.FixtureRequest) -> None:
    """The error names the codec, or what there is too much of."""
    with pytest.raises(UnsupportedFormatError, match=request.node.callspec.id):
        decode(content)


def test_a_grid_of_a_grid_is_not_supported() -> None:
    """Tiles are coded images, so that nothing is decoded in circles."""
    whole = heif_files.grid_item(1, 1, 64, 64)
    with pytest.raises(UnsupportedFormatError, match="grid"):
        decode(file(whole, references=reference(b"dimg", 1, 1)))


def test_refuses_huge_sizes() -> None:
    """Sizes of 2^31 are never allocated."""
    for width, height in ((2**31, 64), (64, 2**31), (2**32 - 1, 2**32 - 1), (10_000, 10_000)):
        with pytest.raises(TooManyPixelsError):
            decode(WHOLE.replace(size(WIDTH, HEIGHT), size(width, height)))


@pytest.mark.parametrize(
    "content",
    [WHOLE, grid(TILES, 2, 120, 100, irot(1)), file(AV1)],
    ids=["heif", "grid", "avif"],
)
def test_refuses_truncated_files(content: bytes) -> None:
    """Half a picture gives wrong landmarks."""
    for length in range(len(content)):
        with pytest.raises(ImageError):
            decode(content[:length])


def test_needs_neither_pillow_nor_pi_heifs_python_code() -> None:
    """The Lambda image contains only the libraries."""
    code = """
import sys
sys.modules["PIL"] = sys.modules["pi_heif"] = None
from pathlib import Path
from worker.detector.decode import decode_image
content = Path("tests/heif/corners.heic").read_bytes()
print(decode_image(content, max_pixels=10_000).pixels.shape)
"""
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ran.stdout == "(64, 96, 3)\n"
