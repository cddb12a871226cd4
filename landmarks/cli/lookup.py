"""KEY and --bucket: how commands are told of one result."""

import shlex
from collections.abc import Iterator
from urllib.parse import unquote, unquote_plus

import click

from landmarks.cli.options import Command, S3Place
from landmarks.errors import LandmarkError
from landmarks.result import LandmarkResult
from landmarks.table import LandmarkTable


def key_options(command: Command) -> Command:
    """Give a command KEY and --bucket."""
    bucket = click.option("--bucket", metavar="NAME", help="Where several buckets have the key.")
    return click.argument("key", metavar="KEY")(bucket(command))


def read_result(table: str, key: str, bucket: str | None) -> "LandmarkResult":
    """The result that is asked for.

    Args:
        table: name of the results table.
        key: literal, or s3://bucket/key.
        bucket: what --bucket says.

    Raises:
        UsageError: two buckets are named, or no key.
        ClickException: several buckets have the key; it names them.
        LandmarkError: there is no such result, or the table can't be asked.
    """
    from landmarks.cli.lookup import find_result  # noqa: PLC0415, --help needs none of it
    from landmarks.errors import SeveralResultsError  # noqa: PLC0415, the same
    from landmarks.table import LandmarkTable  # noqa: PLC0415, the same

    if key.startswith("s3://"):
        place = S3Place().convert(key, None, click.get_current_context())
        if bucket not in (None, place.bucket):
            raise click.UsageError("--bucket and KEY name two buckets")
        key, bucket = place.prefix, place.bucket
    if not key:
        raise click.UsageError("KEY is empty")
    try:
        return find_result(LandmarkTable(table), key, bucket)
    except SeveralResultsError as error:
        buckets = ", ".join(error.buckets)
        raise click.ClickException(
            f"{key!r} is in several buckets, name one by --bucket: {buckets}"
        ) from error


class NoResultError(LandmarkError):
    """Raised when the table has no result for an object; says what to do about it."""

    code = "NO_RESULT"


def find_result(table: LandmarkTable, key: str, bucket: str | None = None) -> LandmarkResult:
    """The result of one object.

    Args:
        table: where to look.
        key: the object's key, literal.
        bucket: its bucket; needed only where several have an object of this key.

    Raises:
        NoResultError: there is none.
        SeveralResultsError: no bucket was named, and several have results; it names them.
        LandmarkError: the table can't be asked.
    """
    result = table.get(key, bucket)
    if result is None:
        raise NoResultError(_what_to_do(table, key, bucket))
    return result


def enqueue_command(key: str, bucket: str | None) -> str:
    """What a shell takes to have an object processed."""
    address = f"s3://{bucket or 'BUCKET'}/{key if key.isprintable() else '…'}"
    return f"landmarks enqueue {shlex.quote(address)}"


def _what_to_do(table: LandmarkTable, key: str, bucket: str | None) -> str:
    missing = f"no result for {key!r}" + (f" in bucket {bucket!r}" if bucket else "")
    elsewhere = [result.bucket for result in table.query(key)] if bucket else []
    if elsewhere:
        return f"{missing}, but there is one in {', '.join(elsewhere)}"
    for decoded in _decoded(key):
        if next(table.query(decoded), None):
            return f"{missing}, but there is one for {decoded!r}: keys are not URL-encoded here"
    return f"{missing} yet: check the key, or enqueue it: {enqueue_command(key, bucket)}"


def _decoded(key: str) -> Iterator[str]:
    """What the key may have been before it was encoded, for a URL or in an S3 event."""
    yield from dict.fromkeys(text for text in (unquote(key), unquote_plus(key)) if text != key)
