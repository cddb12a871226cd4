"""Progress of a command: a bar on a terminal, otherwise a line every few seconds."""

import time
from datetime import timedelta
from typing import Final, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
)
from rich.progress import Progress as RichProgress
from rich.table import Column
from rich.text import Text

_BAR_CHARACTERS: Final = 20
_SECONDS_BETWEEN_LINES: Final = 5.0
# Rates measured over less time are meaningless.
_MIN_RATE_SECONDS: Final = 1.0


class Progress:
    """Shows one stage at a time on standard error. The bar disappears when the block ends."""

    def __init__(
        self, title: str = "", unit: str = "", *, done: int = 0, console: Console | None = None
    ) -> None:
        """Set up the first stage, whose title is only shown on a terminal.

        Args:
            title: title of the first stage.
            unit: what is counted, such as `items read`.
            done: initial count, from an earlier run.
            console: where to show progress (default: standard error).
        """
        self._console = console or Console(stderr=True)
        self._unit = unit
        self._bar = RichProgress(
            SpinnerColumn(),
            BarColumn(_BAR_CHARACTERS),
            TextColumn("{task.description}"),
            _CountColumn(Column(no_wrap=True)),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task(title, total=None, completed=done, unit=unit)
        self._next_line_at = time.monotonic() + _SECONDS_BETWEEN_LINES

    def __enter__(self) -> Self:
        """Show the bar."""
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the bar."""
        self._bar.stop()

    def stage(self, title: str, total: int | None = None) -> None:
        """Start the next stage; `total` is None if unknown."""
        self._bar.remove_task(self._task)
        self._task = self._bar.add_task(title, total=total, unit=self._unit)
        self._print_line(title)

    def update(self, done: int | None = None, total: int | None = None) -> None:
        """Set the count, the total or both. Thread-safe."""
        self._bar.update(self._task, completed=done, total=total)
        if time.monotonic() >= self._next_line_at:
            (task,) = self._bar.tasks
            self._print_line(f"{task.description}: {_count(task)}")

    def _print_line(self, line: str) -> None:
        if not self._console.is_terminal:
            self._console.print(line, highlight=False, markup=False)
            self._next_line_at = time.monotonic() + _SECONDS_BETWEEN_LINES


class _CountColumn(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(_count(task) if task.completed or task.total else "")


def _count(task: Task) -> str:
    """Return a text such as `1,200 of 5,000 sent, 400/s, 0:00:10 left`."""
    total = f" of {task.total:,.0f}" if task.total else ""
    unit = f" {task.fields['unit']}" if task.fields["unit"] else ""
    parts = [f"{task.completed:,.0f}{total}{unit}"]
    if task.speed and (task.elapsed or 0) >= _MIN_RATE_SECONDS:
        parts.append(f"{task.speed:,.0f}/s")
        if task.time_remaining:
            parts.append(f"{timedelta(seconds=task.time_remaining)} left")
    return ", ".join(parts)
