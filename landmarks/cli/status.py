"""`landmarks status`."""

import json
import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import click
from rich.console import Group, RenderableType
from rich.text import Text

from landmarks.cli.advice import worded_errors
from landmarks.cli.options import DEAD_LETTER_QUEUE_URL, QUEUE_URL, TABLE, Duration, stack_options
from landmarks.cli.queue_status import Queue, Recent, Status
from landmarks.cli.terminal import one_line
from landmarks.enums import DETECTED, FAILED, NOT_DETECTED

if TYPE_CHECKING:
    from collections.abc import Callable

_WATCH_SECONDS: Final = 5.0


@click.command()
@click.option(
    "--window",
    type=Duration(),
    default="15m",
    show_default=True,
    help="How long ago counts as recent: 90s, 15m, 2h, 1d.",
)
@click.option(
    "--max-items",
    type=click.IntRange(0),
    default=1000,
    show_default=True,
    metavar="COUNT",
    help="How many items of the table are read at most; 0 reads none.",
)
@click.option(
    "--watch",
    type=click.FloatRange(1),
    is_flag=False,
    flag_value=_WATCH_SECONDS,
    metavar="[SECONDS]",
    help=f"Look again every {_WATCH_SECONDS:g} seconds, until Ctrl-C.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object, a line of its own.")
@stack_options(QUEUE_URL, DEAD_LETTER_QUEUE_URL, TABLE)
def status(
    queue_url: str | None,
    dead_letter_queue_url: str | None,
    table: str | None,
    window: timedelta,
    max_items: int,
    watch: float | None,
    *,
    as_json: bool,
) -> None:
    """How queue, dead letters and results stand.

    Shows what it is told of: the queue, the dead-letter queue (of the queue, if none is
    named), the table; any of them will do.

    What became of photographs lately is counted in the first --max-items items of the
    table, each time anew, and that costs about one of DynamoDB's read units an item,
    recent or not. They come in no order that means anything, so a part of a large table is
    a sample. The age of the oldest message is CloudWatch's, a few minutes late; where it
    does not answer, it is unknown.
    """
    if not (queue_url or dead_letter_queue_url or table):
        raise click.UsageError(
            "nothing to look at: name --queue-url, --dead-letter-queue-url or --table, "
            "set QUEUE_URL, DEAD_LETTER_QUEUE_URL or RESULTS_TABLE, or use --local"
        )
    look = _look(queue_url, dead_letter_queue_url, table if max_items else None)

    def read() -> "Status":
        return look(window, max_items)

    if watch is None:
        _print(read(), as_json=as_json)
    else:
        _watch(read, watch, as_json=as_json)


def _look(
    queue_url: str | None, dead_letter_queue_url: str | None, table: str | None
) -> "Callable[[timedelta, int], Status]":
    """What reads the status, its clients and URLs made once."""
    from datetime import UTC, datetime  # noqa: PLC0415, --help needs none of it

    import boto3  # noqa: PLC0415, the same
    from botocore.config import Config  # noqa: PLC0415, the same

    from landmarks.cli.options import queue_client  # noqa: PLC0415, the same
    from landmarks.cli.queue_status import Status, read_queue, read_recent, redrive_target_url  # noqa: PLC0415

    quick = Config(connect_timeout=2, read_timeout=3, retries={"total_max_attempts": 1})
    sqs = queue_client(queue_url or dead_letter_queue_url)
    cloudwatch = boto3.client("cloudwatch", region_name=sqs.meta.region_name, config=quick)
    dead_url = dead_letter_queue_url or (redrive_target_url(sqs, queue_url) if queue_url else None)

    def look(window: timedelta, max_items: int) -> Status:
        return Status(
            at=datetime.now(UTC),
            queue=read_queue(sqs, cloudwatch, queue_url) if queue_url else None,
            dead_letters=read_queue(sqs, cloudwatch, dead_url) if dead_url else None,
            recent=read_recent(table, window, max_items) if table else None,
        )

    return look


def _print(status: "Status", *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(status.as_json()))
        return
    from rich.console import Console  # noqa: PLC0415, --json needs none of it

    from landmarks.cli.status import status_view  # noqa: PLC0415, the same

    Console(highlight=False).print(status_view(status))


def _watch(read: "Callable[[], Status]", seconds: float, *, as_json: bool) -> None:
    """Show it again and again; what fails after the first time is shown, and tried again."""
    from rich.console import Console  # noqa: PLC0415, --help needs none of it
    from rich.live import Live  # noqa: PLC0415, the same
    from rich.text import Text  # noqa: PLC0415, the same

    from landmarks.cli.status import status_view  # noqa: PLC0415, the same

    status, console = read(), Console(highlight=False)
    try:
        if as_json or not console.is_terminal:
            while True:
                _print(status, as_json=as_json)
                time.sleep(seconds)
                status = read()
        footer = Text(f"every {seconds:g} s until Ctrl-C", "dim")
        with Live(status_view(status, footer), console=console, auto_refresh=False) as live:
            while True:
                time.sleep(seconds)
                notes = [footer]
                try:
                    with worded_errors():
                        status = read()
                except click.ClickException as error:
                    notes = [Text(f"{time.strftime('%X')}  {error.message}", "red"), footer]
                live.update(status_view(status, *notes), refresh=True)
    except KeyboardInterrupt:
        return


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
