"""The state of queue and results, for a person's eyes."""

from datetime import datetime, timedelta
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from worker.commands.terminal import one_line
from worker.operations.status import Queue, Recent, Status
from worker.results.table import DETECTED, FAILED, NOT_DETECTED

_COLOURS: Final = {DETECTED: "green", NOT_DETECTED: "yellow", FAILED: "red"}
_UNITS: Final = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))
_ERROR_CODES: Final = 4


def status_view(status: Status, note: str | None = None) -> RenderableType:
    """Everything that is known, part by part.

    Args:
        status: what is known.
        note: what went wrong since.
    """
    parts: list[RenderableType] = []
    if status.queue:
        parts.append(_queue(status.queue))
    if status.dead_letters:
        parts.append(_dead_letters(status.dead_letters))
    if status.recent:
        parts.append(_recent(status.recent))
    spaced = [line for part in parts for line in (part, Text())][:-1]
    if note:
        spaced += [Text(), Text(note, "red")]
    return Group(*spaced)


def duration(span: timedelta) -> str:
    """In the two largest units: 3 d 2 h, 1 h, 45 s."""
    left = round(span.total_seconds())
    parts = []
    for seconds, unit in _UNITS:
        if left >= seconds:
            parts.append(f"{left // seconds} {unit}")
            left %= seconds
    return " ".join(parts[:2]) or "0 s"


def _queue(queue: Queue) -> RenderableType:
    table = _grid()
    table.add_row("waiting", f"{queue.depth:,}")
    table.add_row("in flight", f"{queue.in_flight:,}", "received, or until their next try")
    table.add_row("delayed", f"{queue.delayed:,}", "sent with a delay")
    if queue.oldest:
        age = duration(timedelta(seconds=queue.oldest.seconds))
        table.add_row("oldest", age, f"by CloudWatch at {_clock(queue.oldest.at)}")
    else:
        table.add_row("oldest", "unknown", "CloudWatch does not say")
    return Group(_title("Queue", queue.name), table)


def _dead_letters(queue: Queue) -> RenderableType:
    table = _grid()
    number = Text(f"{queue.total:,}", "bold red" if queue.total else "green")
    table.add_row("messages", number, "landmarks dead-letters list" if queue.total else "")
    if queue.total and queue.oldest:
        table.add_row("oldest", duration(timedelta(seconds=queue.oldest.seconds)))
    return Group(_title("Dead letters", queue.name), table)


def _recent(recent: Recent) -> RenderableType:
    processed = sum(recent.outcomes.values())
    title = _title(f"Last {duration(recent.window)}", recent.table)
    read = f"{recent.items_read:,} items read"
    scope = f"of all {read}" if recent.whole_table else f"of the {read}; there are more"
    table = _grid()
    table.add_row("processed", f"{processed:,}", scope)
    for name in (DETECTED, NOT_DETECTED, FAILED):
        number = recent.outcomes.get(name, 0)
        share = f"{number / processed:.0%}" if number else ""
        codes = _codes(recent) if name == FAILED and number else ""
        words = Text("  ".join(filter(None, (share, codes))), "dim")
        table.add_row(name, Text(f"{number:,}", _COLOURS[name] if number else "dim"), words)
    return Group(title, table, *([Text(), _durations(recent)] if recent.durations else []))


def _codes(recent: Recent) -> str:
    shown = list(recent.error_codes.items())[:_ERROR_CODES]
    parts = [f"{one_line(code)} {number:,}" for code, number in shown]
    left = len(recent.error_codes) - len(shown)
    return " · ".join(parts + [f"{left} more"] * bool(left))


def _durations(recent: Recent) -> RenderableType:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("  ms", style="dim", min_width=14)
    for header in ("median", "95 %", "longest"):
        table.add_column(header, justify="right", min_width=8)
    for part, spread in recent.durations.items():
        table.add_row(f"  {part}", f"{spread.p50:,}", f"{spread.p95:,}", f"{spread.max:,}")
    return table


def _title(title: str, name: str) -> Text:
    return Text.assemble((title, "bold"), "  ", (one_line(name), "dim"))


def _grid() -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", min_width=14)
    table.add_column(justify="right", min_width=8)
    table.add_column(style="dim")
    return table


def _clock(moment: datetime) -> str:
    return f"{moment.astimezone():%H:%M}"
