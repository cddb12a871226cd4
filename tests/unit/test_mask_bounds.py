"""Which masks from a detector are accepted."""

import struct
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.pictures import PNG_SIGNATURE, encode, jpeg_segment, png_chunk, png_header
from worker.detector.decode import encode_mask
from worker.detector.mask import MaskBounds

BOUNDS = MaskBounds(max_pixels=50_000_000, max_side=None)
REDUCING = MaskBounds(max_pixels=50_000_000, max_side=300)


def mask(width: int = 96, height: int = 64) -> bytes:
    """Return a valid mask: a gradient from left to right."""
    return encode_mask(np.tile(np.linspace(0, 1, width, dtype=np.float32), (height, 1)))


def noise(width: int, height: int) -> bytes:
    """Return the largest possible file: noise can't be compressed."""
    values = np.random.default_rng(7).integers(0, 256, (height, width), np.uint8)
    return bytes(cv2.imencode(".png", values)[1])


@pytest.mark.parametrize("size", [(96, 64), (64, 1), (1, 64), (16_384, 3)])
def test_a_valid_mask_is_accepted(size: tuple[int, int]) -> None:
    """A mask of the image's size is accepted."""
    assert BOUNDS.flaw(mask(*size), *size) is None


@pytest.mark.parametrize("size", [(64, 1), (1, 64), (64, 64), (2000, 1500), (16_384, 60)])
def test_noise_is_within_the_limit(size: tuple[int, int]) -> None:
    """Noise is accepted, although zlib makes it larger than its pixels."""
    assert BOUNDS.flaw(noise(*size), *size) is None
    assert MaskBounds(size[0] * size[1], None).max_bytes >= len(noise(*size))


@pytest.mark.parametrize(("side", "most"), [(None, 51_000_000), (300, 100_000)])
def test_the_limit_follows_from_the_largest_image(side: int | None, most: int) -> None:
    """The limit is about one byte per pixel that MediaPipe gets."""
    assert 0.9 * most < MaskBounds(50_000_000, side).max_bytes < most


@pytest.mark.parametrize(
    ("size", "shown"), [((600, 400), (300, 200)), ((299, 64), (299, 64)), ((999, 300), (300, 90))]
)
def test_a_reduced_image_has_a_mask_of_the_reduced_size(
    size: tuple[int, int], shown: tuple[int, int]
) -> None:
    """The longer side is exact, and the shorter one may be rounded."""
    assert REDUCING.flaw(mask(*shown), *size) is None
    assert REDUCING.flaw(mask(shown[0] - 1, shown[1]), *size)
    assert REDUCING.flaw(mask(shown[0], shown[1] + 4), *size)


@pytest.mark.parametrize("shown", [(150, 100), (75, 50), (38, 25)])
def test_a_large_jpeg_has_a_mask_of_the_decoded_size(shown: tuple[int, int]) -> None:
    """The decoder halves the sides up to three times, and rounds up."""
    assert BOUNDS.flaw(mask(*shown), 300, 200) is None
    assert BOUNDS.flaw(mask(shown[0], shown[1] + 1), 300, 200)
    assert REDUCING.flaw(mask(*shown), 300, 200) is None


def with_pixels(header: bytes) -> bytes:
    """Return a PNG with this header and some pixels."""
    return PNG_SIGNATURE + header + png_chunk(b"IDAT", b"x") + png_chunk(b"IEND")


def of_claimed_length() -> bytes:
    """Return a mask with a chunk that claims to be longer than the file."""
    return mask()[:33] + struct.pack(">I4s", 2**31 - 1, b"IDAT") + bytes(20)


@pytest.mark.parametrize(
    "forge",
    [
        pytest.param(bytes, id="nothing"),
        pytest.param(lambda: b"\xff\xd8" + jpeg_segment(0xE0, bytes(500)), id="JPEG"),
        pytest.param(lambda: PNG_SIGNATURE, id="signature alone"),
        pytest.param(lambda: b"\x88" + mask()[1:], id="another signature"),
        pytest.param(lambda: mask(96, 65), id="one row more"),
        pytest.param(lambda: mask(64, 96), id="rotated"),
        pytest.param(lambda: with_pixels(png_header(96, 64, depth=16, colour=0)), id="16 bits"),
        pytest.param(lambda: with_pixels(png_header(96, 64, depth=1, colour=0)), id="1 bit"),
        pytest.param(lambda: with_pixels(png_header(96, 64, colour=2)), id="colours"),
        pytest.param(lambda: with_pixels(png_header(96, 64, colour=3)), id="a palette"),
        pytest.param(lambda: mask()[:33] + png_chunk(b"fcTL") + mask()[33:], id="an animation"),
        pytest.param(lambda: mask()[:-1], id="truncated"),
        pytest.param(lambda: mask() + b"\0", id="trailing byte"),
        pytest.param(of_claimed_length, id="a chunk that lies"),
        pytest.param(lambda: mask()[:33] + png_chunk(b"IEND"), id="no pixels"),
        pytest.param(
            lambda: mask()[:33] + png_chunk(b"tEXt", bytes(96 * 64 + 2000)) + mask()[33:],
            id="too long for its pixels",
        ),
        pytest.param(lambda: encode(Image.new("RGB", (96, 64)), "PNG"), id="a sound RGB image"),
    ],
)
def test_an_invalid_mask_is_refused(forge: Callable[[], bytes]) -> None:
    """Only 8-bit greyscale PNGs of the image's size are accepted."""
    assert BOUNDS.flaw(forge(), 96, 64)


@given(st.binary(max_size=300), st.integers(0, 200))
def test_any_bytes_are_accepted_or_refused(data: bytes, place: int) -> None:
    """No bytes raise an exception."""
    valid = mask()
    BOUNDS.flaw(valid[:place] + data + valid[place + len(data) :], 96, 64)
    assert BOUNDS.flaw(data, 96, 64)


def test_values_are_rounded() -> None:
    """Values are rounded to the nearest of 256, halves to even."""
    values = np.array([[0, 0.4 / 255, 0.6 / 255, 0.5, 127.4 / 255, 1]], np.float32)
    found = cv2.imdecode(np.frombuffer(encode_mask(values), np.uint8), cv2.IMREAD_UNCHANGED)
    assert found is not None
    assert found.tolist() == [[0, 0, 1, 128, 127, 255]]
