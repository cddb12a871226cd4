"""Progress on a terminal and in a log."""

from io import StringIO
from types import SimpleNamespace

import pytest
from rich.console import Console

from landmarks.cli.progress import Progress


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time in seconds, in a list of one element."""
    now = [1000.0]
    monkeypatch.setattr("landmarks.cli.progress.time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


def test_a_log_has_a_line_now_and_then(clock: list[float]) -> None:
    """Without a terminal, stages and a count every five seconds are plain lines."""
    log = StringIO()
    with Progress(unit="sent", console=Console(file=log)) as progress:
        progress.stage("Reading")
        progress.update(1)
        clock[0] += 5
        progress.update(1234)
        progress.update(1235)
        progress.stage("Sending", total=2000)
        clock[0] += 5
        progress.update(total=3000)

    lines = [line.partition(" sent")[0] for line in log.getvalue().splitlines()]
    assert lines == ["Reading", "Reading: 1,234", "Sending", "Sending: 0 of 3,000"]


def test_a_terminal_has_a_bar_that_goes_away() -> None:
    """On a terminal, the bar is redrawn, and erased at the end."""
    terminal = StringIO()
    console = Console(file=terminal, force_terminal=True, width=100, color_system=None)
    with Progress("Sending", "sent", done=7, console=console) as progress:
        progress.update(12, total=20)

    assert "Sending 12 of 20 sent" in terminal.getvalue()
    assert terminal.getvalue().endswith("\x1b[2K")
