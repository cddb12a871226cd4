"""Any bytes give upright 8-bit RGB, an `ImageError` or a `MemoryError`, and never a crash."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from landmarks.errors import CorruptImageError, ImageError
from tests import pictures
from tests.pictures import (
    HEIGHT,
    WIDTH,
    corners,
    cut_out,
    encode,
    jpeg_insert,
    jpeg_segment,
    photo,
    png,
    png_chunk,
    read_with_pillow,
    webp,
)
from worker.detector.decode import DecodedImage, decode_image

ROOT = Path(__file__).parents[2]
MAX_PIXELS = 50_000_000

RED, GREEN = (220, 40, 30), (30, 200, 60)


def decode(content: bytes) -> DecodedImage:
    """Decode with the default limit."""
    return decode_image(content, max_pixels=MAX_PIXELS)


def difference(one: npt.NDArray[np.uint8], other: npt.NDArray[np.uint8]) -> int:
    """Return the largest difference between two pictures."""
    assert one.shape == other.shape
    return int(np.abs(one.astype(int) - other).max())


def run_child(code: str, **environment: str) -> str:
    """Run Python code in another process, which must succeed."""
    ran = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    return ran.stdout


# Reduction


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("max_side", [1024, 1000, 500, 300, 256, 100])
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP"])
def test_reduces_to_the_longest_side(file_format: str, max_side: int, orientation: int) -> None:
    """Scaling is exact, by the decoder or afterwards; the reported size is the original."""
    picture = corners(1001, 667)
    content = encode(picture, file_format, exif=pictures.exif(orientation))
    image = decode_image(content, max_pixels=MAX_PIXELS, max_side=max_side)
    scale = min(1, max_side / 1001)
    size = (round(1001 * scale), round(667 * scale))

    assert (image.width, image.height) == ((1001, 667) if orientation == 1 else (667, 1001))
    columns, rows = size if orientation == 1 else size[::-1]
    assert image.pixels.shape[1::-1] == pytest.approx((columns, rows), abs=1)
    assert max(image.pixels.shape) == max(size)
    assert image.pixels.flags.c_contiguous
    expected = Image.fromarray(read_with_pillow(content)).resize(image.pixels.shape[1::-1])
    # The colours of the four quarters; the edge between them may be off by a pixel.
    for row, column in ((0.25, 0.25), (0.25, 0.75), (0.75, 0.25), (0.75, 0.75)):
        at = int(row * rows), int(column * columns)
        assert difference(image.pixels[at], np.asarray(expected)[at]) <= 8


def test_small_images_are_left_alone() -> None:
    """Nothing is enlarged or changed."""
    content = photo("JPEG")
    reduced = decode_image(content, max_pixels=MAX_PIXELS, max_side=WIDTH)
    np.testing.assert_array_equal(reduced.pixels, decode(content).pixels)


def test_reduction_makes_no_patterns() -> None:
    """Scaling averages all pixels instead of skipping some."""
    lines = np.zeros((1000, 1000, 3), np.uint8)
    lines[:, ::4] = 255
    content = encode(Image.fromarray(lines), "PNG")
    reduced = decode_image(content, max_pixels=MAX_PIXELS, max_side=300)
    assert np.ptp(reduced.pixels.mean(axis=(0, 2))) < 64


def test_damage_is_damage_at_any_size() -> None:
    """A truncated file is also rejected with scaling."""
    whole = encode(corners(1000, 600), "JPEG")
    with pytest.raises(CorruptImageError):
        decode_image(whole[: len(whole) // 3], max_pixels=MAX_PIXELS, max_side=256)


# Upright RGB


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP"])
def test_turns_upright(file_format: str, orientation: int) -> None:
    """All EXIF orientations are applied in all formats, as in Pillow."""
    content = photo(file_format, exif=pictures.exif(orientation))
    image = decode(content)
    assert image.format == file_format.lower()
    assert image.pixels.shape == ((HEIGHT, WIDTH, 3) if orientation < 5 else (WIDTH, HEIGHT, 3))
    assert difference(image.pixels, read_with_pillow(content)) <= (0 if file_format == "PNG" else 3)


def test_orientations_differ() -> None:
    """The eight orientations give eight different pictures."""
    turned = {decode(photo("PNG", exif=pictures.exif(n))).pixels.tobytes() for n in range(1, 9)}
    assert len(turned) == 8


LOSSLESS = {
    "png": photo("PNG"),
    "png-grey": encode(corners().convert("L"), "PNG"),
    "png-palette": encode(corners().quantize(16), "PNG"),
    "png-palette-transparent": encode(corners().quantize(16), "PNG", transparency=0),
    "png-rgba": encode(cut_out(), "PNG"),
    "png-la": encode(cut_out().convert("LA"), "PNG"),
    "png-1-bit": encode(corners().convert("1"), "PNG"),
    "webp-lossless": photo("WEBP", lossless=True),
    "webp-lossless-alpha": encode(cut_out(), "WEBP", lossless=True),
}

LOSSY = {
    "jpeg": photo("JPEG"),
    "jpeg-grey": encode(corners().convert("L"), "JPEG"),
    "jpeg-cmyk": encode(corners().convert("CMYK"), "JPEG"),
    "jpeg-ycck": pictures.jpeg_ycck(),
    "jpeg-rgb": photo("JPEG", keep_rgb=True),
    "jpeg-progressive": photo("JPEG", progressive=True),
    "jpeg-restarts": photo("JPEG", restart_marker_blocks=1),
    "webp": photo("WEBP"),
    "webp-alpha": encode(cut_out(), "WEBP"),
}


@pytest.mark.parametrize("content", LOSSLESS.values(), ids=LOSSLESS.keys())
def test_keeps_lossless_pixels(content: bytes) -> None:
    """Lossless 8-bit pictures keep all pixels in any colour model."""
    pixels = decode(content).pixels
    assert pixels.dtype == np.uint8
    assert pixels.flags.c_contiguous
    np.testing.assert_array_equal(pixels, read_with_pillow(content))


@pytest.mark.parametrize("content", LOSSY.values(), ids=LOSSY.keys())
def test_keeps_lossy_colours(content: bytes) -> None:
    """Lossy pictures look as in Pillow in any colour model."""
    assert difference(decode(content).pixels, read_with_pillow(content)) <= 4


@pytest.mark.parametrize("name", ["jpeg", "jpeg-cmyk", "jpeg-ycck", "jpeg-rgb", "webp"])
def test_red_is_red(name: str) -> None:
    """Red comes first and CMYK is not inverted, in case both decoders make the same mistake."""
    found = decode(LOSSY[name]).pixels[HEIGHT // 4, WIDTH // 4]
    assert difference(found, np.array(RED, np.uint8)) <= 8


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_halves_16_bits(channels: int) -> None:
    """The upper 8 bits of 16-bit samples are kept."""
    samples = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    content = pictures.png_16_bit(np.dstack([samples] * channels))
    pixels = decode(content).pixels
    np.testing.assert_array_equal(pixels, np.dstack([samples >> 8] * 3))


def test_reads_interlaced_png() -> None:
    """All passes of an interlaced PNG are decoded."""
    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2)]
    pixels = np.asarray(corners())
    rows = [row for y, x, dy, dx in [*passes, (1, 0, 2, 1)] for row in pixels[y::dy, x::dx]]
    content = pictures.png_of_rows([row.tobytes() for row in rows], interlace=1)
    np.testing.assert_array_equal(decode(content).pixels, pixels)


def test_shows_what_lies_below_transparency() -> None:
    """Transparency is dropped, not blended, so the stored colour shows."""
    pixels = decode(LOSSLESS["png-rgba"]).pixels
    assert tuple(pixels[0, 0]) == RED
    assert tuple(pixels[0, -1]) == GREEN


@pytest.mark.parametrize("content", pictures.specimens())
def test_ignores_what_follows_the_image(content: bytes) -> None:
    """A trailer, such as a phone's video, changes nothing."""
    np.testing.assert_array_equal(
        decode(content + b"\0\0\0\x18ftypmp42" + content).pixels, decode(content).pixels
    )


