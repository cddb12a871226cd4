"""Objects of the table → jobs in the queue again: what `retry` and `reprocess` share."""

import signal
import sys
from typing import TYPE_CHECKING

import click

from worker.commands.advice import advice
from worker.commands.terminal import SIGNAL_STATUS, end_orderly, one_line, print_anything

if TYPE_CHECKING:
    from worker.operations.stored import Selection


def check_target(queue_url: str | None, *, dry_run: bool) -> None:
    """Have jobs somewhere to go, before anything is read.

    Raises:
        UsageError: there is no queue, and this is no dry run.
    """
    if not (queue_url or dry_run):
        raise click.UsageError("no queue to send to: name --queue-url, or set QUEUE_URL")


def resend(selection: "Selection", queue_url: str | None) -> None:
    """Send a job for every selected object; without a queue print the object instead.

    Raises:
        ClickException: some or all could not be sent.
    """
    end_orderly()
    print_anything()
    if queue_url is None:
        _preview(selection)
    else:
        _send(selection, queue_url)


def _preview(selection: "Selection") -> None:
    count = 0
    with advice():
        for found in selection:
            count += 1
            code = f"  {one_line(found.error_code)}" if found.error_code else ""
            click.echo(f"s3://{found.bucket}/{one_line(found.key)}{code}")
    click.echo(f"{count:,} would be sent, {selection.items_read:,} items read", err=True)


def _send(selection: "Selection", queue_url: str) -> None:
    import boto3  # noqa: PLC0415, --help needs none of it
    from rich.console import Console  # noqa: PLC0415, the same

    from worker.operations.sending import send_jobs  # noqa: PLC0415, the same

    sent = 0

    def count(number: int) -> None:
        nonlocal sent
        sent = number
        status.update(f"{sent:,} sent, {selection.items_read:,} items read")

    try:
        with advice(), Console(stderr=True).status("Reading the table") as status:
            jobs = (found.job for found in selection)
            summary = send_jobs(boto3.client("sqs"), queue_url, jobs, count)
    except BaseException as error:
        if sent:
            click.echo(f"Stopped; {sent:,} were sent before.", err=True)
        if isinstance(error, KeyboardInterrupt):
            sys.exit(SIGNAL_STATUS + signal.SIGINT)
        raise
    click.echo(f"{summary.sent:,} sent, {selection.items_read:,} items read", err=True)
    if summary.refused:
        raise click.ClickException(
            f"SQS refused {summary.refused:,}, the first one: {one_line(summary.reason or '')}"
        )
