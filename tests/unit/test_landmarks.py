"""The bounding box, and which groups were found."""

import numpy as np
import pytest

from landmarks.groups import GROUPS, BoundingBox, FloatArray, Landmarks


def pose(*points: tuple[float, float, float]) -> FloatArray:
    """Return a pose with these x, y and visibility; other landmarks are invisible."""
    array = np.full((33, 4), (9, -9, 0, 0), dtype=np.float32)
    for row, (x, y, visibility) in enumerate(points):
        array[row] = (x, y, 0, visibility)
    return array


def test_bounding_box_holds_the_visible_landmarks() -> None:
    """Invisible landmarks are ignored, and numbers are plain floats."""
    landmarks = Landmarks(pose_landmarks=pose((0.25, 0.5, 1), (0.75, 0.125, 0.9), (0.5, 0.25, 0.6)))

    box = landmarks.bounding_box()

    assert box == BoundingBox(x=0.25, y=0.125, width=0.5, height=0.375)
    assert {type(value) for value in box} == {float}


@pytest.mark.parametrize(("visibility", "width"), [(0.5, 0.5), (0.499, 0.0)])
def test_landmark_is_visible_from_one_half_on(visibility: float, width: float) -> None:
    """A visibility of exactly one half counts."""
    box = Landmarks(pose_landmarks=pose((0, 0, 1), (0.5, 0, visibility))).bounding_box()

    assert box
    assert box.width == width


def test_bounding_box_may_reach_beyond_the_image() -> None:
    """A person cut off by the image has landmarks outside it."""
    landmarks = Landmarks(pose_landmarks=pose((-0.25, 0.5, 1), (0.5, 1.5, 1)))

    assert landmarks.bounding_box() == BoundingBox(x=-0.25, y=0.5, width=0.75, height=1.0)


@pytest.mark.parametrize("landmarks", [Landmarks(), Landmarks(pose_landmarks=pose())])
def test_nothing_visible_has_no_bounding_box(landmarks: Landmarks) -> None:
    """Without a person or a visible landmark there is no box."""
    assert landmarks.bounding_box() is None


def test_found_groups_come_in_the_order_of_all() -> None:
    """Each array comes with its `Group`."""
    landmarks = Landmarks(right_hand_landmarks=np.zeros((21, 3), np.float32), pose_landmarks=pose())

    assert [group.name for group, _ in landmarks.found()] == [
        "pose_landmarks",
        "right_hand_landmarks",
    ]
    assert landmarks.person_found
    assert not Landmarks().person_found
    assert not list(Landmarks().found())


def test_groups_are_the_fields_of_landmarks() -> None:
    """All groups have a field, so none is lost."""
    empty = Landmarks()

    assert [getattr(empty, group.name) for group in GROUPS] == [None] * 5
