"""The arguments KEY and --bucket, the lookup of one result, and what to say if there is none."""

import shlex
from datetime import datetime
from urllib.parse import unquote, unquote_plus

import click

from landmarks.cli.connection import Command, image_bucket, same_connection
from landmarks.cli.options import Place, S3Place
from landmarks.cli.terminal import one_line, utc
from landmarks.errors import LandmarkError, SeveralResultsError
from landmarks.result import LandmarkResult
from landmarks.table import LandmarkTable


class NoResultError(LandmarkError):
    """Raised when the table has no result for an object. The message gives advice."""

    code = "NO_RESULT"


class NothingFoundError(LandmarkError):
    """Raised when no result is selected, so that there is nothing to write."""

    code = "NOTHING_FOUND"

    def __init__(
        self, table: str, place: Place | None, status: str | None, since: datetime | None = None
    ) -> None:
        """Word what was looked for."""
        wanted = [
            *([] if status is None else [f"with status {status}"]),
            *([] if since is None else [f"processed since {utc(since)}"]),
            f"in {place.address}" if place else f"in table {table}",
        ]
        words = f"no results {' '.join(wanted)}; nothing was written"
        if place and place.is_name:
            words += f". For all keys that begin with this: {shlex.quote(f'{place.address}*')}"
        super().__init__(one_line(words))


def key_options(command: Command) -> Command:
    """Add the argument KEY and the option --bucket to a command."""
    bucket = click.option(
        "--bucket", metavar="NAME", help="Bucket, needed if several have a result for KEY."
    )
    return click.argument("key", metavar="KEY")(bucket(command))


def read_result(table_name: str, key: str, bucket: str | None) -> LandmarkResult:
    """Return the result of one object.

    Args:
        table_name: name of the results table.
        key: the object's key, literal, or s3://bucket/key.
        bucket: the value of --bucket.

    Raises:
        UsageError: the key is empty, or --bucket contradicts it.
        ClickException: several buckets have a result for this key; it lists them.
        NoResultError: there is no result.
        LandmarkError: DynamoDB denies access, fails or can't be reached.
    """
    if key.startswith("s3://"):
        place = S3Place().convert(key, None, click.get_current_context())
        if bucket not in (None, place.bucket):
            raise click.UsageError("--bucket and KEY name different buckets")
        key, bucket = place.prefix, place.bucket
    if not key:
        raise click.UsageError("KEY is empty")
    table = LandmarkTable(table_name)
    try:
        result = table.get(key, bucket)
    except SeveralResultsError as error:
        buckets = ", ".join(error.buckets)
        raise click.ClickException(
            f"several buckets have {key!r}: choose one with --bucket: {buckets}"
        ) from error
    if result is None:
        raise NoResultError(_no_result(table, key, bucket))
    return result


def enqueue_command(key: str, bucket: str | None) -> str:
    """Return the command that enqueues an object, quoted for a shell."""
    bucket = bucket or image_bucket() or "BUCKET"
    address = f"s3://{bucket}/{key if key.isprintable() else '…'}"
    return f"landmarks enqueue {shlex.quote(address)}{same_connection()}"


def _no_result(table: LandmarkTable, key: str, bucket: str | None) -> str:
    missing = f"no result for {key!r}" + (f" in bucket {bucket!r}" if bucket else "")
    elsewhere = [result.bucket for result in table.query(key)] if bucket else []
    if elsewhere:
        return f"{missing}, but there is one in {', '.join(elsewhere)}"
    # The key may have been copied URL-encoded, from a URL or an S3 event.
    for decoded in (unquote(key), unquote_plus(key)):
        if decoded != key and next(table.query(decoded), None):
            return f"{missing}, but there is one for {decoded!r}: keys are not URL-encoded here"
    return f"{missing} yet: check the key, or enqueue it: {enqueue_command(key, bucket)}"
