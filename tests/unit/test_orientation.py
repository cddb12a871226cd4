"""Every format's metadata gives the same orientation, and damaged metadata gives none."""

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.pictures import (
    HEIGHT,
    PNG_SIGNATURE,
    WIDTH,
    jpeg_insert,
    jpeg_segment,
    photo,
    png_chunk,
    read_with_pillow,
    tiff,
    webp,
    webp_canvas,
    webp_frame,
    xmp,
)
from worker.detector.decode import decode_image
from worker.detector.formats.orientation import from_exif, from_xmp, read_orientation
from worker.detector.header import read_header

PREFIX = b"Exif\0\0"
XMP_NAMESPACE = b"http://ns.adobe.com/xap/1.0/\0"
XMP_TEXT = b"XML:com.adobe.xmp\0"
FRAME = webp_frame(photo("WEBP", lossless=True))
XMP_FLAG, EXIF_FLAG = 4, 8
MODEL = 0x0110


def jpeg(*bodies: bytes) -> bytes:
    """Return a JPEG with these APP1 segments."""
    return jpeg_insert(photo("JPEG"), *(jpeg_segment(0xE1, body) for body in bodies))


def png(*chunks: tuple[bytes, bytes]) -> bytes:
    """Return a PNG with these chunks before its pixels."""
    content = photo("PNG")
    at = len(PNG_SIGNATURE) + 25  # after IHDR
    return content[:at] + b"".join(png_chunk(*chunk) for chunk in chunks) + content[at:]


def webp_with(*chunks: tuple[bytes, bytes], flags: int = EXIF_FLAG | XMP_FLAG) -> bytes:
    """Return a WebP with these chunks after its pixels."""
    return webp(webp_canvas(WIDTH, HEIGHT, flags), FRAME, *chunks)


def profile(data: bytes) -> bytes:
    """Return EXIF data in ImageMagick's text form."""
    return f"\nexif\n{len(data):8}\n{data.hex()}\n".encode()


def orientation(content: bytes) -> int:
    """Read a file's orientation."""
    return read_header(content, max_pixels=50_000_000).orientation


TURNED = {
    "jpeg": jpeg(PREFIX + tiff(6)),
    "jpeg-little-endian": jpeg(PREFIX + tiff(6, order="<")),
    "jpeg-after-other-segments": jpeg(b"", XMP_NAMESPACE + xmp(3), PREFIX + tiff(6)),
    "jpeg-xmp": jpeg(XMP_NAMESPACE + xmp(6)),
    "jpeg-xmp-element": jpeg(XMP_NAMESPACE + xmp(6, as_element=True)),
    "jpeg-xmp-beside-other-exif": jpeg(PREFIX + tiff(6, tag=MODEL), XMP_NAMESPACE + xmp(6)),
    "png": png((b"eXIf", tiff(6))),
    "png-prefixed": png((b"eXIf", PREFIX + tiff(6))),
    "png-profile": png((b"tEXt", b"Raw profile type exif\0" + profile(PREFIX + tiff(6)))),
    "png-deflated-profile": png(
        (b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(profile(PREFIX + tiff(6))))
    ),
    "png-xmp": png((b"iTXt", XMP_TEXT + bytes(4) + xmp(6))),
    "png-deflated-xmp": png((b"iTXt", XMP_TEXT + b"\1\0\0\0" + zlib.compress(xmp(6)))),
    "png-translated-xmp": png((b"iTXt", XMP_TEXT + b"\0\0en\0title\0" + xmp(6))),
    "webp": webp_with((b"EXIF", tiff(6))),
    "webp-prefixed": webp_with((b"EXIF", PREFIX + tiff(6))),
    "webp-prefixed-twice": webp_with((b"EXIF", PREFIX + PREFIX + tiff(6))),
    "webp-xmp": webp_with((b"XMP ", xmp(6))),
    "webp-exif-before-xmp": webp_with((b"XMP ", xmp(3)), (b"EXIF", tiff(6))),
}


@pytest.mark.parametrize("content", TURNED.values(), ids=TURNED.keys())
def test_every_kind_of_metadata_turns(content: bytes) -> None:
    """The photo is upright, as in Pillow, and its orientation and upright size are returned."""
    image = decode_image(content, max_pixels=50_000_000)
    assert image.orientation == 6
    assert (image.width, image.height) == (HEIGHT, WIDTH) == image.pixels.shape[1::-1]
    assert abs(image.pixels.astype(int) - read_with_pillow(content)).max() <= 3


