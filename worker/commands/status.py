"""`landmarks status`."""

import json
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import click

from worker.commands.advice import worded_errors
from worker.commands.options import (
    DEAD_LETTER_QUEUE_URL,
    QUEUE_URL,
    TABLE,
    Duration,
    stack_options,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from worker.operations.status import Status

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

    from worker.operations.queues import queue_client  # noqa: PLC0415, the same
    from worker.operations.status import (  # noqa: PLC0415, the same
        Status,
        read_queue,
        read_recent,
        redrive_target_url,
    )

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

    from worker.commands.status_view import status_view  # noqa: PLC0415, the same

    Console(highlight=False).print(status_view(status))


def _watch(read: "Callable[[], Status]", seconds: float, *, as_json: bool) -> None:
    """Show it again and again; what fails after the first time is shown, and tried again."""
    from rich.console import Console  # noqa: PLC0415, --help needs none of it
    from rich.live import Live  # noqa: PLC0415, the same
    from rich.text import Text  # noqa: PLC0415, the same

    from worker.commands.status_view import status_view  # noqa: PLC0415, the same

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
