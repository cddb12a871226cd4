"""`landmarks list`."""

import json
import sys
from typing import TYPE_CHECKING, Final

import click

from landmarks.cli.options import REQUIRED_TABLE, STATUS, Place, S3Place, stack_options
from landmarks.cli.terminal import counted, one_line

if TYPE_CHECKING:
    from landmarks.listing import Listing
    from landmarks.summary import ResultSummary

_NOTHING: Final = "-"


# The key, which has no width that would be known before the last one is read, comes last, as in
# `aws s3 ls`: so lines are aligned and nothing has to be kept.
_LINE: Final = "{:<20}  {:<12}  {:<23}  {:>11}  {}"


_HEADER: Final = _LINE.format("processed", "status", "score or code", "pixels", "key")


@click.command("list")
@click.argument("place", type=S3Place(), metavar="s3://BUCKET/PREFIX")
@STATUS
@click.option("--error-code", metavar="CODE", help="Only what failed with this error code.")
@click.option("--recursive", "-r", is_flag=True, help="What lies below, too.")
@click.option("--limit", type=click.IntRange(1), metavar="COUNT", help="No more than so many.")
@click.option("--json", "as_json", is_flag=True, help="A line of JSON for each result.")
@stack_options(REQUIRED_TABLE)
def list_results(
    place: Place,
    status: str | None,
    error_code: str | None,
    limit: int | None,
    table: str,
    *,
    recursive: bool,
    as_json: bool,
) -> None:
    """List the results of a folder.

    s3://bucket/photos/ is what lies in photos/ itself, s3://bucket/photos/IMG_1 what in it
    begins so, and s3://bucket what lies in no folder. With --recursive it is everything
    whose key begins so.

    A line is when it was processed (UTC), its status, the person detector's score or the
    error code, the image's size in pixels, and its key: without the folder, or all of it
    with --recursive.

    A table with the index by-prefix (the template's parameter PrefixIndex) answers from
    that, sorted by key, and reads the folder alone. Without it, and with --recursive, the
    whole table is read: about one of DynamoDB's read units an item, which is said beside it.

    \b
      landmarks list s3://my-photos/2026/ --status failed
      landmarks list s3://my-photos --recursive --json | jq -r .object_key
    """  # noqa: D301, \b is click's
    if error_code and status not in (None, "failed"):
        raise click.UsageError("--error-code is for what is failed")
    from landmarks.table import LandmarkTable  # noqa: PLC0415, --help needs none of it

    listing = LandmarkTable(table).list(
        place.bucket,
        place.prefix,
        status=status,
        error_code=error_code,
        recursive=recursive,
        limit=limit,
    )
    folder = 0 if recursive else place.prefix.rfind("/") + 1
    found = _print_json(listing) if as_json else _print_lines(listing, folder)
    if not found:
        click.echo(_nothing_found(place, recursive=recursive), err=True)
    if not listing.by_index:
        click.echo(_what_was_read(listing, recursive=recursive), err=True)


def _print_json(listing: "Listing") -> int:
    count = 0
    for count, summary in enumerate(listing, 1):  # noqa: B007, it is the answer
        click.echo(json.dumps(summary.to_json()))
    return count


def _print_lines(listing: "Listing", folder: int) -> int:
    """Print a line each, with a header where a person looks.

    Args:
        listing: what to print.
        folder: how many characters of every key are left out.
    """
    count = 0
    for count, summary in enumerate(listing, 1):
        if count == 1 and sys.stdout.isatty():
            click.secho(_HEADER, bold=True)
        line = _line(summary, summary.key[folder:] or summary.key)
        click.echo(click.style(line, fg="red") if summary.error_code else line)
    return count


def _line(summary: "ResultSummary", key: str) -> str:
    score = _NOTHING if summary.pose_score is None else f"{summary.pose_score:.2f}"
    image, moment = summary.image, summary.processed_at
    return _LINE.format(
        f"{moment:%Y-%m-%dT%H:%M:%SZ}" if moment else _NOTHING,
        one_line(summary.status),
        one_line(summary.error_code or score),
        f"{image.width}x{image.height}" if image and image.width else _NOTHING,
        one_line(key),
    )


def _nothing_found(place: Place, *, recursive: bool) -> str:
    if recursive or not place.prefix:
        return "nothing found"
    if place.prefix.endswith("/"):
        return "nothing found in the folder itself; --recursive lists what is below"
    return f"nothing found that begins so; if it is a folder: s3://{one_line('/'.join(place))}/"


def _what_was_read(listing: "Listing", *, recursive: bool) -> str:
    read = f"{counted(listing.items_read, 'item')} of the table read"
    if recursive:
        return read
    return f"{read}, unsorted: it has no index by-prefix (the template's PrefixIndex=true)"
