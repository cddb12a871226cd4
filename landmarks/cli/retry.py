"""`landmarks retry` and `landmarks reprocess`: enqueue objects in the table again."""

import os
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError
from typing import Final

import click
from pynamodb.expressions.condition import Condition

from landmarks.cli.advice import install_command
from landmarks.cli.enqueue.messages import Jobs
from landmarks.cli.enqueue.run import Run, run_in_terminal
from landmarks.cli.enqueue.sources import Entry
from landmarks.cli.options import (
    QUEUE_URL,
    REQUIRED_TABLE,
    Place,
    S3Place,
    require_queue_url,
    stack_options,
)
from landmarks.cli.terminal import counted, one_line
from landmarks.enums import FAILED
from landmarks.errors import PermanentError, error_codes
from landmarks.item import LandmarkItem, bind_item
from landmarks.job import FOLDER_MARKER_SUFFIXES

_ATTRIBUTES: Final = ["object_key", "bucket", "job_id", "error_code", "image"]
# Bounds memory. A DynamoDB page has up to 1 MB, about 130 items with landmarks.
_PAGE_ITEMS: Final = 500

_DRY_RUN: Final = click.option(
    "--dry-run", is_flag=True, help="Print the objects, but send nothing."
)


@click.command()
@click.argument("prefix", default="")
@click.option(
    "--failed", is_flag=True, required=True, help="Select objects with the status `failed`."
)
@click.option("--bucket", metavar="NAME", help="Only objects in this bucket.")
@click.option(
    "--code",
    type=click.Choice(error_codes(PermanentError)),
    metavar="CODE",
    help="Only objects that failed with this error code.",
)
@_DRY_RUN
@stack_options(REQUIRED_TABLE, QUEUE_URL)
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
    """Enqueue failed objects again.

    PREFIX is the beginning of the keys, or s3://bucket/prefix (default: the whole table).

    Always reads the whole table, at about one DynamoDB read unit per item. Jobs are
    forced, keep their job id, and process the object's current content.

    \b
      landmarks retry --failed --dry-run
      landmarks retry --failed --code DETECTOR_TIMEOUT s3://my-photos/2026/
    """  # noqa: D301, \b is click's
    del failed  # required; the only choice so far
    if prefix.startswith("s3://"):
        place = S3Place().convert(prefix, None, click.get_current_context())
        if bucket not in (None, place.bucket):
            raise click.UsageError("--bucket and PREFIX name different buckets")
        bucket, prefix = place
    condition = LandmarkItem.status == FAILED
    if code is not None:
        condition &= LandmarkItem.error_code == code
    if bucket is not None:
        condition &= LandmarkItem.bucket == bucket
    _resend(StoredObjects(table, condition, prefix), queue_url, dry_run=dry_run, force=True)


@click.command()
@click.argument("place", type=S3Place(), metavar="S3://BUCKET/PREFIX")
@click.option(
    "--options-changed",
    is_flag=True,
    required=True,
    help="Select objects with another options_hash than the worker's.",
)
@click.option(
    "--options-hash",
    metavar="HASH",
    help="The worker's options_hash.  [default: computed from local settings and MediaPipe]",
)
@_DRY_RUN
@stack_options(REQUIRED_TABLE, QUEUE_URL)
def reprocess(
    place: Place,
    options_hash: str | None,
    table: str,
    queue_url: str | None,
    *,
    options_changed: bool,
    dry_run: bool,
) -> None:
    """Enqueue objects processed with other options again.

    The worker's options are taken from this command's environment variables
    (MODEL_COMPLEXITY, MAX_PEOPLE, …) and the installed MediaPipe, which must
    match the worker's. Alternatively, specify the hash that the worker stores.

    Always reads the whole table, at about one DynamoDB read unit per item. Running it twice
    does no harm, because the worker skips objects that are done.

    \b
      MODEL_COMPLEXITY=1 landmarks reprocess s3://my-photos/2026/ --options-changed --dry-run
    """  # noqa: D301, \b is click's
    del options_changed  # required; the only choice so far
    if not dry_run:
        require_queue_url(queue_url)
    condition = LandmarkItem.options_hash != (options_hash or _present_hash(table))
    condition &= LandmarkItem.bucket == place.bucket
    _resend(StoredObjects(table, condition, place.prefix), queue_url, dry_run=dry_run)


def _present_hash(table: str) -> str:
    from worker.model import mediapipe_version, options_hash  # noqa: PLC0415, an extra
    from worker.settings import Settings  # noqa: PLC0415, an extra

    model = Settings.from_environment({**os.environ, "RESULTS_TABLE": table}).model
    try:
        present = options_hash(model)
    except PackageNotFoundError as error:
        raise click.ClickException(
            "MediaPipe is not installed, and the hash depends on its version: specify "
            f"--options-hash, or {install_command('worker')}"
        ) from error
    faces = "refined" if model.refine_face_landmarks else "plain"
    confidences = f"{model.min_detection_confidence:g} and {model.min_landmark_confidence:g}"
    people = f", up to {model.max_people} people" if model.max_people > 1 else ""
    click.echo(
        f"options_hash {present}: MediaPipe {mediapipe_version()}, complexity "
        f"{model.model_complexity}, confidences {confidences}, {faces} faces{people}",
        err=True,
    )
    return present


class StoredObjects:
    """A source of jobs: objects selected by a scan of the table. Can be read once.

    Folder markers, which earlier versions stored as failed, are left out.
    """

    def __init__(self, table: str, condition: Condition, prefix: str) -> None:
        if prefix:
            condition &= LandmarkItem.object_key.startswith(prefix)
        self._found = bind_item(table, for_reading=True).scan(
            condition, attributes_to_get=_ATTRIBUTES, page_size=_PAGE_ITEMS
        )

    def __iter__(self) -> Iterator[LandmarkItem]:
        """Return the objects, read page by page.

        Raises:
            PynamoDBException: the table can't be read.
        """
        return (item for item in self._found if not _is_folder_marker(item))

    def entries(self, after: str) -> Iterator[Entry]:
        """Yield the objects, without cursors because a scan can't be resumed."""
        if after:
            raise ValueError("a scan can't be resumed")
        for item in self:
            yield Entry(key=item.object_key, cursor="", bucket=item.bucket, job_id=item.job_id)

    @property
    def items_read(self) -> int:
        """How many items DynamoDB has read and charged for so far, before filtering."""
        return self._found.page_iter.total_scanned_count


def _is_folder_marker(item: LandmarkItem) -> bool:
    image = item.attribute_values.get("image")
    return item.object_key.endswith(FOLDER_MARKER_SUFFIXES) and not (image and image.bytes)


def _resend(
    found: StoredObjects, queue_url: str | None, *, dry_run: bool, force: bool = False
) -> None:
    """Send a job for each object, or print the objects in a dry run; then exit."""
    if dry_run:
        status = _preview(found)
    else:
        run = Run(Jobs([found], force=force), require_queue_url(queue_url))
        status = run_in_terminal(run)
    click.echo(f"{counted(found.items_read, 'item')} of the table read", err=True)
    sys.exit(status)


def _preview(found: StoredObjects) -> int:
    count = 0
    for item in found:
        count += 1
        code = f"  {one_line(item.error_code)}" if item.error_code else ""
        click.echo(f"s3://{item.bucket}/{one_line(item.object_key)}{code}")
    click.echo(f"{count:,} would be sent", err=True)
    return 0
