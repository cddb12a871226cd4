"""How far something is that counts: a bar on a terminal, a line now and then elsewhere."""

import time
from datetime import timedelta
from typing import Final

from rich.console import Console
from rich.progress import (
    BarColumn,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from worker.commands.bar import Bar

_SECONDS_A_LINE: Final = 5.0

# The first few come all at once: a rate of them would be anything.
_SETTLING_SECONDS: Final = 1.0


class CountProgress(Bar):
    """Shows a count while the block runs, and takes the bar away after it."""

    def __init__(self, console: Console, title: str, counted: str, before: int = 0) -> None:
        """Nothing is shown yet.

        Args:
            console: where to show it.
            title: what is being done.
            counted: what the numbers are of.
            before: what had been done by earlier runs.
        """
        super().__init__(
            console,
            SpinnerColumn(),
            TextColumn(title),
            BarColumn(28),
            _CountColumn(),
            _RateColumn(),
            TimeElapsedColumn(),
            _LeftColumn(),
        )
        self._counted = counted
        self._before = before
        self._began_at = self._line_at = time.monotonic()
        self._task = self._bar.add_task("", total=None, completed=before)

    def total(self, count: int) -> None:
        """Say how many there will be, once that is known; from any thread."""
        self._bar.update(self._task, total=count)

    def reached(self, count: int) -> None:
        """Show how many there are."""
        self._bar.update(self._task, completed=count)
        now = time.monotonic()
        if not self._console.is_terminal and now >= self._line_at + _SECONDS_A_LINE:
            self._line_at = now
            rate = (count - self._before) / (now - self._began_at)
            self._console.print(f"{count:,} {self._counted}, {rate:,.0f}/s", highlight=False)


class _CountColumn(ProgressColumn):
    def render(self, task: Task) -> Text:
        total = f" of {task.total:,.0f}" if task.total else ""
        return Text(f"{task.completed:,.0f}{total}")


class _LeftColumn(ProgressColumn):
    max_refresh = 0.5

    def render(self, task: Task) -> Text:
        if task.time_remaining is None:
            return Text("")
        return Text(f"{timedelta(seconds=round(task.time_remaining))} left")


class _RateColumn(ProgressColumn):
    def render(self, task: Task) -> Text:
        settled = task.speed and (task.elapsed or 0) >= _SETTLING_SECONDS
        return Text(f"{task.speed:,.0f}/s" if settled else "")