def test_shows_no_trailer_to_a_decoder(monkeypatch: pytest.MonkeyPatch) -> None:
    """The decoder never sees data after the image."""
    shown: list[int] = []

    def imdecode(encoded: npt.NDArray[np.uint8], _flags: int) -> npt.NDArray[np.uint8]:
        shown.append(len(encoded))
        return np.zeros((HEIGHT, WIDTH, 3), np.uint8)

    monkeypatch.setattr("cv2.imdecode", imdecode)
    decode(photo("JPEG") + b"trailer")
    assert shown == [len(photo("JPEG"))]


# Odd EXIF


def app1(ifd: bytes, *, start: int = 8, order: bytes = b"MM\0*") -> bytes:
    """Return an Exif segment with this directory."""
    return jpeg_segment(0xE1, b"Exif\0\0" + order + start.to_bytes(4) + ifd)


def entry(orientation: int, *, count: int = 1, kind: int = 3) -> bytes:
    """Return a directory that contains only the orientation."""
    tag = pictures.ORIENTATION.to_bytes(2) + kind.to_bytes(2) + count.to_bytes(4)
    return b"\0\1" + tag + orientation.to_bytes(2) + bytes(6)


@pytest.mark.parametrize(
    "segment",
    [
        app1(entry(0)),
        app1(entry(9)),
        app1(entry(65535)),
        app1(entry(6), start=2**32 - 1),
        app1(b"\xff\xff" + entry(1)[2:]),
        app1(b""),
        jpeg_segment(0xE1, b"Exif\0\0"),
        jpeg_segment(0xE1, b""),
    ],
)
def test_ignores_invalid_orientation(segment: bytes) -> None:
    """Without a valid orientation, the picture stays as stored."""
    content = jpeg_insert(photo("JPEG"), segment)
    np.testing.assert_array_equal(decode(content).pixels, decode(photo("JPEG")).pixels)


