"""`landmarks report`: write results to one HTML page."""

import webbrowser
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import boto3
import click

from landmarks.cli.atomic import atomic_write
from landmarks.cli.lookup import NothingFoundError
from landmarks.cli.options import (
    REQUIRED_TABLE,
    STATUS,
    Duration,
    Place,
    S3Place,
    output_option,
    stack_options,
)
from landmarks.cli.progress import Progress
from landmarks.drawing import colours
from landmarks.drawing.topology import load_topology
from landmarks.groups import VISIBLE
from landmarks.item import iso
from landmarks.names import HAND_NAMES, POSE_NAMES
from landmarks.photograph import PhotoDecoder
from landmarks.report.entries import Entry, columns
from landmarks.report.page import PageWriter, page_in
from landmarks.report.statistics import Summary
from landmarks.report.thumbnails import (
    CLIENT_CONFIG,
    DECODERS,
    SIDE_PIXELS,
    Photo,
    PhotoReader,
    PhotoState,
)
from landmarks.result import LandmarkResult
from landmarks.table import LandmarkTable

_DEFAULT_LIMIT: Final = 1000
# 10,000 photos take up half a gigabyte, more than a browser can handle.
_MAX_LIMIT: Final = 10_000

# States that are not reported as missing photos.
_EXPECTED: Final = (PhotoState.EMBEDDED, PhotoState.REFUSED, PhotoState.LEFT_OUT)


@click.command()
@click.argument("place", type=S3Place(), metavar="[s3://BUCKET/FOLDER]", required=False)
@output_option("HTML file to write.", default=Path("report.html"))
@STATUS
@click.option(
    "--since",
    type=Duration(),
    metavar="DURATION",
    help="Only results from the last 90s, 15m, 24h, 7d, …",
)
@click.option(
    "--limit",
    type=click.IntRange(1, _MAX_LIMIT),
    default=_DEFAULT_LIMIT,
    show_default=True,
    metavar="COUNT",
    help="Show the newest COUNT results; statistics include all.",
)
@click.option("--no-photos", is_flag=True, help="Leave out photos and don't read S3.")
@click.option("--open", "opened", is_flag=True, help="Open the page in a browser.")
@click.option("--title", metavar="TEXT", help="Page heading.  [default: the address or table]")
@stack_options(REQUIRED_TABLE)
def report(  # noqa: PLR0913, click's options
    place: Place | None,
    output: Path,
    table: str,
    status: str | None,
    since: timedelta | None,
    limit: int,
    title: str | None,
    *,
    no_photos: bool,
    opened: bool,
) -> None:
    """Write results and photos to one HTML page.

    The page needs no server and no network. It contains small copies of the photos, which
    anyone with the file can see. Photos that have changed since processing are left out.
    report.html is replaced; a FILE that you name is kept unless --force.

    Reads the whole table, regardless of the filters, at about one DynamoDB read unit per item,
    and up to 80 MB from S3 for each photo on the page.

    \b
      landmarks report s3://my-photos/2026/ --since 2h -o today.html

    Exits with 1 and writes nothing if there are no results.
    """  # noqa: D301, \b is click's
    bucket, prefix = place or (None, "")
    selection = Selection(
        table, bucket, prefix, status, since=datetime.now(UTC) - since if since else None
    )
    with Progress() as progress:
        written = write_report(
            selection,
            output,
            progress,
            title=title,
            limit=limit,
            with_photos=not no_photos,
            allow_empty=False,
        )
    _summarize(written)
    click.echo(output)
    if opened and not webbrowser.open(output.resolve().as_uri()):
        raise click.ClickException(f"no browser can be opened here: open {output} yourself")


