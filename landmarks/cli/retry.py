"""`landmarks retry`."""

import os
from importlib.metadata import PackageNotFoundError

import click

from landmarks.cli.options import (
    REQUIRED_TABLE,
    TARGET_QUEUE_URL,
    Place,
    S3Place,
    require_queue_url,
    stack_options,
)
from landmarks.cli.resend import resend


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
    from landmarks.cli.resend import failed_objects  # noqa: PLC0415, --help needs none of it

    found = failed_objects(table, bucket=bucket, prefix=prefix, code=code)
    resend(found, queue_url, dry_run=dry_run, force=True)


@click.command()
@click.argument("place", type=S3Place(), metavar="S3://BUCKET/PREFIX")
@click.option(
    "--options-changed",
    is_flag=True,
    required=True,
    help="What is stored under another options_hash than the worker's present one.",
)
@click.option(
    "--options-hash",
    metavar="HASH",
    help="The present one.  [default: of MediaPipe and the settings here]",
)
@click.option("--dry-run", is_flag=True, help="Print what would be sent, and send nothing.")
@stack_options(REQUIRED_TABLE, TARGET_QUEUE_URL)
def reprocess(
    place: Place,
    options_hash: str | None,
    table: str,
    queue_url: str | None,
    *,
    options_changed: bool,
    dry_run: bool,
) -> None:
    """Enqueue again what was stored under other options.

    Other than the present ones, which are the settings in this command's environment
    (MODEL_COMPLEXITY, MIN_DETECTION_CONFIDENCE, …) and the MediaPipe that is installed here:
    have them as the worker has them, or name the hash that it stores.

    The whole table is read, whatever is asked for: about one of DynamoDB's read units an
    item. Given twice, it costs little more: the worker skips what the first one has done.

    \b
      MODEL_COMPLEXITY=1 landmarks reprocess s3://my-photos/2026/ --options-changed --dry-run
    """  # noqa: D301, \b is click's
    del options_changed  # it is the only reason, so far
    from landmarks.cli.resend import outdated_objects  # noqa: PLC0415, --help needs none of it

    if not dry_run:
        require_queue_url(queue_url)
    found = outdated_objects(
        table,
        bucket=place.bucket,
        prefix=place.prefix,
        options_hash=options_hash or _present_hash(table),
    )
    resend(found, queue_url, dry_run=dry_run)


def _present_hash(table: str) -> str:
    from worker.model import mediapipe_version, options_hash  # noqa: PLC0415, not for --help
    from worker.settings import Settings  # noqa: PLC0415, the same

    model = Settings.from_environment({**os.environ, "RESULTS_TABLE": table}).model
    try:
        present = options_hash(model)
    except PackageNotFoundError as error:
        raise click.ClickException(
            "MediaPipe is not installed, whose version is part of the hash: name the hash by "
            "--options-hash, or pip install 'landmark-worker[worker]'"
        ) from error
    faces = "refined" if model.refine_face_landmarks else "plain"
    confidences = f"{model.min_detection_confidence:g} and {model.min_landmark_confidence:g}"
    click.echo(
        f"options_hash {present}: MediaPipe {mediapipe_version()}, complexity "
        f"{model.model_complexity}, confidences {confidences}, {faces} faces",
        err=True,
    )
    return present
