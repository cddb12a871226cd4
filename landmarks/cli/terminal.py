"""Terminal output and exit statuses. Imports nothing heavy."""

import signal
import sys
from datetime import UTC, datetime, timedelta
from io import TextIOWrapper
from typing import TYPE_CHECKING, Final

from landmarks.enums import DETECTED, FAILED, NOT_DETECTED

if TYPE_CHECKING:
    from rich.console import Console

# A command killed by a signal exits with this plus the signal's number.
SIGNAL_STATUS: Final = 128
STATUS_COLOURS: Final = {DETECTED: "green", NOT_DETECTED: "yellow", FAILED: "red"}

_MAX_LINE_CHARACTERS: Final = 300
_UNLIMITED: Final = 100_000  # characters
_UNITS: Final = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def printable(text: str) -> str:
    """Replace control characters with spaces, so that they can't affect the terminal."""
    return "".join(c if c.isprintable() else " " for c in text)


def escaped(text: str) -> str:
    """Replace control characters with their Python escapes."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def one_line(text: str) -> str:
    """Make text printable and truncate it to 300 characters."""
    line = printable(text)
    return line if len(line) <= _MAX_LINE_CHARACTERS else f"{line[:_MAX_LINE_CHARACTERS]}…"


def whole_line(text: str) -> str:
    """Make text printable for standard output, and truncate it only on a terminal."""
    return one_line(text) if sys.stdout.isatty() else printable(text)


def output_console() -> "Console":
    """Return a console for standard output. Only a terminal wraps lines or cuts them off."""
    from rich.console import Console  # noqa: PLC0415, slow

    return Console(highlight=False, width=None if sys.stdout.isatty() else _UNLIMITED)


def counted(count: int, noun: str) -> str:
    """Return a number with its noun: 1 item, 2,000 items."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def duration(span: timedelta) -> str:
    """Format a time span in its two largest units: 3 d 2 h, 1 h, 45 s."""
    left = round(span.total_seconds())
    parts = []
    for seconds, unit in _UNITS:
        if left >= seconds:
            parts.append(f"{left // seconds} {unit}")
            left %= seconds
    return " ".join(parts[:2]) or "0 s"


def utc(moment: datetime) -> str:
    """Format a time for people: 2026-11-23 21:42:38 UTC."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def exit_on_signals() -> None:
    """Make SIGTERM and SIGHUP end the command as Ctrl-C does, so that it cleans up."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, lambda received, _: sys.exit(SIGNAL_STATUS + received))


def replace_unencodable_output() -> None:
    """Print `?` instead of failing on characters that the terminal's encoding lacks."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
