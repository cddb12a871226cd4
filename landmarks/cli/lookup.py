"""KEY and --bucket: one result, as commands take and look it up."""

import shlex
from urllib.parse import unquote, unquote_plus

import click

from landmarks.cli.options import Command, S3Place
from landmarks.errors import LandmarkError, SeveralResultsError
from landmarks.result import LandmarkResult
from landmarks.table import LandmarkTable


class NoResultError(LandmarkError):
    """Raised when the table has no result for an object; says what to do about it."""

    code = "NO_RESULT"


def key_options(command: Command) -> Command:
    """Give a command KEY and --bucket."""
    bucket = click.option(
        "--bucket", metavar="NAME", help="Bucket, if several have an object of this key."
    )
    return click.argument("key", metavar="KEY")(bucket(command))


def read_result(table_name: str, key: str, bucket: str | None) -> LandmarkResult:
    """Return the result of one object.

    Args:
        table_name: name of the results table.
        key: the object's key, literal, or s3://bucket/key.
        bucket: the value of --bucket.

    Raises:
        UsageError: two buckets are named, or no key.
        ClickException: several buckets have the key; it names them.
        NoResultError: there is no result.
        LandmarkError: DynamoDB refuses, fails or can't be reached.
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
    """Return the command that has an object processed, quoted for a shell."""
    address = f"s3://{bucket or 'BUCKET'}/{key if key.isprintable() else '…'}"
    return f"landmarks enqueue {shlex.quote(address)}"


def _no_result(table: LandmarkTable, key: str, bucket: str | None) -> str:
    missing = f"no result for {key!r}" + (f" in bucket {bucket!r}" if bucket else "")
    elsewhere = [result.bucket for result in table.query(key)] if bucket else []
    if elsewhere:
        return f"{missing}, but there is one in {', '.join(elsewhere)}"
    # What the key may have been before it was encoded, for a URL or in an S3 event.
    for decoded in (unquote(key), unquote_plus(key)):
        if decoded != key and next(table.query(decoded), None):
            return f"{missing}, but there is one for {decoded!r}: keys are not URL-encoded here"
    return f"{missing} yet: check the key, or enqueue it: {enqueue_command(key, bucket)}"
