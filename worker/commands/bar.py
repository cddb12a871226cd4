"""A bar on a terminal, as long as something runs."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import Progress, ProgressColumn


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
