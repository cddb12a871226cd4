"""Masks are those of a new stock Holistic, and change nothing else."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from landmarks.errors import SettingsError
from landmarks.groups import GROUPS
from tests import photos
from tests.fuzz.images import peak_bytes
from tests.integration.test_parity import (
    MAX_PIXELS,
    Groups,
    columns_of,
    differences,
    import_stock,
    stock_process,
    warm_detector,
)
from tests.photos import Photo
from worker.detector.decode import decode_image
from worker.detector.launch import child_options
from worker.detector.pool import DetectorPool
from worker.model import ModelOptions, require_model
from worker.result import Detection
from worker.settings import Settings

Mask = npt.NDArray[np.uint8]


def _stock(
    model_complexity: int, images: Sequence[Photo]
) -> list[tuple[Groups, npt.NDArray[np.float32] | None]]:
    """Return each photo's landmarks and mask from a new instance; runs in stock's process."""
    holistic = import_stock().solutions.holistic.Holistic
    found = []
    for photo in images:
        with holistic(
            static_image_mode=True, model_complexity=model_complexity, enable_segmentation=True
        ) as stock:
            answer = stock.process(decode_image(photo.content, max_pixels=MAX_PIXELS).pixels)
            mask: Any = answer.segmentation_mask
            copied = None if mask is None else mask.copy()
            groups = {group.name: columns_of(answer, group.name) for group in GROUPS}
        found.append((groups, copied))
    return found


@contextmanager
def detector(model: ModelOptions) -> Iterator[Callable[[Photo], Detection]]:
    """Our detector with its pool and process, and the memory limit from the settings."""
    options = child_options(Settings("unused", model=model, detect_timeout_seconds=60))
    with closing(DetectorPool(options, 1)) as pool:
        yield lambda photo: pool.detect(photo.content, time.monotonic() + 120)
        assert pool.restarts == 0


def grey(png: bytes | None) -> Mask | None:
    """Return a mask file's values, read by an independent decoder."""
    if png is None:
        return None
    with Image.open(BytesIO(png)) as picture:
        assert (picture.format, picture.mode) == ("PNG", "L")
        return np.asarray(picture)


def in_8_bits(mask: npt.NDArray[np.float32] | None) -> Mask | None:
    """Return 255 times the mask, rounded."""
    return None if mask is None else np.rint(mask * np.float32(255)).astype(np.uint8)


def are_same(one: Mask | None, other: Mask | None) -> bool:
    """Return whether both are None or the same to the last bit."""
    if one is None or other is None:
        return one is other
    return np.array_equal(one, other)


@pytest.mark.parametrize("model_complexity", [0, 1, 2])
def test_masks_and_landmarks_are_those_of_a_fresh_stock_holistic(model_complexity: int) -> None:
    """Masks are the same after rounding to 8 bits, and landmarks to the last bit."""
    model = ModelOptions(model_complexity, segmentation=True)
    try:
        require_model(model)
    except SettingsError as error:
        if model_complexity == 0:  # no default needs this model
            pytest.skip(str(error))
        raise
    images = photos.every()
    with stock_process() as process, detector(model) as detect:
        expected = process.submit(_stock, model_complexity, images)
        found = [detect(photo) for photo in images]
        stock = expected.result()
    for photo, ours, (groups, mask) in zip(images, found, stock, strict=True):
        assert differences(ours.landmarks, groups) == [], photo.name
        assert are_same(grey(ours.mask), in_8_bits(mask)), photo.name
        assert (ours.mask is not None) == ours.landmarks.person_found, photo.name
    masked = {photo.name for photo, ours in zip(images, found, strict=True) if ours.mask}
    assert {"astronaut.png", "camera.png"} <= masked


@pytest.mark.parametrize("model_complexity", [0, 1, 2])
def test_landmarks_do_not_depend_on_masks(model_complexity: int) -> None:
    """The whole model's groups are those of the model without mask branch, bit for bit."""
    images = photos.every()
    plain, masking = (ModelOptions(model_complexity, segmentation=on) for on in (False, True))
    assert require_model(plain) != require_model(masking)
    with warm_detector(plain) as detect:
        without = [detect(photo) for photo in images]
    with detector(masking) as look:
        found = [look(photo).landmarks for photo in images]
    for photo, ours, other in zip(images, found, without, strict=True):
        groups: Groups = {group.name: getattr(other, group.name) for group in GROUPS}
        assert differences(ours, groups) == [], photo.name
        assert ours.pose_score == other.pose_score


