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

from landmarks.errors import CorruptImageError, ImageError, TooManyPixelsError
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
    webp_animation,
)
from worker.detector.decode import DecodedImage, ImageMemory, decode_image

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
        timeout=300,
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


@pytest.mark.parametrize(
    ("memory_bytes", "shown"),
    [(30_000_000, (1000, 600)), (20_000_000, (500, 300)), (17_200_000, (250, 150))],
)
def test_jpegs_are_reduced_to_fit_the_memory(memory_bytes: int, shown: tuple[int, int]) -> None:
    """Only as far as needed; other formats are refused."""
    memory = ImageMemory(memory_bytes, bytes_per_pixel=6)
    content = encode(corners(1000, 600), "JPEG")
    image = decode_image(content, max_pixels=MAX_PIXELS, memory=memory)
    assert image.pixels.shape[1::-1] == shown
    assert (image.width, image.height) == (1000, 600)
    if shown != (1000, 600):
        with pytest.raises(TooManyPixelsError, match="memory"):
            decode_image(encode(corners(1000, 600), "PNG"), max_pixels=MAX_PIXELS, memory=memory)


def test_reduction_leaves_less_to_detect_in() -> None:
    """With a maximum side, only decoding needs memory for all pixels."""
    memory = ImageMemory(22_000_000, bytes_per_pixel=13)
    content = encode(corners(1000, 600), "PNG")
    with pytest.raises(TooManyPixelsError, match="memory for in PNG of this kind, 40"):
        decode_image(content, max_pixels=MAX_PIXELS, memory=memory)
    reduced = decode_image(content, max_pixels=MAX_PIXELS, max_side=500, memory=memory)
    assert reduced.pixels.shape == (300, 500, 3)


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


@pytest.mark.parametrize("file_format", ["PNG", "WEBP"])
def test_damage_is_damage_at_any_size(file_format: str) -> None:
    """A truncated file is also rejected with scaling."""
    whole = encode(corners(1000, 600), file_format)
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


# Truncated JPEG


def noise(width: int = 200, height: int = 144, mode: str = "RGB") -> Image.Image:
    """A picture without two equal lines, whose upper right is not grey."""
    seeds = np.random.default_rng(7).integers(0, 255, (9, 13, 3), np.uint8)
    seeds[0, -1] = RED
    return Image.fromarray(seeds).resize((width, height), Image.Resampling.BICUBIC).convert(mode)


CODINGS: dict[str, bytes] = {
    "baseline": encode(noise(), "JPEG", quality=95),
    "4:4:4": encode(noise(), "JPEG", quality=95, subsampling=0),
    "grey": encode(noise(mode="L"), "JPEG", quality=95),
    "cmyk": encode(noise(mode="CMYK"), "JPEG", quality=95),
    "restarts": encode(noise(), "JPEG", quality=95, restart_marker_blocks=3),
    "progressive": encode(noise(), "JPEG", quality=95, progressive=True),
}


def equal_lines(one: npt.NDArray[np.uint8], other: npt.NDArray[np.uint8]) -> int:
    """Return how many lines from the top are equal."""
    unequal = np.flatnonzero((one != other).any(axis=(1, 2)))
    return int(unequal[0]) if len(unequal) else len(one)


@pytest.mark.parametrize("whole", CODINGS.values(), ids=CODINGS.keys())
def test_jpeg_without_end_marker_is_complete(whole: bytes) -> None:
    """Without its last bytes, a JPEG has the same pixels, but counts as truncated."""
    for content in (whole[:-1], whole[:-2], whole[:-2] + bytes(1000)):
        image = decode(content)
        assert image.truncated
        np.testing.assert_array_equal(image.pixels, decode(whole).pixels)
    assert not decode(whole).truncated


@pytest.mark.parametrize("name", [name for name in CODINGS if name != "progressive"])
def test_truncated_jpeg_keeps_the_lines_above(name: str) -> None:
    """The more there is of the file, the more lines from the top are those of the whole file."""
    whole = CODINGS[name]
    expected = decode(whole).pixels
    start = whole.index(b"\xff\xda")
    lines = []
    for share in (0.25, 0.5, 0.75, 0.95):
        image = decode(whole[: start + int(share * (len(whole) - start))])
        assert image.truncated
        assert (image.width, image.height) == (200, 144)
        lines.append(equal_lines(image.pixels, expected))
        assert tuple(image.pixels[-1, -1]) in {(128, 128, 128), (65, 65, 65)}
    assert lines == sorted(set(lines))
    assert lines[0] >= 16


