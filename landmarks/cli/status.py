"""`landmarks status`: queue depths, dead letters and recent results."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import boto3
import click
from botocore.config import Config
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from landmarks.cli.advice import worded_errors
from landmarks.cli.connection import same_connection
from landmarks.cli.options import (
    DEAD_LETTER_QUEUE_URL,
    QUEUE_URL,
    TABLE,
    Duration,
    is_aws,
    queue_client,
    stack_options,
)
from landmarks.cli.queue_status import (
    Queue,
    Rate,
    Recent,
    Status,
    read_queue,
    read_recent,
    read_retrying,
    redrive_target_url,
)
from landmarks.cli.terminal import STATUS_COLOURS, duration, one_line, output_console, utc
from landmarks.enums import DETECTED, FAILED, NOT_DETECTED

_WATCH_SECONDS: Final = 5.0
# CloudWatch only provides an age, which is not worth a long wait.
_CLOUDWATCH_CONFIG: Final = Config(
    connect_timeout=2, read_timeout=3, retries={"total_max_attempts": 1}
)
_MAX_ERROR_CODES: Final = 4
_LABEL_CHARACTERS: Final = 13
_VALUE_CHARACTERS: Final = 10


@click.command()
@click.option(
    "--window",
    type=Duration(),
    default="15m",
    show_default=True,
    help="Period for recent results.",
)
@click.option(
    "--max-items",
    type=click.IntRange(0),
    default=1000,
    show_default=True,
    metavar="COUNT",
    help="Read at most this many items of the table; 0 reads none.",
)
@click.option(
    "--watch",
    type=click.FloatRange(1),
    is_flag=False,
    flag_value=_WATCH_SECONDS,
    metavar="[SECONDS]",
    help=f"Refresh every {_WATCH_SECONDS:g} seconds until Ctrl-C.",
)
@click.option(
    "--worker-log",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="WORKER_LOG",
    metavar="FILE",
    help="A worker's log, to count what is retried by error code.  [env: WORKER_LOG]",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
@stack_options(QUEUE_URL, DEAD_LETTER_QUEUE_URL, TABLE)
def status(  # noqa: PLR0913, click's options
    queue_url: str | None,
    dead_letter_queue_url: str | None,
    table: str | None,
    window: timedelta,
    max_items: int,
    watch: float | None,
    worker_log: Path | None,
    *,
    as_json: bool,
) -> None:
    """Show queue depths, dead letters and recent results.

    Specify the queue, the dead-letter queue, the table, or any combination. The
    dead-letter queue is found through its queue.

    Recent results are counted among the first --max-items items of the table, at up to
    one DynamoDB read unit per item. Items are in no meaningful order, so part of a large
    table is a sample. The age of the oldest message comes from CloudWatch and is a few
    minutes old.
    """
    if not (queue_url or dead_letter_queue_url or table):
        raise click.UsageError(
            "nothing to show: specify --queue-url, --dead-letter-queue-url or --table, "
            "set QUEUE_URL, DEAD_LETTER_QUEUE_URL or RESULTS_TABLE, or use --stack or --local"
        )
    sqs = queue_client(queue_url or dead_letter_queue_url)
    cloudwatch = boto3.client(
        "cloudwatch", region_name=sqs.meta.region_name, config=_CLOUDWATCH_CONFIG
    )
    if queue_url and not dead_letter_queue_url:
        dead_letter_queue_url = redrive_target_url(sqs, queue_url)

    def read() -> Status:
        return Status(
            at=datetime.now(UTC),
            queue=read_queue(sqs, queue_url, cloudwatch) if queue_url else None,
            dead_letters=(
                read_queue(sqs, dead_letter_queue_url, cloudwatch)
                if dead_letter_queue_url
                else None
            ),
            recent=read_recent(table, window, max_items) if table and max_items else None,
            retrying=read_retrying(worker_log) if worker_log and queue_url else None,
        )

    console = output_console()
    if watch is None:
        _print(console, read(), as_json=as_json)
    elif as_json or not console.is_terminal:
        _repeat(console, read, watch, as_json=as_json)
    else:
        _show_live(console, read, watch)


def _print(console: Console, status: Status, *, as_json: bool) -> None:
    if as_json:
        click.echo(status.to_json())
    else:
        console.print(_view(status))


def _repeat(console: Console, read: Callable[[], Status], seconds: float, *, as_json: bool) -> None:
    """Print the status repeatedly, until Ctrl-C or an error."""
    status = None
    with suppress(KeyboardInterrupt):
        while True:
            status = read().since(status)
            _print(console, status, as_json=as_json)
            time.sleep(seconds)


def _show_live(console: Console, read: Callable[[], Status], seconds: float) -> None:
    """Refresh one view until Ctrl-C. Later errors are shown below it."""
    footer = Text(f"every {seconds:g} s until Ctrl-C", "dim")
    with suppress(KeyboardInterrupt):
        status = read()
        with Live(_view(status, footer), console=console, auto_refresh=False) as live:
            while True:
                time.sleep(seconds)
                notes = [footer]
                try:
                    with worded_errors():
                        status = read().since(status)
                except click.ClickException as error:
                    notes = [Text(f"{utc(datetime.now(UTC))}  {error.message}", "red"), footer]
                live.update(_view(status, *notes), refresh=True)


def _view(status: Status, *notes: Text) -> RenderableType:
    parts: list[RenderableType] = []
    if status.queue:
        parts.append(_queue(status.queue, status.retrying, status.rate))
    if status.dead_letters:
        parts.append(_dead_letters(status.dead_letters))
    if status.recent:
        parts.append(_recent(status.recent))
    if notes:
        parts.append(Group(*notes))
    return Group(*[line for part in parts for line in (Text(), part)][1:])


def _queue(queue: Queue, retrying: Mapping[str, int] | None, rate: Rate | None) -> RenderableType:
    rows = [
        _row("waiting", f"{queue.depth:,}"),
        _row("in flight", f"{queue.in_flight:,}", "received, or waiting for a retry"),
        _row("delayed", f"{queue.delayed:,}", "sent with a delay"),
    ]
    if retrying and queue.total:
        count = f"{sum(retrying.values()):,}"
        rows.insert(2, _row("retried", count, _error_codes(retrying), "yellow"))
    if queue.oldest_age_at:
        source = f"from CloudWatch at {utc(queue.oldest_age_at)}"
        rows.append(_row("oldest", _oldest(queue), source))
    elif is_aws(queue.url):  # elsewhere, nothing measures it
        rows.append(_row("oldest", "unknown", "no data from CloudWatch"))
    if rate:
        rows += _progress(queue, rate)
    return Group(_title("Queue", queue.name), *rows)


def _progress(queue: Queue, rate: Rate) -> Iterator[Text]:
    interval = f"in the last {rate.interval_seconds:.0f} s"
    words, left = f"nothing was done {interval}", "unknown"
    if rate.seconds_left is not None:
        words = f"messages done {interval}"
        left = duration(timedelta(seconds=rate.seconds_left))
    elif rate.messages_per_second < 0:
        words = "more messages arrive than are done"
    elif not queue.total:
        words, left = "the queue is empty", "0 s"
    elif not queue.in_flight:
        words = "no messages are being received"
    yield _row("rate", f"{rate.messages_per_second:,.1f}/s", words)
    yield _row("time left", left, "" if rate.seconds_left is None else "until the queue is empty")


def _dead_letters(queue: Queue) -> RenderableType:
    if not queue.total:
        rows = [_row("messages", "0", style="green")]
    else:
        see = f"see: landmarks dead-letters list{same_connection()}"
        rows = [_row("messages", f"{queue.total:,}", see, "bold red")]
        if queue.oldest_age_at:
            rows.append(_row("oldest", _oldest(queue)))
    return Group(_title("Dead letters", queue.name), *rows)


def _oldest(queue: Queue) -> str:
    return duration(timedelta(seconds=queue.oldest_age_seconds or 0))


def _recent(recent: Recent) -> RenderableType:
    read = f"{recent.items_read:,} items read"
    scope = f"of all {read}" if recent.whole_table else f"of the first {read}"
    window = duration(timedelta(seconds=recent.window_seconds))
    return Group(
        _title(f"Last {window}", recent.table),
        _row("processed", f"{recent.processed:,}", scope),
        *(_outcome(recent, name) for name in (DETECTED, NOT_DETECTED, FAILED)),
        *([] if recent.people is None else [_row("people", f"{recent.people:,}")]),
        *_durations(recent),
    )


def _outcome(recent: Recent, name: str) -> Text:
    count = recent.outcomes.get(name, 0)
    if not count:
        return _row(name, "0")
    words = f"{count / recent.processed:.0%}"
    if name == FAILED:
        words += f"  {_error_codes(recent.error_codes)}"
    return _row(name, f"{count:,}", words, STATUS_COLOURS[name])


def _error_codes(counts: Mapping[str, int]) -> str:
    codes = [f"{one_line(code)} {count:,}" for code, count in counts.items()]
    shown, left = codes[:_MAX_ERROR_CODES], len(codes) - _MAX_ERROR_CODES
    return " · ".join([*shown, f"{left} more"] if left > 0 else shown)


def _durations(recent: Recent) -> Iterator[Text]:
    if not recent.duration_ms:
        return
    yield Text()
    yield _numbers("ms", "median", "95 %", "longest")
    for part, spread in recent.duration_ms.items():
        yield _numbers(part, f"{spread.p50:,}", f"{spread.p95:,}", f"{spread.max:,}")


def _numbers(label: str, first: str, *others: str) -> Text:
    return _row(label, first, "".join(f"{value:>{_VALUE_CHARACTERS}}" for value in others), gap="")


def _title(title: str, name: str) -> Text:
    return Text.assemble((title, "bold"), "  ", (one_line(name), "dim"))


def _row(label: str, value: str, words: str = "", style: str = "", gap: str = "  ") -> Text:
    row = Text.assemble(
        (f"  {label:<{_LABEL_CHARACTERS}}", "dim"),
        (f"{value:>{_VALUE_CHARACTERS}}", style),
        (f"{gap}{words}", "dim"),
    )
    row.rstrip()
    return row
