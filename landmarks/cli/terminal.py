"""What every command owes the person at the terminal."""

import signal
import sys
from io import TextIOWrapper
from typing import Final

_LINE_CHARACTERS: Final = 300


# What a shell says of a command that a signal has ended.
SIGNAL_STATUS: Final = 128


def printable(text: str) -> str:
    """Nothing in it that a terminal would obey."""
    return "".join(c if c.isprintable() else " " for c in text)


def escaped(text: str) -> str:
    """All of it, and nothing in it that a terminal would obey."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def counted(count: int, noun: str) -> str:
    """A number with its noun: 1 item, 2,000 items."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def one_line(text: str) -> str:
    """Bounded, and nothing in it that a terminal would obey."""
    line = printable(text)
    return line if len(line) <= _LINE_CHARACTERS else f"{line[:_LINE_CHARACTERS]}…"


def end_orderly() -> None:
    """Let SIGTERM and a closed terminal do what Ctrl-C does: stop what was started."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, lambda received, _: sys.exit(SIGNAL_STATUS + received))


def print_anything() -> None:
    """Have no terminal end the command with a character that it can't show."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