def test_progressive_jpeg_truncated_in_a_later_scan() -> None:
    """All of the picture is there, with less detail."""
    whole = CODINGS["progressive"]
    expected = decode(whole).pixels
    starts = [at for at in range(len(whole)) if whole[at : at + 2] == b"\xff\xda"]
    within = [decode(whole[: start + 30]).pixels for start in starts[1:]]
    errors = [np.abs(pixels.astype(int) - expected).mean() for pixels in within]
    assert errors == sorted(errors, reverse=True)
    assert 0 < errors[-1] < errors[0] < 20


@pytest.mark.parametrize("whole", CODINGS.values(), ids=CODINGS.keys())
def test_truncated_jpeg_needs_a_line(whole: bytes) -> None:
    """Without anything of the first scan, even if zeros follow, the file is damaged."""
    start = whole.index(b"\xff\xda")
    start += 2 + int.from_bytes(whole[start + 2 : start + 4])
    for content in (whole[:start], whole[: start + 5], whole[:start] + bytes(5000)):
        with pytest.raises(CorruptImageError):
            decode(content)


def test_zeros_within_a_segment_end_the_image() -> None:
    """A progressive JPEG cut off within a table, and filled up with zeros, keeps its scans."""
    whole = CODINGS["progressive"]
    table = whole.rindex(b"\xff\xc4")
    image = decode(whole[: table + 10] + bytes(5000))
    assert image.truncated
    np.testing.assert_array_equal(image.pixels, decode(whole[:table]).pixels)


@pytest.mark.parametrize("colour", ["red", "white", (127, 127, 127)])
def test_single_colour_is_not_missing_data(colour: str | tuple[int, int, int]) -> None:
    """A picture of one colour without its end marker is there."""
    content = encode(Image.new("RGB", (WIDTH, HEIGHT), colour), "JPEG")
    assert decode(content[:-2]).truncated


def test_stray_marker_between_scans_ends_the_image() -> None:
    """The scans before it count, as in browsers."""
    whole = CODINGS["progressive"]
    last = whole.rindex(b"\xff\xda")
    image = decode(whole[:last] + b"\xff\x02" + whole[last:])
    assert image.truncated
    np.testing.assert_array_equal(image.pixels, decode(whole[:last]).pixels)


