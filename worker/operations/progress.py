"""What a long operation tells of itself while it runs."""

from typing import Protocol


class Progress(Protocol):
    """Whoever wants to know how far an operation is."""

    def stage(self, title: str, steps: int | None = None) -> None:
        """Something new begins, of so many steps; None if nobody knows."""
        ...

    def reached(self, step: int) -> None:
        """So many of its steps are done."""
        ...
