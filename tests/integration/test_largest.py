"""The largest pictures work within a detector's memory, and larger ones are refused."""

import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from landmarks.errors import TooManyPixelsError
from tests.largest import (
    KINDS,
    Kind,
    most_pixels,
    person_jpeg,
    person_png,
    striped_jpeg,
    with_rows,
)
from worker.detector.formats import png, usual_name
from worker.detector.header import MAX_JPEG_SIDE_PIXELS, MAX_SIDE_PIXELS, read_header
from worker.detector.launch import ChildOptions, child_options
from worker.detector.pool import DetectorPool
from worker.model import ModelOptions
from worker.result import Detection
from worker.settings import Settings

# These take the most per pixel of their format; the benchmark tries all kinds.
GREEDIEST = tuple(
    kind
    for kind in KINDS
    if kind.name in {"progressive JPEG, CMYK", "PNG", "GIF", "WebP, lossless with alpha"}
)


def defaults(*, segmentation: bool = False) -> ChildOptions:
    """Return a detector's options with the default limits."""
    model = ModelOptions(1, min_detection_confidence=0.05, segmentation=segmentation)
    return child_options(Settings("unused", model=model, detect_timeout_seconds=120))


@pytest.fixture(scope="module")
def pool() -> Iterator[DetectorPool]:
    """One detector with the default limits."""
    with closing(DetectorPool(defaults(), 1)) as pool:
        yield pool


@pytest.fixture(scope="module")
def masking_pool() -> Iterator[DetectorPool]:
    """One detector that also makes masks."""
    with closing(DetectorPool(defaults(segmentation=True), 1)) as pool:
        yield pool


def detect(pool: DetectorPool, content: bytes) -> Detection:
    """Detect in one image, which must not cost a process."""
    restarts = pool.restarts
    try:
        return pool.detect(content, time.monotonic() + 240)
    finally:
        assert pool.restarts == restarts


# Cameras and phones


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        ((8160, 6144), (8160, 6144)),
        ((8192, 6144), (8192, 6144)),
        ((8688, 5792), (8688, 5792)),
        ((16320, 12240), (8160, 6120)),
    ],
    ids=lambda size: "x".join(map(str, size)),
)
def test_photos_of_cameras_and_phones_work(
    masking_pool: DetectorPool, size: tuple[int, int], shown: tuple[int, int]
) -> None:
    """Up to 51 megapixels they are decoded whole; the reported size is always the whole one."""
    found = detect(masking_pool, person_jpeg(*size))
    assert found.landmarks.person_found
    assert (found.width, found.height) == size
    assert found.mask is not None
    assert png.read_header(found.mask)[:2] == shown


# Memory


@pytest.mark.parametrize("kind", GREEDIEST, ids=lambda kind: kind.name)
def test_the_largest_picture_of_a_kind_works(pool: DetectorPool, kind: Kind) -> None:
    """It stays within the address space that an image may take, and one row more is refused."""
    content = kind.largest(defaults())
    most = most_pixels(content, defaults())
    size = read_header(content, max_pixels=most)
    assert 0.96 * most < size.width * size.height <= most

    found = detect(pool, content)

    assert (found.width, found.height) == (size.width, size.height)
    with pytest.raises(TooManyPixelsError, match=rf"memory.* {usual_name(size.format)} .*, \d+$"):
        detect(pool, with_rows(content, most // size.width + 1))


def test_with_masks_the_largest_picture_is_smaller(masking_pool: DetectorPool) -> None:
    """Detection takes more per pixel than decoding does."""
    options = defaults(segmentation=True)
    kind = next(kind for kind in KINDS if kind.name == "PNG")
    content = kind.largest(options)
    most = most_pixels(content, options)
    assert most < most_pixels(content, defaults())

    found = detect(masking_pool, content)

    assert found.mask is not None
    assert png.read_header(found.mask)[:2] == (found.width, found.height)
    with pytest.raises(TooManyPixelsError, match="memory"):
        detect(masking_pool, with_rows(content, most // kind.width + 1))


def test_jpegs_of_a_quarter_gigapixel_work(pool: DetectorPool) -> None:
    """The setting is their limit: decoded at a quarter, they take little memory."""
    content = striped_jpeg(16_320, 15_232)
    assert detect(pool, content).height == 15_232
    with pytest.raises(TooManyPixelsError, match="MAX_IMAGE_PIXELS allows, 250000000"):
        detect(pool, with_rows(content, 15_319))


@pytest.mark.parametrize("shape", [(MAX_JPEG_SIDE_PIXELS, 128), (40_000, 6_144)])
def test_long_panoramas_work(pool: DetectorPool, shape: tuple[int, int]) -> None:
    """MediaPipe would abort with a side over 32,766 pixels."""
    found = detect(pool, striped_jpeg(*shape))
    assert (found.width, found.height) == shape


def test_a_side_may_be_as_long_as_mediapipe_allows(pool: DetectorPool) -> None:
    """One pixel more is refused."""
    assert detect(pool, person_png(MAX_SIDE_PIXELS, 100)).width == MAX_SIDE_PIXELS
    with pytest.raises(TooManyPixelsError, match="a side is longer than 32766"):
        detect(pool, person_png(MAX_SIDE_PIXELS + 1, 100))