def test_truncated_jpeg_is_turned_and_reduced() -> None:
    """Orientation and scaling are as for a whole file."""
    whole = encode(noise(1000, 600), "JPEG", exif=pictures.exif(6), quality=95)
    image = decode_image(whole[: len(whole) // 2], max_pixels=MAX_PIXELS, max_side=250)
    expected = decode_image(whole, max_pixels=MAX_PIXELS, max_side=250)
    assert image.truncated
    assert (image.width, image.height, image.orientation) == (600, 1000, 6)
    # The upper half is stored, which is on the right.
    np.testing.assert_array_equal(image.pixels[:, -60:], expected.pixels[:, -60:])
    assert (image.pixels[:, :30] == 128).all()


def test_truncated_thumbnail_is_not_the_end() -> None:
    """Data in a segment, such as a thumbnail without its end, is skipped."""
    thumbnail = encode(corners(32, 16), "JPEG")[:-40]
    whole = jpeg_insert(photo("JPEG"), jpeg_segment(0xE1, b"Exif\0\0" + thumbnail))
    assert not decode(whole).truncated
    np.testing.assert_array_equal(decode(whole[:-2]).pixels, decode(whole).pixels)


# Animations


def small_cut_out() -> Image.Image:
    """A quarter of the canvas, partly transparent."""
    return cut_out().resize((WIDTH // 2, HEIGHT // 2), Image.Resampling.NEAREST)


ANIMATED: dict[str, bytes] = {
    "apng": encode(corners(), "PNG", save_all=True, append_images=[corners().rotate(180)]),
    "apng-alpha": encode(cut_out(), "PNG", save_all=True, append_images=[cut_out().rotate(180)]),
    "apng-default-image": encode(
        corners(),
        "PNG",
        save_all=True,
        append_images=[corners().rotate(180), corners().rotate(90)],
        default_image=True,
    ),
    "webp": encode(corners(), "WEBP", save_all=True, append_images=[corners().rotate(180)]),
    "webp-lossless": webp_animation((corners(), 0, 0), (corners(), 0, 0), lossless=True),
    "webp-small-frame": webp_animation((corners(48, 32), 20, 14), (corners(), 0, 0), lossless=True),
    "webp-small-alpha": webp_animation(
        (small_cut_out(), 20, 14), (corners(), 0, 0), lossless=True, exact=True
    ),
    "webp-small-lossy-alpha": webp_animation((small_cut_out(), 48, 32), (corners(), 0, 0)),
}


@pytest.mark.parametrize("content", ANIMATED.values(), ids=ANIMATED.keys())
def test_reads_the_first_frame(content: bytes) -> None:
    """An animation's first frame on its canvas is read, with Pillow's colours."""
    image = decode(content)
    assert (image.width, image.height, image.orientation) == (WIDTH, HEIGHT, 1)
    assert difference(image.pixels, read_with_pillow(content)) == 0


def test_animations_start_on_black() -> None:
    """The canvas around a small frame is black, whatever the background colour."""
    pixels = decode(ANIMATED["webp-small-frame"]).pixels
    assert tuple(pixels[0, 0]) == (0, 0, 0)
    assert tuple(pixels[14, 20]) == RED


def test_decoders_see_only_the_first_frame() -> None:
    """Damage in later frames doesn't matter, because no decoder reads them."""
    content = ANIMATED["webp-small-frame"]
    later = content.rindex(b"VP8L")
    damaged = content[:later] + b"VP8L\xff" + content[later + 5 :]
    np.testing.assert_array_equal(decode(damaged).pixels, decode(content).pixels)
    apng = ANIMATED["apng"]
    later = apng.index(b"fdAT") + 10
    damaged = apng[:later] + b"\xff\xff" + apng[later + 2 :]
    np.testing.assert_array_equal(decode(damaged).pixels, decode(apng).pixels)


@pytest.mark.parametrize("name", ["apng", "webp", "webp-small-frame"])
def test_truncated_animation_is_an_error(name: str) -> None:
    """Even if its first frame is complete."""
    with pytest.raises(CorruptImageError):
        decode(ANIMATED[name][:-20])


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


@pytest.mark.parametrize(
    "content", [content for content in pictures.specimens() if content[:2] != b"\xff\xd8"]
)
def test_never_decodes_a_truncated_image(content: bytes) -> None:
    """A truncated image other than a JPEG is an error."""
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
from tests import heif_files, pictures
from tests.pictures import corners, encode, exif
from worker.detector.decode import decode_image

tile = heif_files.item(heif_files.sample("red"))
picture = corners(2000, 1500)
files = {
    "jpeg": encode(picture, "JPEG"),
    "progressive": encode(picture, "JPEG", progressive=True, subsampling=0),
    "png": encode(picture, "PNG"),
    "webp": encode(picture, "WEBP", lossless=True, method=0),
    "turned": encode(picture, "WEBP", method=0, exif=exif(6)),
    "truncated": encode(picture, "JPEG")[:-2],
    "apng": encode(picture, "PNG", save_all=True, append_images=[picture.rotate(180)]),
    "animation": encode(picture, "WEBP", save_all=True, append_images=[picture.rotate(180)]),
    "heif": heif_files.grid([tile] * 30 * 33, 30, 1920, 2112, heif_files.irot(1)),
    "avif": pictures.avif(np.asarray(picture)),
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

# libde265 aborts if it can't start its thread, and `decode_image` leaves at least 16 MiB for that.
least = {"heif": 20}

print(json.dumps({
    name: [outcome(content) for more in range(least.get(name, 0), 96, 4) if not limit(more)]
    for name, content in files.items()
}))
"""


def test_tells_missing_memory_from_damage() -> None:
    """With little memory, a valid image gives its pixels or `MemoryError`."""
    outcomes = json.loads(run_child(MEMORY, MALLOC_MMAP_THRESHOLD_="65536"))  # keeps nothing
    assert len(outcomes) == 10
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
