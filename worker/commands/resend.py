"""Objects of the table → jobs in the queue again: what `retry` and `reprocess` share."""

import sys
from typing import TYPE_CHECKING

import click

from worker.commands.options import require_queue_url
from worker.commands.sending import Sending
from worker.commands.terminal import counted, one_line

if TYPE_CHECKING:
    from worker.operations.stored import StoredObjects


def resend(
    found: "StoredObjects", queue_url: str | None, *, dry_run: bool, force: bool = False
) -> None:
    """Send a job for every object, and end the command; in a dry run print the objects instead.

    Args:
        found: the objects; nothing of the table is read before.
        queue_url: where to.
        dry_run: print, and send nothing.
        force: have the worker process even what is done.

    Raises:
        UsageError: there is no queue, and this is no dry run.
    """
    if dry_run:
        _preview(found)
    else:
        sys.exit(_send(found, require_queue_url(queue_url), force=force))


def _preview(found: "StoredObjects") -> None:
    count = 0
    for stored in found:
        count += 1
        code = f"  {one_line(stored.error_code)}" if stored.error_code else ""
        click.echo(f"s3://{stored.bucket}/{one_line(stored.key)}{code}")
    click.echo(f"{count:,} would be sent", err=True)
    _say_what_was_read(found)


def _send(found: "StoredObjects", queue_url: str, *, force: bool) -> int:
    from worker.operations.enqueue.batches import JobOptions  # noqa: PLC0415, not for --help
    from worker.operations.enqueue.run import Order  # noqa: PLC0415, the same

    order = Order(sources=[found], arguments={}, suffixes=(), options=JobOptions(force=force))
    status = Sending(queue_url).send(order)
    _say_what_was_read(found)
    return status


def _say_what_was_read(found: "StoredObjects") -> None:
    click.echo(f"{counted(found.items_read, 'item')} of the table read", err=True)
