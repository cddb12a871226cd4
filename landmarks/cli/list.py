"""`landmarks list`: the results of a folder."""

import json
import sys
from typing import Final

import click

from landmarks.cli.options import REQUIRED_TABLE, STATUS, Place, S3Place, stack_options
from landmarks.cli.terminal import counted, one_line
from landmarks.enums import DETECTED, FAILED
from landmarks.errors import PermanentError, error_codes
from landmarks.result import ResultSummary
from landmarks.table import LandmarkTable, Listing

_NOTHING: Final = "-"

# The key comes last, as in `aws s3 ls`, because its width isn't known in advance.
_LINE: Final = "{:<20}  {:<12}  {:<23}  {:>6}  {:>11}  {}"
_HEADER: Final = _LINE.format("processed", "status", "score or code", "people", "pixels", "key")


@click.command("list")
@click.argument("place", type=S3Place(), metavar="s3://BUCKET/PREFIX")
@STATUS
@click.option(
    "--error-code",
    type=click.Choice(error_codes(PermanentError)),
    metavar="CODE",
    help="Only results that failed with this code.",
)
@click.option("--recursive", "-r", is_flag=True, help="Include subfolders.")
@click.option("--limit", type=click.IntRange(1), metavar="COUNT", help="Maximum number of results.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
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

    s3://bucket/photos/ lists the objects directly in photos/, s3://bucket/photos/IMG_1 those
    that begin with IMG_1, and s3://bucket those in no folder. With --recursive, lists all keys
    that begin with the prefix.

    Each line shows when the object was processed (UTC), the status, the person detector's
    score or the error code, the number of people, the image's size in pixels, and the key:
    the part after the folder, or the full key with --recursive.

    With the index by-prefix (template parameter PrefixIndex), only the folder is read, and
    results are sorted by key, without their number of people. Without it, or with
    --recursive, the whole table is read, at about one DynamoDB read unit per item, and the
    number of items read is printed.

    \b
      landmarks list s3://my-photos/2026/ --status failed
      landmarks list s3://my-photos --recursive --json | jq -r .object_key
    """  # noqa: D301, \b is click's
    if error_code and status not in (None, FAILED):
        raise click.UsageError("--error-code can only be combined with --status failed")
    listing = LandmarkTable(table).list(
        place.bucket,
        place.prefix,
        status=status,
        error_code=error_code,
        recursive=recursive,
        limit=limit,
    )
    folder = 0 if recursive else place.prefix.rfind("/") + 1
    found, people = _print(listing, folder, as_json=as_json)
    if not found:
        click.echo(_nothing_found(place, recursive=recursive), err=True)
    if people is not None:
        click.echo(f"{people:,} people in {counted(found, 'result')}", err=True)
    if not listing.by_index:
        click.echo(_what_was_read(listing, recursive=recursive), err=True)


def _print(listing: Listing, folder: int, *, as_json: bool) -> tuple[int, int | None]:
    """Print one line per result, with a header on a terminal.

    Args:
        listing: the results.
        folder: how many characters to cut off each key.
        as_json: print JSON instead of columns.

    Returns:
        the number of results and that of people in them; None if nobody counted people.
    """
    count, people, counts_people = 0, 0, False
    for count, summary in enumerate(listing, 1):
        number = None if listing.by_index else _people(summary)
        people += number or 0
        counts_people |= summary.people_count is not None
        if as_json:
            click.echo(json.dumps(summary.to_json()))
            continue
        if count == 1 and sys.stdout.isatty():
            click.secho(_HEADER, bold=True)
        line = _line(summary, summary.key[folder:] or summary.key, number)
        click.echo(click.style(line, fg="red") if summary.error_code else line)
    return count, people if counts_people else None


def _people(summary: ResultSummary) -> int | None:
    """Return how many people a photograph has; None if it could not be processed."""
    if summary.people_count is not None or summary.status == FAILED:
        return summary.people_count
    return int(summary.status == DETECTED)  # nobody else was looked for


def _line(summary: ResultSummary, key: str, people: int | None) -> str:
    score = _NOTHING if summary.pose_score is None else f"{summary.pose_score:.2f}"
    image, moment = summary.image, summary.processed_at
    return _LINE.format(
        f"{moment:%Y-%m-%dT%H:%M:%SZ}" if moment else _NOTHING,
        one_line(summary.status),
        one_line(summary.error_code or score),
        _NOTHING if people is None else people,
        f"{image.width}x{image.height}" if image and image.width else _NOTHING,
        one_line(key),
    )


def _nothing_found(place: Place, *, recursive: bool) -> str:
    if recursive or not place.prefix:
        return "nothing found"
    if place.prefix.endswith("/"):
        return "nothing found directly in this folder; --recursive includes subfolders"
    return f"nothing found with this prefix; for a folder, use s3://{one_line('/'.join(place))}/"


def _what_was_read(listing: Listing, *, recursive: bool) -> str:
    read = f"{counted(listing.items_read, 'item')} of the table read"
    if recursive:
        return read
    return f"{read}, unsorted: there is no index by-prefix (template parameter PrefixIndex=true)"