def test_without_segmentation_there_is_no_mask() -> None:
    """Masks take time, so they are only computed on request."""
    with detector(ModelOptions(model_complexity=1)) as detect:
        found = detect(photos.astronaut())
    assert found.landmarks.person_found
    assert found.mask is None


def test_masks_do_not_depend_on_the_photos_before() -> None:
    """A burst with an empty photo gives the same masks forwards and backwards."""
    astronaut, hands = photos.astronaut(), photos.both_hands()
    sequence = [astronaut, astronaut, *photos.near_duplicates(astronaut), photos.nobody(), hands]
    masks: dict[str, set[bytes | None]] = {}
    with detector(ModelOptions(model_complexity=2, segmentation=True)) as detect:
        for photo in (*sequence, *reversed(sequence)):
            masks.setdefault(photo.name, set()).add(detect(photo).mask)
    assert {name: len(different) for name, different in masks.items()} == dict.fromkeys(masks, 1)
    assert masks["nobody"] == {None}
    assert len(set.union(*masks.values())) == len(masks)


def test_the_mask_covers_the_person() -> None:
    """It is high at the nose, and low in the corner farthest from the person."""
    with detector(ModelOptions(model_complexity=2, segmentation=True)) as detect:
        found = detect(photos.astronaut())
    mask = grey(found.mask)
    assert mask is not None
    assert found.landmarks.pose_landmarks is not None
    assert mask.shape == (found.height, found.width)
    x, y = found.landmarks.pose_landmarks[0, :2] * (found.width, found.height)
    assert mask[int(y), int(x)] > 250
    assert mask[0, -1] < 5
    assert 0.2 < (mask > 127).mean() < 0.8


@pytest.mark.parametrize("size", [(512, 512), (900, 512), (1237, 613), (599, 2049)])
def test_the_mask_has_the_size_that_an_image_is_reduced_to(size: tuple[int, int]) -> None:
    """With MAX_IMAGE_SIDE, the mask is scaled, but the reported size is not."""
    with Image.open(BytesIO(photos.astronaut().content)) as picture:
        file = BytesIO()
        picture.convert("RGB").resize(size).save(file, "JPEG", quality=95)
    model = ModelOptions(1, min_detection_confidence=0.05, max_image_side=300, segmentation=True)
    with detector(model) as detect:
        found = detect(Photo("enlarged", file.getvalue()))
    mask = grey(found.mask)
    assert mask is not None
    assert (found.width, found.height) == size
    assert max(mask.shape) == 300
    shown = decode_image(file.getvalue(), max_pixels=MAX_PIXELS, max_side=300).pixels
    assert mask.shape == shown.shape[:2]


def test_masks_of_the_largest_images_do_not_pile_up() -> None:
    """Images of 50 megapixels, one after another, stay within the memory budget.

    The budget: 880 MB without an image, 15 bytes per pixel, the file twice, and 120 MB for holes.
    """
    with Image.open(BytesIO(photos.astronaut().content)) as picture:
        file = BytesIO()
        picture.convert("RGB").resize((8160, 6120)).save(file, "JPEG")
    large = file.getvalue()
    model = ModelOptions(model_complexity=2, segmentation=True)
    settings = Settings("unused", model=model, detect_timeout_seconds=60)
    with closing(DetectorPool(child_options(settings), 1)) as pool:
        for content in (large, photos.astronaut().content, *[large] * 4):
            found = pool.detect(content, time.monotonic() + 120)
            mask = grey(found.mask)
            assert mask is not None
            assert mask.shape == (found.height, found.width)
        assert pool.restarts == 0
        peak_megabytes = peak_bytes(pool.pids[0]) / 1e6
    assert peak_megabytes < 880 + 15 * 50 + 2 * len(large) / 1e6 + 120
