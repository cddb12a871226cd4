"""Photographs are decoded upright, thread-safely, and up to a maximum of pixels."""

import warnings
from io import BytesIO

import pytest
from PIL import Image

from landmarks.photograph import Size, UnreadablePhotographError, read_upright
from tests.pictures import PNG_SIGNATURE, encode, png_chunk, png_header


class Opened(Exception):  # noqa: N818, not an error
    """Raised after the header is read, before anything is decoded."""


def png_of(width: int, height: int) -> bytes:
    """Return a PNG that only claims its size."""
    return PNG_SIGNATURE + png_header(width, height, colour=0) + png_chunk(b"IDAT")


def test_warning_filters_are_left_alone() -> None:
    """Warning filters are global, so changing them would affect other threads."""
    during = []

    def look(size: Size) -> Size:
        during.append(list(warnings.filters))
        return size

    read_upright(encode(Image.new("RGB", (8, 8)), "PNG"), look)

    assert during == [warnings.filters] * 2


def test_photographs_of_any_allowed_size_are_read_without_warning() -> None:
    """Pillow's own threshold of 89 megapixels is raised; here, warnings are errors."""

    def stop(size: Size) -> Size:
        assert size == (15_800, 15_800)
        raise Opened

    with pytest.raises(Opened):
        read_upright(png_of(15_800, 15_800), stop)


@pytest.mark.parametrize("action", ["error", "ignore"])
@pytest.mark.parametrize("side", [15_900, 30_000])
@pytest.mark.filterwarnings("default")
def test_larger_ones_are_refused(side: int, action: str) -> None:
    """Larger photographs are rejected before decoding, whatever the warning filters."""
    with warnings.catch_warnings():
        warnings.simplefilter(action)  # type: ignore[arg-type]
        with pytest.raises(UnreadablePhotographError):
            read_upright(png_of(side, side), lambda size: size)


def test_half_a_file_is_an_error_with_a_name() -> None:
    """All of Pillow's errors become one."""
    file = BytesIO()
    Image.effect_noise((64, 64), 90).save(file, "JPEG")
    with pytest.raises(UnreadablePhotographError, match="truncated"):
        read_upright(file.getvalue()[:1000], lambda size: size)
