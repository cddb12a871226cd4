"""KEY and --bucket: how commands are told of one result."""

from typing import TYPE_CHECKING

import click

from worker.commands.options import Command, S3Place

if TYPE_CHECKING:
    from worker.reading import LandmarkResult


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
    from worker.operations.lookup import find_result  # noqa: PLC0415, --help needs none of it
    from worker.reading import LandmarkTable, SeveralResultsError  # noqa: PLC0415, the same

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