@pytest.mark.parametrize(
    "segments",
    [
        (app1(entry(6)), app1(entry(3))),
        (app1(entry(6, count=2**32 - 1)),),
        (app1(entry(6, kind=9)),),
    ],
)
def test_survives_odd_orientation(segments: tuple[bytes, ...]) -> None:
    """Repeated EXIF data and unusual types are not an error."""
    pixels = decode(jpeg_insert(photo("JPEG"), *segments)).pixels
    assert sorted(pixels.shape[:2]) == [HEIGHT, WIDTH]


# Damage


@pytest.mark.parametrize("content", pictures.specimens())
def test_never_decodes_a_truncated_image(content: bytes) -> None:
    """A truncated image is an error, because half a photo gives wrong landmarks."""
    for length in range(len(content)):
        with pytest.raises(ImageError):
            decode(content[:length])


@pytest.mark.parametrize(
    "content",
    [
        photo("PNG")[:60] + b"\x55" + photo("PNG")[61:],  # checksum
        png()[:33] + png_chunk(b"IDAT", b"not deflated") + png_chunk(b"IEND"),
        pictures.png_of_rows([bytes(3 * WIDTH)] * (HEIGHT // 2)),
        webp((b"VP8 ", pictures.webp_frame(photo("WEBP"))[1][:100])),
        png(png_chunk(b"boOm", bytes(9_000_000))),
    ],
    ids=["checksum", "deflate", "half the rows", "half a frame", "huge chunk"],
)
def test_refuses_damaged_pixels(content: bytes) -> None:
    """Pixels that the decoder rejects are an error."""
    with pytest.raises(CorruptImageError):
        decode(content)


def test_header_and_decoder_have_to_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pixels of another size than the header's are rejected."""
    monkeypatch.setattr("cv2.imdecode", lambda *_: np.zeros((HEIGHT, WIDTH + 1, 3), np.uint8))
    with pytest.raises(CorruptImageError, match="header"):
        decode(photo("JPEG"))


def test_reports_opencvs_limit() -> None:
    """OpenCV's own lower limit is reported as too many pixels."""
    code = """
from tests.pictures import photo
from worker.detector.decode import decode_image
from landmarks.errors import TooManyPixelsError
try:
    decode_image(photo("JPEG"), max_pixels=50_000_000)
except TooManyPixelsError:
    print("too many")
"""
    assert run_child(code, OPENCV_IO_MAX_IMAGE_PIXELS="1000") == "too many\n"


MEMORY = """
import json, resource, sys
import numpy as np
from tests.pictures import corners, encode
from worker.detector.decode import decode_image

picture = corners(2000, 1500)
files = {
    "jpeg": encode(picture, "JPEG"),
    "progressive": encode(picture, "JPEG", progressive=True, subsampling=0),
    "png": encode(picture, "PNG"),
    "webp": encode(picture, "WEBP", lossless=True, method=0),
}

def limit(mebibytes):
    pages = int(open("/proc/self/statm").read().split()[0])
    soft = pages * resource.getpagesize() + mebibytes * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (soft, resource.RLIM_INFINITY))

def outcome(content):
    try:
        return "pixels" if decode_image(content, max_pixels=50_000_000).pixels.any() else "black"
    except Exception as error:
        return type(error).__name__

print(json.dumps({
    name: [outcome(content) for mebibytes in range(0, 64, 2) if not limit(mebibytes)]
    for name, content in files.items()
}))
"""


def test_tells_missing_memory_from_damage() -> None:
    """With little memory, a valid image gives its pixels or `MemoryError`."""
    outcomes = json.loads(run_child(MEMORY, MALLOC_MMAP_THRESHOLD_="65536"))  # keeps nothing
    assert len(outcomes) == 4
    for found in outcomes.values():
        assert set(found) == {"pixels", "MemoryError"}


MUTANTS = """
import json, resource
from collections import Counter
from tests.pictures import mutants
from worker.detector.decode import decode_image
from landmarks.errors import ImageError

resource.setrlimit(resource.RLIMIT_AS, (2 * 2**30, 2 * 2**30))
outcomes = Counter()
for content in mutants(seed=2, count=2000):
    try:
        image = decode_image(content, max_pixels=1_000_000)
        outcomes[str(image.pixels.ndim)] += 1
    except (ImageError, MemoryError) as error:
        outcomes[type(error).__name__] += 1
print(json.dumps(outcomes))
"""


def test_decoders_survive_mutants() -> None:
    """Damaged files crash no decoder, and many of them reach one."""
    outcomes = Counter(json.loads(run_child(MUTANTS, OPENCV_LOG_LEVEL="SILENT")))
    assert outcomes.total() == 2000
    assert outcomes["3"] > 200
    assert outcomes["CorruptImageError"] > 200
