"""Objects of the table → jobs in the queue again: what `retry` and `reprocess` share."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import click
from pynamodb.expressions.condition import Condition

from landmarks.cli.enqueue.entries import Entry
from landmarks.cli.enqueue.sending import Sending
from landmarks.cli.options import require_queue_url
from landmarks.cli.terminal import counted, one_line
from landmarks.enums import FAILED
from landmarks.item import LandmarkItem, bind_reader_item


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
    from landmarks.cli.enqueue.batches import JobOptions  # noqa: PLC0415, not for --help
    from landmarks.cli.enqueue.run import Order  # noqa: PLC0415, the same

    order = Order(sources=[found], arguments={}, suffixes=(), options=JobOptions(force=force))
    status = Sending(queue_url).send(order)
    _say_what_was_read(found)
    return status


def _say_what_was_read(found: "StoredObjects") -> None:
    click.echo(f"{counted(found.items_read, 'item')} of the table read", err=True)


_ATTRIBUTES: Final = ["object_key", "bucket", "job_id", "error_code"]


# What is in memory at a time. DynamoDB's own pages end at 1 MB, 130 items with landmarks.
_PAGE: Final = 500


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object that the table has a result for.

    Attributes:
        bucket: its bucket.
        key: its key.
        job_id: the producer's name for the job; None if there was none.
        error_code: why there are no landmarks; None if there are.
    """

    bucket: str
    key: str
    job_id: str | None
    error_code: str | None


class StoredObjects:
    """Some of the table's objects, to be gone through once; a source of jobs.

    Attributes:
        dated: no, a result knows its own date only.
    """

    dated: Final = False

    def __init__(self, item: type[LandmarkItem], condition: Condition) -> None:
        """Select by a condition; nothing is read yet."""
        self._found = item.scan(condition, attributes_to_get=_ATTRIBUTES, page_size=_PAGE)

    def __iter__(self) -> Iterator[StoredObject]:
        """Read the table page by page.

        Raises:
            PynamoDBException: DynamoDB can't be asked.
        """
        for item in self._found:
            yield StoredObject(
                bucket=item.bucket,
                key=item.object_key,
                job_id=item.job_id,
                error_code=item.error_code,
            )

    def entries(self, after: str) -> Iterator[Entry]:
        """What makes jobs of them. DynamoDB's order is nobody's, so none of them has a cursor."""
        if after:
            raise ValueError("there is no way back into the table")
        for found in self:
            yield Entry(key=found.key, cursor="", bucket=found.bucket, job_id=found.job_id)

    @property
    def items_read(self) -> int:
        """How many items DynamoDB has read so far, and charged for: selected ones or not."""
        return self._found.page_iter.total_scanned_count


def failed_objects(
    table: str, *, bucket: str | None = None, prefix: str = "", code: str | None = None
) -> StoredObjects:
    """What is stored as `failed`.

    Args:
        table: name of the results table.
        bucket: only of this bucket.
        prefix: only keys that begin so.
        code: only with this error code.
    """
    item = bind_reader_item(table)
    condition = item.status == FAILED
    if code is not None:
        condition &= item.error_code == code
    return StoredObjects(item, condition & _placed(item, bucket, prefix))


def outdated_objects(table: str, *, bucket: str, prefix: str, options_hash: str) -> StoredObjects:
    """What is stored under other options than those of `options_hash`.

    Args:
        table: name of the results table.
        bucket: only of this bucket.
        prefix: only keys that begin so.
        options_hash: the current one.
    """
    item = bind_reader_item(table)
    return StoredObjects(item, (item.options_hash != options_hash) & _placed(item, bucket, prefix))


def _placed(item: type[LandmarkItem], bucket: str | None, prefix: str) -> Any:  # noqa: ANN401, PynamoDB's None is no condition
    condition: Any = item.object_key.exists()
    if bucket is not None:
        condition &= item.bucket == bucket
    if prefix:
        condition &= item.object_key.startswith(prefix)
    return condition
