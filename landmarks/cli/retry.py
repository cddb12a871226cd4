"""`landmarks retry`: enqueue objects in the table again."""

import os
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import reduce
from importlib.metadata import PackageNotFoundError
from operator import and_
from typing import Final

import click
from pynamodb.expressions.condition import Condition

from landmarks.cli.advice import install_command
from landmarks.cli.enqueue.estimate import cost_lines, count, scan_line
from landmarks.cli.enqueue.messages import Jobs
from landmarks.cli.enqueue.run import Run, run_in_terminal
from landmarks.cli.enqueue.sources import Entry
from landmarks.cli.options import (
    QUEUE_URL,
    REQUIRED_TABLE,
    Duration,
    Place,
    S3Place,
    is_fifo,
    require_queue_url,
    stack_options,
)
from landmarks.cli.terminal import counted, whole_line
from landmarks.enums import FAILED
from landmarks.errors import PermanentError, error_codes
from landmarks.item import LandmarkItem, bind_item, iso
from landmarks.job import FOLDER_MARKER_SUFFIXES

_ATTRIBUTES: Final = ["object_key", "bucket", "job_id", "error_code", "image"]
# Bounds memory. A DynamoDB page has up to 1 MB, about 130 items with landmarks.
_PAGE_ITEMS: Final = 500


@click.command()
@click.argument("address", default="", metavar="[s3://BUCKET/FOLDER]")
@click.option(
    "--failed", is_flag=True, help="Only failed objects; the default without --options-changed."
)
@click.option(
    "--error-code",
    "--code",
    "codes",
    type=click.Choice(error_codes(PermanentError)),
    metavar="CODE",
    multiple=True,
    help="Only objects that failed with this error code; repeatable.",
)
@click.option(
    "--options-changed",
    is_flag=True,
    help="Objects processed with other options than the worker's, whatever their status.",
)
@click.option(
    "--options-hash",
    metavar="HASH",
    help="The worker's options_hash.  [default: computed from local settings and MediaPipe]",
)
@click.option(
    "--since",
    type=Duration(),
    metavar="DURATION",
    help="Only objects processed in the last 90s, 15m, 24h, 7d, …",
)
@click.option("--bucket", metavar="NAME", help="Only objects in this bucket.")
@click.option("--dry-run", is_flag=True, help="Print the objects and the cost, but send nothing.")
@stack_options(REQUIRED_TABLE, QUEUE_URL)
def retry(  # noqa: PLR0913, click's options
    address: str,
    codes: tuple[str, ...],
    options_hash: str | None,
    since: timedelta | None,
    bucket: str | None,
    table: str,
    queue_url: str | None,
    *,
    failed: bool,
    options_changed: bool,
    dry_run: bool,
) -> None:
    """Enqueue failed or outdated objects again.

    Selects failed objects or, with --options-changed, those processed with other options.
    An object has to match every filter.

    The worker's options are taken from this command's environment variables
    (MODEL_COMPLEXITY, MAX_PEOPLE, …) and the installed MediaPipe, which must match the
    worker's. Alternatively, specify the hash that the worker stores.

    Always reads the whole table, at about one DynamoDB read unit per item. Jobs keep their
    job id and process the object's current content. They are forced, except with
    --options-changed: then the worker skips what is already done.

    \b
      landmarks retry --dry-run
      landmarks retry --error-code DETECTOR_TIMEOUT s3://my-photos/2026/
      MODEL_COMPLEXITY=1 landmarks retry --options-changed s3://my-photos/2026/
    """  # noqa: D301, \b is click's
    if options_hash and not options_changed:
        raise click.UsageError("--options-hash needs --options-changed")
    if not dry_run:
        require_queue_url(queue_url)
    wanted = list(_within(address, bucket))
    if failed or codes or not options_changed:
        wanted.append(LandmarkItem.status == FAILED)
    if codes:
        wanted.append(LandmarkItem.error_code.is_in(*codes))
    if options_changed:
        wanted.append(LandmarkItem.options_hash != (options_hash or _present_hash(table)))
    if since:
        wanted.append(LandmarkItem.processed_at >= iso(datetime.now(UTC) - since))
    found = StoredObjects(table, reduce(and_, wanted), listed=dry_run)
    jobs = Jobs([found], force=not options_changed)
    if dry_run:
        status = _print_estimate(jobs, found, queue_url)
    else:
        status = run_in_terminal(Run(jobs, require_queue_url(queue_url)))
    click.echo(f"{counted(found.items_read, 'item')} of the table read", err=True)
    sys.exit(status)


def _within(address: str, bucket: str | None) -> Iterator[Condition]:
    place = Place(bucket or "", address)
    if address.startswith("s3://"):
        place = S3Place().convert(address, None, click.get_current_context())
        if bucket not in (None, place.bucket):
            raise click.UsageError("--bucket and the address name different buckets")
    key = LandmarkItem.object_key
    if place.bucket:
        yield LandmarkItem.bucket == place.bucket
    if place.is_name:
        yield (key == place.prefix) | key.startswith(f"{place.prefix}/")
    elif place.start:
        yield key.startswith(place.start)


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

    def __init__(self, table: str, condition: Condition, *, listed: bool = False) -> None:
        """Prepare the scan.

        Args:
            table: name of the table.
            condition: which items to select.
            listed: whether to print each object as it is read.
        """
        self._listed = listed
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
            if self._listed:
                code = f"  {whole_line(item.error_code)}" if item.error_code else ""
                click.echo(f"s3://{item.bucket}/{whole_line(item.object_key)}{code}")
            yield Entry(key=item.object_key, cursor="", bucket=item.bucket, job_id=item.job_id)

    @property
    def items_read(self) -> int:
        """How many items DynamoDB has read and charged for so far, before filtering."""
        return self._found.page_iter.total_scanned_count


def _is_folder_marker(item: LandmarkItem) -> bool:
    image = item.attribute_values.get("image")
    return item.object_key.endswith(FOLDER_MARKER_SUFFIXES) and not (image and image.bytes)


def _print_estimate(jobs: Jobs, found: StoredObjects, queue_url: str | None) -> int:
    """Print the objects to standard output, and the cost to standard error."""
    counts: Counter[str] = Counter()
    for batch in jobs.batches():
        counts.update(count(batch))
    click.echo(f"{counts['messages']:,} would be sent", err=True)
    others = [scan_line(found.items_read)]
    for line in cost_lines(counts, fifo=is_fifo(queue_url or ""), others=others):
        click.echo(line, err=True)
    return 0
