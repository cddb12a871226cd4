"""`docs/configuration.md` says what the code and the template say."""

from pathlib import Path

import pytest
from samtranslator.yaml_helper import yaml_parse

from docs import configuration
from worker.settings import variables

ROOT = Path(__file__).parents[2]


def row(name: str) -> list[str]:
    """A table row's cells, found by its first one."""
    (line,) = [
        line for line in configuration.page().splitlines() if line.startswith(f"| `{name}` ")
    ]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_every_variable_has_words() -> None:
    """Name, what is allowed and what it is about are never empty."""
    for variable in variables():
        name, _, allowed, words, _ = row(variable.name)
        assert name
        assert allowed
        assert words


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("MODEL_COMPLEXITY", ["`2`", "one of 0, 1, 2"]),
        ("MAX_IMAGE_BYTES", ["`30000000`", "a whole number from 1 to 500000000"]),
        ("REFINE_FACE_LANDMARKS", ["`false`", "one of true, 1, yes, false, 0, no"]),
        ("RESULT_TTL_DAYS", ["", "a whole number from 1 to 36500"]),
        ("ModelComplexity", ["`2`", "`0`, `1`, `2`"]),
        ("MaximumConcurrency", ["`10`", "2 to 1000"]),
        ("ExistingImageBucket", ["", "the name of an S3 bucket, or empty"]),
    ],
)
def test_defaults_and_limits_are_the_codes(name: str, cells: list[str]) -> None:
    """As `settings.py` and `template.yaml` have them."""
    assert row(name)[1:3] == cells


def test_every_parameter_is_there() -> None:
    """None is left out of the groups that the console and the page show."""
    template = yaml_parse((ROOT / "template.yaml").read_text(encoding="utf-8"))
    for name in template["Parameters"]:
        assert row(name)


def test_a_stale_page_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--check` ends with what to do; writing mends it."""
    stale = tmp_path / "configuration.md"
    stale.write_text("of last year", encoding="utf-8")
    monkeypatch.setattr(configuration, "PAGE", stale)
    monkeypatch.setattr("sys.argv", ["configuration", "--check"])
    with pytest.raises(SystemExit, match="run make docs"):
        configuration.main()

    monkeypatch.setattr("sys.argv", ["configuration"])
    configuration.main()
    monkeypatch.setattr("sys.argv", ["configuration", "--check"])
    configuration.main()