@pytest.mark.parametrize(
    "content",
    [
        photo("JPEG"),
        jpeg(tiff(6)),  # no prefix
        jpeg(PREFIX + tiff(1), XMP_NAMESPACE + xmp(6)),
        jpeg(PREFIX + tiff(9), XMP_NAMESPACE + xmp(6)),
        jpeg(b"http://ns.adobe.com/xmp/extension/\0" + xmp(6)),
        photo("JPEG")[:-2] + jpeg_segment(0xE1, PREFIX + tiff(6)) + b"\xff\xd9",  # after the pixels
        png((b"tEXt", b"Raw profile type exif\0\nexif\n 4\nnot digits")),
        png((b"tEXt", b"Raw profile type exif")),
        png((b"zTXt", b"Raw profile type exif\0\0not deflated")),
        png((b"iTXt", XMP_TEXT)),
        png((b"iTXt", b"Comment\0" + bytes(4) + xmp(6))),
        webp_with((b"EXIF", tiff(6)), (b"XMP ", xmp(6)), flags=0),
    ],
)
def test_stays_as_stored(content: bytes) -> None:
    """XMP counts only without EXIF; damaged and misplaced metadata doesn't count at all."""
    assert orientation(content) == 1


def test_first_block_with_an_orientation_counts() -> None:
    """Later blocks, and earlier ones without an orientation, are ignored."""
    blocks = (tiff(6, tag=MODEL), tiff(8), tiff(3))
    assert read_orientation(blocks, ()) == 8
    assert read_orientation((), (b"", xmp(5), xmp(3))) == 5
    assert read_orientation((), ()) == 1


@pytest.mark.parametrize("value", range(1, 9))
def test_reads_every_orientation(value: int) -> None:
    """EXIF and XMP have the same numbers, in any integer type and either byte order."""
    for kind in (3, 4, 8, 9):
        for order in "<>":
            block = tiff(value, kind=kind, order=order)
            assert from_exif(block) == from_exif(PREFIX + block) == value
    assert from_xmp(xmp(value)) == from_xmp(xmp(value, as_element=True)) == value
    assert from_xmp(b"<a tiff:Orientation = '%d' />" % value) == value


@pytest.mark.parametrize("value", [0, 9, 255, 65535])
def test_unknown_orientations_mean_upright(value: int) -> None:
    """EXIF with an unknown value is still an answer, so XMP isn't asked."""
    assert from_exif(tiff(value)) == 1
    assert from_xmp(xmp(value)) is None


@pytest.mark.parametrize(
    "block",
    [
        b"",
        PREFIX,
        b"MM\0*",
        b"MM*\0" + tiff(6)[4:],
        tiff(6)[:21],
        tiff(6, count=0),
        tiff(6, count=3),  # the value would be elsewhere
        tiff(6, count=2**32 - 1),
        tiff(6, kind=1),
        tiff(6, kind=5),
        tiff(6, kind=65535),
        b"MM\0*" + struct.pack(">I", 2**32 - 1) + tiff(6)[8:],
        b"MM\0*" + struct.pack(">I", 8) + struct.pack(">HI", 0, 14) + tiff(6)[8:],
    ],
)
def test_damaged_directories_have_no_orientation(block: bytes) -> None:
    """Directories beyond the end, lying counts and other types are ignored, later ones too."""
    assert from_exif(block) is None


def test_directory_may_claim_too_many_entries() -> None:
    """The entries that are there count, even if there should be 65,535."""
    assert from_exif(tiff(6)[:8] + b"\xff\xff" + tiff(6)[10:]) == 6


def test_text_bombs_are_not_inflated() -> None:
    """An XMP packet that inflates to 100 MB is read only at its start."""
    bomb = XMP_TEXT + b"\1\0\0\0" + zlib.compress(bytes(100_000_000) + xmp(6))
    assert orientation(png((b"iTXt", bomb))) == 1


@given(st.binary(max_size=200))
def test_survives_anything(data: bytes) -> None:
    """Any bytes give an orientation or none."""
    for found in (from_exif(data), from_exif(b"II*\0\x08\0\0\0" + data), from_xmp(data)):
        assert found in (None, *range(1, 9))
