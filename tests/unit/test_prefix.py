"""Where an object lies, as the table's index has it."""

import pytest

from landmarks.item import prefix_of


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
def test_directory_ends_with_the_last_slash(key: str, prefix: str) -> None:
    """As S3 has it, for which a key is a text without further meaning."""
    assert prefix_of("b", key) == prefix


def test_longest_names_fit_into_a_partition_key() -> None:
    """DynamoDB refuses a write whose key of an index is longer than 2,048 bytes."""
    assert len(prefix_of("b" * 63, "é" * 511 + "/").encode()) <= 2048
