"""`landmarks retry`."""

import click

from worker.commands.options import REQUIRED_TABLE, TARGET_QUEUE_URL, S3Place, stack_options
from worker.commands.resend import resend


@click.command()
@click.argument("prefix", default="")
@click.option("--failed", is_flag=True, required=True, help="What is stored as `failed`.")
@click.option("--bucket", metavar="NAME", help="Only what is in this bucket.")
@click.option("--code", metavar="CODE", help="Only what failed with this error code.")
@click.option("--dry-run", is_flag=True, help="Print what would be sent, and send nothing.")
@stack_options(REQUIRED_TABLE, TARGET_QUEUE_URL)
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
    """Enqueue again what is stored as `failed`.

    PREFIX is how keys begin, or s3://bucket/prefix; without it, it is all of the table.

    The whole table is read, whatever is asked for: about one of DynamoDB's read units an
    item. The present content of each object is processed, whatever is stored; a job id
    stays with it.

    \b
      landmarks retry --failed --dry-run
      landmarks retry --failed --code DETECTOR_TIMEOUT s3://my-photos/2026/
    """  # noqa: D301, \b is click's
    del failed  # it is the only kind, so far
    if prefix.startswith("s3://"):
        place = S3Place().convert(prefix, None, click.get_current_context())
        if bucket not in (None, place.bucket):
            raise click.UsageError("--bucket and PREFIX name two buckets")
        bucket, prefix = place
    from worker.operations.stored import failed_objects  # noqa: PLC0415, --help needs none of it

    found = failed_objects(table, bucket=bucket, prefix=prefix, code=code)
    resend(found, queue_url, dry_run=dry_run, force=True)
