"""A photo's landmarks don't depend on earlier photos, which is why we have our own graph."""

import numpy as np
import pytest

from tests import photos
from tests.integration.test_parity import Groups, differences, stock_landmarks, warm_detector
from tests.photos import Photo
from worker.model import ModelOptions

OPTIONS = ModelOptions(model_complexity=2)

# Like a burst from a camera: a photo twice, near-duplicates, the first again.
BURSTS = [
    (photo, photo, *photos.near_duplicates(photo), photo)
    for photo in (photos.astronaut(), photos.both_hands(), photos.right_hand())
]


@pytest.fixture(scope="module")
def photos_in_bursts() -> list[Photo]:
    """Return each burst and the folder's photos, each followed by one without a person."""
    few = [(photo, photo, photos.near_duplicates(photo)[0]) for photo in photos.from_folder()]
    return [photo for burst in (*BURSTS, *few) for photo in (*burst, photos.nobody())]


@pytest.fixture(scope="module")
def fresh(photos_in_bursts: list[Photo]) -> dict[Photo, Groups]:
    """Return what a new stock instance finds in each photo."""
    images = list(dict.fromkeys(photos_in_bursts))
    with stock_landmarks(OPTIONS, [[photo] for photo in images]) as stock:
        return dict(zip(images, stock.result(), strict=True))


@pytest.mark.parametrize("step", [1, -1], ids=["forwards", "backwards"])
def test_a_warm_detector_finds_what_fresh_instances_find(
    step: int, photos_in_bursts: list[Photo], fresh: dict[Photo, Groups]
) -> None:
    """In either order, each photo's landmarks are the same bit for bit."""
    sequence = photos_in_bursts[::step]
    with warm_detector(OPTIONS) as detect:
        found = [(photo, detect(photo)) for photo in sequence]
    assert {
        (position, photo.name): names
        for position, (photo, landmarks) in enumerate(found)
        if (names := differences(landmarks, fresh[photo]))
    } == {}


@pytest.mark.parametrize("photo", [photos.astronaut(), photos.both_hands()], ids=lambda it: it.name)
def test_a_reused_stock_holistic_moves_the_landmarks(
    photo: Photo, fresh: dict[Photo, Groups]
) -> None:
    """Even in `static_image_mode`, the stock graph remembers faces and hands.

    If this fails, MediaPipe has fixed it, and we can use the stock graph.
    """
    successors = (photo, *photos.near_duplicates(photo))
    with stock_landmarks(OPTIONS, [(photo, successor) for successor in successors]) as stock:
        reused = stock.result()
    for successor, groups in zip(successors, reused, strict=True):
        moved = {name: _moved(fresh[successor], groups, name) for name in groups}
        assert moved["pose_landmarks"] == 0  # only the pose is stateless
        assert moved["face_landmarks"] > 1 / 1000, successor.name
        if photo == photos.both_hands():
            assert max(moved["left_hand_landmarks"], moved["right_hand_landmarks"]) > 1 / 500


def _moved(before: Groups, after: Groups, name: str) -> float:
    """Return a group's largest shift, in image widths or heights."""
    one, other = before[name], after[name]
    if one is None or other is None:
        return 0.0 if one is other else 1.0  # found in only one of them
    return float(np.abs(one - other)[:, :2].max())
