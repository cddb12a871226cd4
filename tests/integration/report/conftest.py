"""Results to report on, and the report."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from landmarks.cli.progress import Progress
from landmarks.cli.report import Selection, write_report
from tests.fakes import Cloud
from tests.integration.report.album import Album
from tests.integration.report.pages import Page

Report = Callable[..., Page]

SILENCE = Progress(console=Console(quiet=True))


@pytest.fixture
def album(cloud: Cloud) -> Album:
    """A bucket and a table for the test alone."""
    return Album(cloud)


@pytest.fixture
def report(cloud: Cloud, tmp_path: Path) -> Report:
    """Writes a report of the test's table; keywords are those of `Selection` and `write_report`."""

    def write(**wanted: Any) -> Page:  # noqa: ANN401, of several types
        names = {"title", "limit", "with_photos"} & wanted.keys()
        options = {"limit": 1000} | {name: wanted.pop(name) for name in names}
        path = tmp_path / "report.html"
        write_report(Selection(cloud.stack.table, **wanted), path, SILENCE, **options)
        return Page(path)

    return write
