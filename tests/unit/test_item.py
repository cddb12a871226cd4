"""Items in the results table: named tuples, and the index's prefix."""

import pytest

from landmarks.encoding import TupleAttribute
from landmarks.groups import BoundingBox, ImageInfo, ModelInfo
from landmarks.item import prefix_of

STORED = [
    (
        BoundingBox(0.0, -0.25, 1.0, 0.5),
        {"x": {"N": "0.0"}, "y": {"N": "-0.25"}, "width": {"N": "1.0"}, "height": {"N": "0.5"}},
    ),
    (
        ModelInfo("0.10.21", 2, True, 0.5, 0.25),  # noqa: FBT003, a tuple
        {
            "mediapipe_version": {"S": "0.10.21"},
            "model_complexity": {"N": "2"},
            "refine_face_landmarks": {"BOOL": True},
            "min_detection_confidence": {"N": "0.5"},
            "min_landmark_confidence": {"N": "0.25"},
            "architecture": {"S": "x86_64"},
        },
    ),
    (ImageInfo(None, None, None, 4711), {"bytes": {"N": "4711"}}),
    (
        ImageInfo(640, 480, "heif", 4711, orientation=6, truncated=True),
        {
            "width": {"N": "640"},
            "height": {"N": "480"},
            "format": {"S": "heif"},
            "bytes": {"N": "4711"},
            "orientation": {"N": "6"},
            "truncated": {"BOOL": True},
        },
    ),
]


@pytest.mark.parametrize(("value", "stored"), STORED)
def test_tuples_are_stored_as_maps(
    value: tuple[object, ...], stored: dict[str, dict[str, object]]
) -> None:
    """Names and types are kept; a sparse one leaves out defaults. Unknown fields are ignored."""
    sparse = ("orientation", "truncated") if isinstance(value, ImageInfo) else ()
    attribute = TupleAttribute(type(value), sparse=sparse)

    assert attribute.serialize(value) == stored
    assert attribute.deserialize(stored | {"later": {"S": "field"}}) == value


def test_named_fields_are_left_out_if_they_have_their_default() -> None:
    """Others are stored, whatever their value."""
    model = TupleAttribute(ModelInfo, sparse=("architecture",))

    usual, other = ModelInfo("0.10.21"), ModelInfo("0.10.18", architecture="arm64")

    assert model.serialize(other).keys() - model.serialize(usual).keys() == {"architecture"}
    assert model.serialize(usual)["model_complexity"] == {"N": "2"}
    assert [model.deserialize(model.serialize(value)) for value in (usual, other)] == [usual, other]


def test_fractions_are_floats_even_if_whole() -> None:
    """DynamoDB returns 1.0 as 1, so fields are converted to their type."""
    numbers = {"x": {"N": "0"}, "y": {"N": "0"}, "width": {"N": "1"}, "height": {"N": "1"}}
    box = TupleAttribute(BoundingBox).deserialize(numbers)
    image = TupleAttribute(ImageInfo).deserialize({"width": {"N": "640"}})

    assert {type(number) for number in box} == {float}
    assert type(image.width) is int


@pytest.mark.parametrize(
    ("key", "prefix"),
    [
        ("a.jpg", "b/"),
        ("photos/2026/a.jpg", "b/photos/2026/"),
        ("photos/2026/", "b/photos/2026/"),
        ("/a.jpg", "b//"),
        ("photos//a.jpg", "b/photos//"),
        ("photos/../a.jpg", "b/photos/../"),
        ("été 1+1/ä.jpg", "b/été 1+1/"),
    ],
)
def test_prefix_ends_with_the_last_slash(key: str, prefix: str) -> None:
    """Keys are not interpreted beyond their last slash."""
    assert prefix_of("b", key) == prefix


def test_longest_prefix_fits_into_a_partition_key() -> None:
    """DynamoDB rejects writes with an index key of more than 2,048 bytes."""
    assert len(prefix_of("b" * 63, "é" * 511 + "/").encode()) <= 2048
