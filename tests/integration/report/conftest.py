"""Results to report about, and the report."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from landmarks.cli.report import Selection, write_report
from tests.fakes import Cloud
from tests.integration.report.album import Album
from tests.integration.report.pages import Page

Report = Callable[..., Page]


class Silence:
    """Nobody wants to know how far it is."""

    def stage(self, title: str, steps: int | None = None) -> None:
        """Something new begins."""

    def reached(self, step: int) -> None:
        """A step is done."""


@pytest.fixture
def album(cloud: Cloud) -> Album:
    """A bucket and a table of the test's own."""
    return Album(cloud)


@pytest.fixture
def report(cloud: Cloud, tmp_path: Path) -> Report:
    """Writes a page of the test's table; keywords are `Selection`'s and `write_report`'s."""

    def write(**wanted: Any) -> Page:  # noqa: ANN401, of several types
        names = {"title", "limit", "with_photos"} & wanted.keys()
        options = {"limit": 1000} | {name: wanted.pop(name) for name in names}
        path = tmp_path / "report.html"
        write_report(Selection(cloud.stack.table, **wanted), path, Silence(), **options)
        return Page(path)

    return write
