"""Pure data: the bounding box, and which groups were found."""

import numpy as np
import pytest

from landmarks.groups import GROUPS, BoundingBox, FloatArray, Landmarks


def pose(*points: tuple[float, float, float]) -> FloatArray:
    """A pose with these x, y and visibility; the other landmarks are far off and not visible."""
    array = np.full((33, 4), (9, -9, 0, 0), dtype=np.float32)
    for row, (x, y, visibility) in enumerate(points):
        array[row] = (x, y, 0, visibility)
    return array


def test_bounding_box_holds_the_visible_landmarks() -> None:
    """What is not visible is somewhere, and does not count."""
    landmarks = Landmarks(pose_landmarks=pose((0.25, 0.5, 1), (0.75, 0.125, 0.9), (0.5, 0.25, 0.6)))

    assert landmarks.bounding_box() == BoundingBox(x=0.25, y=0.125, width=0.5, height=0.375)


@pytest.mark.parametrize(("visibility", "width"), [(0.5, 0.5), (0.499, 0.0)])
def test_landmark_is_visible_from_one_half_on(visibility: float, width: float) -> None:
    """One half itself counts."""
    box = Landmarks(pose_landmarks=pose((0, 0, 1), (0.5, 0, visibility))).bounding_box()

    assert box
    assert box.width == width


def test_bounding_box_may_reach_beyond_the_image() -> None:
    """A person that the image cuts off has landmarks outside of it."""
    landmarks = Landmarks(pose_landmarks=pose((-0.25, 0.5, 1), (0.5, 1.5, 1)))

    assert landmarks.bounding_box() == BoundingBox(x=-0.25, y=0.5, width=0.75, height=1.0)


def test_one_visible_landmark_is_a_box_without_extent() -> None:
    """It is still a place."""
    assert Landmarks(pose_landmarks=pose((0.5, 0.25, 1))).bounding_box() == (0.5, 0.25, 0, 0)


def test_bounding_box_is_of_plain_numbers() -> None:
    """NumPy's numbers are not for JSON."""
    box = Landmarks(pose_landmarks=pose((0.1, 0.2, 1))).bounding_box()

    assert box
    assert [type(value) for value in box] == [float] * 4


@pytest.mark.parametrize("landmarks", [Landmarks(), Landmarks(pose_landmarks=pose())])
def test_nothing_visible_has_no_bounding_box(landmarks: Landmarks) -> None:
    """Neither nobody nor a pose of which no landmark is visible."""
    assert landmarks.bounding_box() is None


def test_found_groups_come_in_the_order_of_all() -> None:
    """Each with its description."""
    landmarks = Landmarks(right_hand_landmarks=np.zeros((21, 3), np.float32), pose_landmarks=pose())

    assert [group.name for group, _ in landmarks.found()] == [
        "pose_landmarks",
        "right_hand_landmarks",
    ]
    assert landmarks.person_found
    assert not Landmarks().person_found
    assert not list(Landmarks().found())


def test_groups_are_the_fields_of_landmarks() -> None:
    """A group that no field holds would be lost in silence."""
    empty = Landmarks()

    assert [getattr(empty, group.name) for group in GROUPS] == [None] * 5
