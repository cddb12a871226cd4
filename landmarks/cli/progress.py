"""What a long operation tells of itself while it runs."""

import time
from datetime import timedelta
from types import TracebackType
from typing import Final, Protocol, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text


class Reporter(Protocol):
    """Whoever wants to know how far an operation is."""

    def stage(self, title: str, steps: int | None = None) -> None:
        """Something new begins, of so many steps; None if nobody knows."""
        ...

    def reached(self, step: int) -> None:
        """So many of its steps are done."""
        ...


class Bar:
    """Shows columns of one task while the block runs, and takes them away after it."""

    def __init__(self, console: Console, *columns: ProgressColumn) -> None:
        """Nothing is shown yet, and never where `console` is no terminal."""
        self._console = console
        self._bar = Progress(
            *columns, console=console, transient=True, disable=not console.is_terminal
        )

    def __enter__(self) -> Self:
        """Begin."""
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Leave the terminal as it was."""
        self._bar.stop()


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


_TITLE_CHARACTERS: Final = 29


_BAR_CHARACTERS: Final = 28


# Without a bar, so often at most.
_SECONDS_A_STAGE_LINE: Final = 5.0


class StageProgress(Bar):
    """Shows the stages of an operation while the block runs, and takes the bar away after it."""

    def __init__(self, console: Console) -> None:
        """Show them on `console`."""
        super().__init__(
            console,
            SpinnerColumn(),
            TextColumn(f"{{task.description:<{_TITLE_CHARACTERS}}}"),
            BarColumn(_BAR_CHARACTERS),
            TextColumn("{task.fields[count]}"),
            TimeElapsedColumn(),
        )
        self._task = self._bar.add_task("", total=None, count="")
        self._title, self._steps = "", 0
        self._next_line_at = 0.0

    def stage(self, title: str, steps: int | None = None) -> None:
        """See `operations.progress.Progress`."""
        self._title, self._steps = title, steps or 0
        self._bar.reset(self._task, description=title, total=steps, count=self._count(0))
        self._print_line(title)

    def reached(self, step: int) -> None:
        """See `operations.progress.Progress`."""
        self._bar.update(self._task, completed=step, count=self._count(step))
        if time.monotonic() >= self._next_line_at:
            of_all = f" of {self._steps}" if self._steps else ""
            self._print_line(f"{self._title}: {step}{of_all}")

    def _count(self, step: int) -> str:
        return f"{step}/{self._steps}" if self._steps else str(step or "")

    def _print_line(self, text: str) -> None:
        if not self._console.is_terminal:
            self._console.print(text, highlight=False)
            self._next_line_at = time.monotonic() + _SECONDS_A_STAGE_LINE
