"""`landmarks reprocess`."""

import os
from importlib.metadata import PackageNotFoundError

import click

from worker.commands.advice import advice
from worker.commands.resend import check_target, resend
from worker.commands.stack_options import (
    ENDPOINT_URL,
    QUEUE_URL,
    REQUIRED_TABLE,
    Place,
    S3Place,
)
from worker.errors import SettingsError


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
@REQUIRED_TABLE
@QUEUE_URL
@ENDPOINT_URL
def reprocess(
    place: Place,
    options_hash: str | None,
    table: str,
    queue_url: str | None,
    *,
    options_changed: bool,
    dry_run: bool,
) -> None:
    """Enqueue again what was stored under other options than the present ones.

    The present ones are the settings in this command's environment (MODEL_COMPLEXITY,
    MIN_DETECTION_CONFIDENCE, …) and the MediaPipe that is installed here: have them as the
    worker has them, or name the hash that it stores.

    The whole table is read, whatever is asked for: about one of DynamoDB's read units an
    item.

    \b
    MODEL_COMPLEXITY=1 landmarks reprocess s3://camera-roll/2026/ --options-changed --dry-run
    """  # noqa: D301, \b is click's
    del options_changed  # it is the only reason, so far
    check_target(queue_url, dry_run=dry_run)
    present = options_hash or _present_hash(table)
    with advice():
        from worker.operations.stored import outdated_objects  # noqa: PLC0415, not for --help

        selection = outdated_objects(
            table, bucket=place.bucket, prefix=place.prefix, options_hash=present
        )
    resend(selection, None if dry_run else queue_url)


def _present_hash(table: str) -> str:
    from worker.model import mediapipe_version, options_hash  # noqa: PLC0415, not for --help
    from worker.settings import Settings  # noqa: PLC0415, the same

    try:
        model = Settings.from_environment({**os.environ, "RESULTS_TABLE": table}).model
        present = options_hash(model)
    except SettingsError as error:
        raise click.ClickException(str(error)) from error
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
