"""What the two encodings of landmarks cost, and that docs/table.md says so."""

from pathlib import Path
from typing import Any

import pytest

from bench.encodings import sizes, times
from bench.items import item_bytes, value_bytes

DOCS = Path(__file__).parents[2] / "docs" / "table.md"


@pytest.mark.parametrize(
    ("number", "size"),
    [("0", 1), ("7", 2), ("0.5", 2), ("0.123456", 4), ("-0.123456", 5), ("100", 2), ("1.05", 3)],
)
def test_number_has_a_byte_for_two_digits(number: str, size: int) -> None:
    """And one more; zeros at either end count nothing, a sign one."""
    assert value_bytes({"N": number}) == size


def test_exponent_counts_no_digits() -> None:
    """Of a number as Python's JSON may write it."""
    assert value_bytes({"N": "1.5e-07"}) == value_bytes({"N": "15"}) == 2


def test_lists_and_maps_have_three_bytes_and_one_for_each_element() -> None:
    """By hand, of two landmarks: 1 + 3 + 2 x (1 + 3 + 3 x (1 + 1 + 2))."""
    point: dict[str, Any] = {"M": {name: {"N": "0.5"} for name in "xyz"}}
    assert item_bytes({"g": {"L": [point, point]}}) == 36


def test_docs_have_the_sizes_and_prices() -> None:
    """Every row that follows from an item's bytes stands there as it is counted."""
    page = DOCS.read_text("utf-8")
    for row in sizes():
        assert f"| {' | '.join(row)} |" in page


def test_times_are_compared() -> None:
    """Of each direction: binary's, maps', and how many times as much that is."""
    for (name, *milliseconds, ratio), expected in zip(
        times(rounds=3), ("encode", "decode"), strict=True
    ):
        assert name == expected
        assert all(float(value.removesuffix(" ms")) >= 0 for value in milliseconds)
        assert float(ratio.removesuffix(" times")) > 1
