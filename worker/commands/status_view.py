"""The state of queue and results, for a person's eyes."""

from datetime import datetime, timedelta
from typing import Final

from rich.console import Group, RenderableType
from rich.text import Text

from worker.commands.terminal import one_line
from worker.operations.status import Queue, Recent, Status
from worker.results.result import DETECTED, FAILED, NOT_DETECTED

STATUS_COLOURS: Final = {DETECTED: "green", NOT_DETECTED: "yellow", FAILED: "red"}
_UNITS: Final = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))
_ERROR_CODES: Final = 4
_LABEL_WIDTH: Final = 13
_VALUE_WIDTH: Final = 10


def status_view(status: Status, *notes: Text) -> RenderableType:
    """Everything that is known, part by part.

    Args:
        status: what is known.
        notes: what stands below it.
    """
    parts: list[RenderableType] = []
    if status.queue:
        parts.append(_queue(status.queue))
    if status.dead_letters:
        parts.append(_dead_letters(status.dead_letters))
    if status.recent:
        parts.append(_recent(status.recent))
    spaced = [line for part in parts for line in (part, Text())][:-1]
    return Group(*spaced, *([Text(), *notes] if notes else []))


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
    if queue.oldest:
        age = duration(timedelta(seconds=queue.oldest.seconds))
        oldest = _row("oldest", age, f"by CloudWatch at {_clock(queue.oldest.at)}")
    else:
        oldest = _row("oldest", "unknown", "CloudWatch does not say")
    return Group(
        _title("Queue", queue.name),
        _row("waiting", f"{queue.depth:,}"),
        _row("in flight", f"{queue.in_flight:,}", "received, or until their next try"),
        _row("delayed", f"{queue.delayed:,}", "sent with a delay"),
        oldest,
    )


def _dead_letters(queue: Queue) -> RenderableType:
    rows = [
        _row(
            "messages",
            f"{queue.total:,}",
            "see: landmarks dead-letters list" if queue.total else "",
            "bold red" if queue.total else "green",
        )
    ]
    if queue.total and queue.oldest:
        rows.append(_row("oldest", duration(timedelta(seconds=queue.oldest.seconds))))
    return Group(_title("Dead letters", queue.name), *rows)


def _recent(recent: Recent) -> RenderableType:
    processed = sum(recent.outcomes.values())
    read = f"{recent.items_read:,} items read"
    scope = f"of all {read}" if recent.whole_table else f"of the {read}; there are more"
    rows = [
        _title(f"Last {duration(recent.window)}", recent.table),
        _row("processed", f"{processed:,}", scope),
    ]
    for name in (DETECTED, NOT_DETECTED, FAILED):
        number = recent.outcomes.get(name, 0)
        share = f"{number / processed:.0%}" if number else ""
        codes = _codes(recent) if name == FAILED and number else ""
        words = "  ".join(filter(None, (share, codes)))
        rows.append(_row(name, f"{number:,}", words, STATUS_COLOURS[name] if number else ""))
    return Group(*rows, *_durations(recent))


def _codes(recent: Recent) -> str:
    shown = list(recent.error_codes.items())[:_ERROR_CODES]
    parts = [f"{one_line(code)} {number:,}" for code, number in shown]
    left = len(recent.error_codes) - len(shown)
    return " · ".join(parts + [f"{left} more"] * bool(left))


def _durations(recent: Recent) -> list[Text]:
    rows = [("ms", "median", "95 %", "longest")]
    for part, spread in recent.durations.items():
        rows.append((part, f"{spread.p50:,}", f"{spread.p95:,}", f"{spread.max:,}"))
    lines = [
        _row(name, numbers[0], "".join(f"{n:>{_VALUE_WIDTH}}" for n in numbers[1:]), "", gap="")
        for name, *numbers in rows
    ]
    return [Text(), *lines] if recent.durations else []


def _title(title: str, name: str) -> Text:
    return Text.assemble((title, "bold"), "  ", (one_line(name), "dim"))


def _row(label: str, value: str, words: str = "", style: str = "", gap: str = "  ") -> Text:
    row = Text.assemble(
        (f"  {label:<{_LABEL_WIDTH}}", "dim"),
        (f"{value:>{_VALUE_WIDTH}}", style),
        (f"{gap}{words}", "dim"),
    )
    row.rstrip()
    return row


def _clock(moment: datetime) -> str:
    return f"{moment.astimezone():%H:%M}"