def _summarize(written: "WrittenReport") -> None:
    shown = sum(written.photos.values())
    size = f"{written.size_bytes / 1e6:.1f} MB"
    click.echo(f"{shown:,} of {written.selected:,} shown, {size}", err=True)
    missing = {state: count for state, count in written.photos.items() if state not in _EXPECTED}
    if missing:
        reasons = ", ".join(f"{n:,} {state.replace('_', ' ')}" for state, n in missing.items())
        click.echo(f"{sum(missing.values()):,} without a photo: {reasons}", err=True)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which results a page contains.

    Attributes:
        table: name of the results table.
        bucket: only results in this bucket.
        prefix: only keys that an address with this ending selects; see `Place`.
        status: "detected", "not_detected" or "failed".
        since: only results processed at this time or later.
    """

    table: str
    bucket: str | None = None
    prefix: str = ""
    status: str | None = None
    since: datetime | None = None

    @property
    def place(self) -> str | None:
        """The S3 address; None for the whole table."""
        return None if self.bucket is None else Place(self.bucket, self.prefix).address

    def results(self) -> Iterator[LandmarkResult]:
        """Yield the results, in no particular order.

        Raises:
            LandmarkError: DynamoDB denies access, fails or can't be reached.
        """
        place = Place(self.bucket or "", self.prefix)
        found = LandmarkTable(self.table).scan(
            status=self.status, bucket=self.bucket, prefix=place.start
        )
        for result in found:
            moment = result.processed_at
            recent = self.since is None or (moment is not None and moment >= self.since)
            if recent and place.selects(result.key):
                yield result


@dataclass(frozen=True, slots=True)
class WrittenReport:
    """A finished page.

    Attributes:
        selected: number of matching results.
        photos: number of results shown, by the state of their photo.
        size_bytes: size of the file.
    """

    selected: int
    photos: Mapping[PhotoState, int]
    size_bytes: int


def write_report(
    selection: Selection,
    path: Path,
    progress: Progress,
    *,
    limit: int,
    title: str | None = None,
    with_photos: bool = True,
    allow_empty: bool = True,
) -> WrittenReport:
    """Write a page.

    Args:
        selection: which results.
        path: the file, written atomically; an existing file is replaced.
        progress: shows the progress.
        limit: show only the newest results, up to this many; statistics include all.
        title: heading (default: the address or the table's name).
        with_photos: whether to read the photos from S3 and embed them.
        allow_empty: whether to write a page without results.

    Raises:
        NothingFoundError: there are no results, which is not allowed.
        LandmarkError: DynamoDB denies access, fails or can't be reached, or photos can't be
            decoded on this machine. Missing or unreadable photos are not an error.
        OSError: the file can't be written.
    """
    heading = title or selection.place or selection.table
    with (
        atomic_write(path) as unfinished,
        unfinished.open("w", encoding="utf-8", newline="\n") as file,
        page_in(file, heading) as page,
    ):
        summary, entries = _read(selection, limit, progress)
        if not (entries or allow_empty):
            raise NothingFoundError(
                selection.table,
                Place(selection.bucket, selection.prefix) if selection.bucket else None,
                selection.status,
                selection.since,
            )
        states = _add_results(page, entries, with_photos=with_photos, progress=progress)
        page.add_report(
            {
                "title": heading,
                "selection": {
                    "table": selection.table,
                    "place": selection.place,
                    "status": selection.status,
                    "since": selection.since and iso(selection.since),
                },
                "made": iso(datetime.now(UTC).replace(microsecond=0)),
                "summary": summary.as_json(),
                "results": [
                    {**entry.record, "photo": state}
                    for entry, state in zip(entries, states, strict=True)
                ],
                "drawing": _drawing_as_json(),
            }
        )
    return WrittenReport(summary.total, Counter(states), path.stat().st_size)


def _read(selection: Selection, limit: int, progress: Progress) -> tuple[Summary, list[Entry]]:
    """Count all results and return the newest, with at most twice the limit in memory."""
    progress.stage("Reading the table")
    summary, newest = Summary(), list[Entry]()
    for result in selection.results():
        summary.add(result)
        newest.append(Entry.of(result))
        if len(newest) >= 2 * limit:
            newest = _newest(newest, limit)
        progress.update(summary.total)
    return summary, _newest(newest, limit)


def _newest(entries: list[Entry], limit: int) -> list[Entry]:
    return sorted(entries, key=lambda entry: entry.newest_first)[:limit]


def _add_results(
    page: PageWriter, entries: Sequence[Entry], *, with_photos: bool, progress: Progress
) -> list[PhotoState]:
    progress.stage("Embedding photos" if with_photos else "Writing results", len(entries))
    photos = _photos(entries) if with_photos else map(_left_out, entries)
    states = []
    for entry, photo in zip(entries, photos, strict=True):
        page.add_result({"photo": photo.address, **entry.content})
        states.append(photo.state)
        progress.update(len(states))
    return states


def _photos(entries: Sequence[Entry]) -> Iterator[Photo]:
    client = boto3.client("s3", config=CLIENT_CONFIG)
    with PhotoDecoder(SIDE_PIXELS, min(DECODERS, len(entries))) as decoder:
        yield from PhotoReader(client, decoder).read_all(entries)


def _left_out(entry: Entry) -> Photo:
    return Photo(PhotoState.REFUSED if entry.refused else PhotoState.LEFT_OUT)


def _drawing_as_json() -> dict[str, Any]:
    """Return the edges, colours and names that the page shares with overlays."""
    return {
        "edges": load_topology()._asdict(),
        "colours": {
            "left": colours.LEFT,
            "right": colours.RIGHT,
            "middle": colours.MIDDLE,
            "hand": colours.HAND,
            "face": colours.FACE,
            "irises": colours.IRISES,
            "mesh": colours.MESH,
            "halo": colours.HALO,
            "others": colours.OTHERS,
        },
        "names": {"pose": POSE_NAMES, "hand": HAND_NAMES},
        "columns": columns(),
        "visible": VISIBLE,
    }
