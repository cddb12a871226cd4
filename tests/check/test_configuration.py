"""`docs/configuration.md` has every setting and parameter, with the limits that the code has."""

from functools import cache

import pytest

from docs import configuration
from tests.infra.cloudformation import load_template
from worker.settings import variables


@cache
def rows() -> dict[str, list[str]]:
    """The cells after the first of every table row, by the name in the first."""
    lines = [line.strip("| ") for line in configuration.page().splitlines() if "| `" in line[:3]]
    cells = [[cell.strip() for cell in line.split("|")] for line in lines]
    return {first.strip("`"): others for first, *others in cells}


def test_every_variable_is_described() -> None:
    """What is allowed, and what it does, is never empty."""
    for variable in variables():
        _, allowed, words, *_ = rows()[variable.name]
        assert allowed
        assert words


def test_every_parameter_is_listed() -> None:
    """Each is in one of the groups that the console and the page show."""
    assert load_template()["Parameters"].keys() <= rows().keys()


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("MODEL_COMPLEXITY", ["`2`", "one of 0, 1, 2"]),
        ("MAX_IMAGE_BYTES", ["`80000000`", "a whole number from 1 to 500000000"]),
        ("RESULT_TTL_DAYS", ["", "a whole number from 1 to 36500"]),
        ("MaximumConcurrency", ["`10`", "2 to 1000"]),
        ("ExistingImageBucket", ["", "the name of an S3 bucket, or empty"]),
    ],
)
def test_defaults_and_limits_are_those_of_the_code(name: str, cells: list[str]) -> None:
    """The row says what `settings.py` and `template.yaml` enforce."""
    assert rows()[name][:2] == cells
