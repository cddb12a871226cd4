"""`landmarks retry`."""

import click

from worker.commands.advice import advice
from worker.commands.resend import check_target, resend
from worker.commands.stack_options import (
    ENDPOINT_URL,
    QUEUE_URL,
    REQUIRED_TABLE,
    S3Place,
)


@click.command()
@click.argument("prefix", default="")
@click.option("--failed", is_flag=True, required=True, help="What is stored as `failed`.")
@click.option("--bucket", metavar="NAME", help="Only what is in this bucket.")
@click.option("--code", metavar="CODE", help="Only what failed with this error code.")
@click.option("--dry-run", is_flag=True, help="Print what would be sent, and send nothing.")
@REQUIRED_TABLE
@QUEUE_URL
@ENDPOINT_URL
def retry(
    prefix: str,
    bucket: str | None,
    code: str | None,
    table: str,
    queue_url: str | None,
    *,
    failed: bool,
    dry_run: bool,
) -> None:
    """Enqueue again what is stored as `failed`, as after an upgrade.

    PREFIX is how keys begin, or s3://bucket/prefix; without it, it is all of the table.

    The whole table is read, whatever is asked for: about one of DynamoDB's read units an
    item. The present content of each object is processed, whatever is stored; a job id
    stays with it.

    \b
    landmarks retry --failed --dry-run
    landmarks retry --failed --code DETECTOR_TIMEOUT s3://camera-roll/2026/
    """  # noqa: D301, \b is click's
    del failed  # it is the only kind, so far
    check_target(queue_url, dry_run=dry_run)
    if prefix.startswith("s3://"):
        place = S3Place().convert(prefix, None, click.get_current_context())
        if bucket not in (None, place.bucket):
            raise click.UsageError("--bucket and PREFIX name two buckets")
        bucket, prefix = place
    with advice():
        from worker.operations.stored import failed_objects  # noqa: PLC0415, not for --help

        selection = failed_objects(table, bucket=bucket, prefix=prefix, code=code)
    resend(selection, None if dry_run else queue_url)
