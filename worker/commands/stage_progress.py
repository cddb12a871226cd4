"""How far an operation is: a bar on a terminal, a line now and then elsewhere."""

import time
from typing import Final

from rich.console import Console
from rich.progress import (
    BarColumn,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

from worker.commands.bar import Bar

_TITLE_CHARACTERS: Final = 29
_BAR_CHARACTERS: Final = 28

# Without a bar, so often at most.
_SECONDS_A_LINE: Final = 5.0


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
            self._next_line_at = time.monotonic() + _SECONDS_A_LINE
