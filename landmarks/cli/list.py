"""`landmarks list`: the results of a folder."""

import json
import shlex
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

import click

from landmarks.cli.options import REQUIRED_TABLE, STATUS, Place, S3Place, stack_options
from landmarks.cli.terminal import counted, one_line, utc, whole_line
from landmarks.enums import DETECTED, FAILED
from landmarks.errors import AccessDeniedError, PermanentError, error_codes
from landmarks.result import ResultSummary
from landmarks.table import LandmarkTable, Listing

_NOTHING: Final = "-"

# The key comes last, as in `aws s3 ls`, because its width isn't known in advance.
_LINE: Final = "{:<23}  {:<12}  {:<23}  {:>6}  {:>11}  {}"
_HEADER: Final = _LINE.format("processed", "status", "score or code", "people", "pixels", "key")


@click.command("list")
@click.argument("place", type=S3Place(), metavar="s3://BUCKET/FOLDER")
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

    s3://bucket/photos/ lists the objects directly in photos/, and the subfolders as PRE.
    's3://bucket/photos/IMG_1*' lists those that begin with IMG_1, and s3://bucket those in no
    folder. With --recursive, lists everything below.

    Each line shows when the object was processed, the status, the person detector's
    score or the error code, the number of people, the image's size in pixels, and the key:
    the part after the folder, or the full key with --recursive. With --json, subfolders are
    left out.

    With the index by-prefix (template parameter PrefixIndex), only the folder is read, and
    results are sorted by key, without their number of people. If nothing is directly in the
    folder, the whole index is read for subfolders, at about one DynamoDB read unit per 24
    entries; otherwise they are not shown. Without the index, or with --recursive, the whole
    table is read, at about one read unit per item. What was read besides the folder is printed.

    \b
      landmarks list s3://my-photos/2026/ --status failed
      landmarks list s3://my-photos --recursive --json | jq -r .object_key
    """  # noqa: D301, \b is click's
    if error_code and status not in (None, FAILED):
        raise click.UsageError("--error-code can only be combined with --status failed")
    reader = LandmarkTable(table)
    folder = place
    if place.is_name and not recursive:
        result = reader.get(place.prefix, place.bucket)
        if result and status in (None, result.status) and error_code in (None, result.error_code):
            _print([result], place, as_json=as_json)
            return
        folder = Place(place.bucket, f"{place.prefix}/")
    listing = reader.list(
        place.bucket,
        folder.start,
        status=status,
        error_code=error_code,
        recursive=recursive,
        limit=None if recursive else limit,
    )
    selected = islice((found for found in listing if place.selects(found.key)), limit)
    found, people = _print(
        selected, None if recursive else folder, listing=listing, as_json=as_json
    )
    notes = [] if recursive or as_json else list(_print_subfolders(listing, looked_for=not found))
    if not found and not (listing.subfolders and not as_json):
        notes.append(_nothing_found(place, recursive=recursive, as_json=as_json))
    if people is not None:
        notes.append(f"{people:,} people in {counted(found, 'result')}")
    if not listing.by_index:
        notes.append(_what_was_read(listing, recursive=recursive))
    for note in notes:
        click.echo(note, err=True)


def _print(
    found: Iterable[ResultSummary],
    folder: Place | None,
    *,
    listing: Listing | None = None,
    as_json: bool,
) -> tuple[int, int | None]:
    """Print one line per result, with a header on a terminal.

    Args:
        found: the results.
        folder: what to cut off each key, up to the last slash; None for nothing.
        listing: where the results are from.
        as_json: print JSON instead of columns.

    Returns:
        the number of results and that of people in them; None if nobody counted people.
    """
    count, people, counts_people = 0, 0, False
    for count, summary in enumerate(found, 1):
        number = None if listing and listing.by_index else _people(summary)
        people += number or 0
        counts_people |= summary.people_count is not None
        if as_json:
            click.echo(json.dumps(ResultSummary.to_json(summary)))
            continue
        if count == 1 and sys.stdout.isatty():
            click.secho(_HEADER, bold=True)
        key = summary.key[folder.start.rfind("/") + 1 :] if folder else summary.key
        line = _line(summary, key or summary.key, number)
        click.echo(click.style(line, fg="red") if summary.error_code else line)
    return count, people if counts_people else None


def _print_subfolders(listing: Listing, *, looked_for: bool) -> Iterator[str]:
    """Print the subfolders, and yield what is to be said about them."""
    if listing.by_index and looked_for:
        try:
            yield f"index entries read for subfolders: {listing.find_subfolders():,}"
        except AccessDeniedError:
            yield "subfolders are not shown: dynamodb:Scan on the index is not allowed"
    elif listing.by_index:
        yield "subfolders are not shown; --recursive lists what is in them"
    for name in sorted(listing.subfolders):
        click.echo(_LINE.format("", "", "", "", "PRE", whole_line(name)))


def _people(summary: ResultSummary) -> int | None:
    """Return how many people a photograph has; None if it could not be processed."""
    if summary.people_count is not None or summary.status == FAILED:
        return summary.people_count
    return int(summary.status == DETECTED)  # nobody else was looked for


def _line(summary: ResultSummary, key: str, people: int | None) -> str:
    score = _NOTHING if summary.pose_score is None else f"{summary.pose_score:.2f}"
    image, moment = summary.image, summary.processed_at
    return _LINE.format(
        utc(moment) if moment else _NOTHING,
        one_line(summary.status),
        one_line(summary.error_code or score),
        _NOTHING if people is None else people,
        f"{image.width}x{image.height}" if image and image.width else _NOTHING,
        whole_line(key),
    )


def _nothing_found(place: Place, *, recursive: bool, as_json: bool) -> str:
    if as_json and not recursive:
        return "nothing found directly in this folder; --recursive includes subfolders"
    words = f"nothing found in {one_line(place.address)}"
    if not place.is_name:
        return words
    every = shlex.quote(f"{place.address}*")
    return f"{words}; for all keys that begin with this, use {one_line(every)}"


def _what_was_read(listing: Listing, *, recursive: bool) -> str:
    read = f"{counted(listing.items_read, 'item')} of the table read"
    if recursive:
        return read
    return f"{read}, unsorted: there is no index by-prefix (template parameter PrefixIndex=true)"
