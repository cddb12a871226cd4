"""`landmarks report`."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import boto3
import click

from landmarks.cli.atomic import atomic_write
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
from landmarks.drawing import canvas as overlay
from landmarks.drawing.topology import load_topology
from landmarks.groups import VISIBLE
from landmarks.names import HAND_NAMES, POSE_NAMES
from landmarks.report.entries import Entry, columns, iso
from landmarks.report.page import PageWriter, page_in
from landmarks.report.statistics import Summary
from landmarks.report.thumbnails import CLIENT_CONFIG, Photo, PhotoReader, PhotoState
from landmarks.result import LandmarkResult
from landmarks.table import LandmarkTable

_DEFAULT_LIMIT: Final = 1000


# 10,000 photos make half a gigabyte: no browser likes that.
_MAX_LIMIT: Final = 10_000


@click.command()
@click.argument("place", type=S3Place(), metavar="[s3://BUCKET/PREFIX]", required=False)
@output_option("The page; a file that is there is replaced.", default=Path("report.html"))
@STATUS
@click.option(
    "--since",
    type=Duration(),
    metavar="DURATION",
    help="Only what was processed so long ago at most: 90s, 15m, 2h, 1d.",
)
@click.option(
    "--limit",
    type=click.IntRange(1, _MAX_LIMIT),
    default=_DEFAULT_LIMIT,
    show_default=True,
    metavar="COUNT",
    help="How many results are shown, the newest; all are counted.",
)
@click.option("--no-photos", is_flag=True, help="Landmarks on a plain ground; S3 is not asked.")
@click.option(
    "--title", metavar="TEXT", help="The page's heading.  [default: the address or table]"
)
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
) -> None:
    """Write results as one HTML page, photos included.

    The page needs no server and no network. It holds small copies of the photos: whoever
    gets the file sees them. A photo that is not the processed one any more is left out.

    The whole table is read, whatever is asked for: about one of DynamoDB's read units an
    item. Of each photo that is shown, up to 30 MB come from S3.

    \b
      landmarks report s3://my-photos/2026/ --since 2h -o today.html
    """  # noqa: D301, \b is click's
    selection = Selection(
        table,
        bucket=place.bucket if place else None,
        prefix=place.prefix if place else "",
        status=status,
        since=datetime.now(UTC) - since if since else None,
    )
    with Progress() as progress:
        written = write_report(
            selection, output, progress, title=title, limit=limit, with_photos=not no_photos
        )
    _say(written)
    click.echo(output)


def _say(written: "WrittenReport") -> None:
    """How much of it all is in the page, and which photos are not."""
    from landmarks.report.thumbnails import PhotoState  # noqa: PLC0415, not for --help

    shown = f"{written.shown:,} of {written.selected:,} shown, {written.size_bytes / 1e6:.1f} MB"
    click.echo(shown, err=True)
    explained = {PhotoState.EMBEDDED, PhotoState.REFUSED, PhotoState.LEFT_OUT}
    missing = {state: n for state, n in written.photos.items() if state not in explained}
    if missing:
        reasons = ", ".join(f"{n:,} {state.replace('_', ' ')}" for state, n in missing.items())
        click.echo(f"{sum(missing.values()):,} without their photo: {reasons}", err=True)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which results the page is about.

    Attributes:
        table: name of the results table.
        bucket: only of this bucket.
        prefix: only keys that begin so.
        status: only with this status.
        since: only what was processed then or later.
    """

    table: str
    bucket: str | None = None
    prefix: str = ""
    status: str | None = None
    since: datetime | None = None

    @property
    def place(self) -> str | None:
        """The address; None for the whole table."""
        return None if self.bucket is None else f"s3://{self.bucket}/{self.prefix}"

    def results(self) -> Iterator[LandmarkResult]:
        """Read them, in no order.

        Raises:
            LandmarkError: DynamoDB can't be asked.
        """
        found = LandmarkTable(self.table).scan(
            status=self.status, bucket=self.bucket, prefix=self.prefix
        )
        return (result for result in found if self._is_recent(result))

    def _is_recent(self, result: LandmarkResult) -> bool:
        return self.since is None or (
            result.processed_at is not None and result.processed_at >= self.since
        )


@dataclass(frozen=True, slots=True)
class WrittenReport:
    """A page that is there.

    Attributes:
        selected: how many results its summary is about.
        photos: of those that are shown, how many photographs are in which state.
        size_bytes: of the file.
    """

    selected: int
    photos: Mapping[PhotoState, int]
    size_bytes: int

    @property
    def shown(self) -> int:
        """How many results can be looked at."""
        return sum(self.photos.values())


def write_report(
    selection: Selection,
    path: Path,
    progress: Progress,
    *,
    limit: int,
    title: str | None = None,
    with_photos: bool = True,
) -> WrittenReport:
    """Write the page.

    Args:
        selection: what it is about.
        path: of the file; it appears when it is whole, and replaces one that is there.
        progress: is told what is being done.
        limit: how many results are shown, the newest ones; all are counted.
        title: instead of the address, or the table's name.
        with_photos: get the photographs from S3 and embed them.

    Raises:
        LandmarkError: DynamoDB can't be asked. A photograph that can't be had is no error.
        OSError: the file can't be written.
    """
    heading = title or selection.place or selection.table
    with (
        atomic_write(path) as unfinished,
        unfinished.open("w", encoding="utf-8", newline="\n") as file,
        page_in(file, heading) as page,
    ):
        summary, entries = _read(selection, limit, progress)
        states = _add_results(page, entries, with_photos=with_photos, progress=progress)
        page.add_report(
            {
                "title": heading,
                "selection": _selection_as_json(selection),
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
    """Count all results and keep the newest: never more than twice as many as wanted."""
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
    photos = _photos(entries) if with_photos else (_left_out(entry) for entry in entries)
    states = []
    for entry, photo in zip(entries, photos, strict=True):
        page.add_result({"photo": photo.address, "landmarks": entry.landmarks})
        states.append(photo.state)
        progress.update(len(states))
    return states


def _photos(entries: Sequence[Entry]) -> Iterator[Photo]:
    return PhotoReader(boto3.client("s3", config=CLIENT_CONFIG)).read_all(entries)


def _left_out(entry: Entry) -> Photo:
    return Photo(PhotoState.REFUSED if entry.refused else PhotoState.LEFT_OUT)


def _selection_as_json(selection: Selection) -> dict[str, Any]:
    return {
        "table": selection.table,
        "place": selection.place,
        "status": selection.status,
        "since": iso(selection.since),
    }


def _drawing_as_json() -> dict[str, Any]:
    """What the page has in common with overlays: edges, colours, names."""
    return {
        "edges": load_topology()._asdict(),
        "colours": {
            "left": overlay.LEFT,
            "right": overlay.RIGHT,
            "middle": overlay.MIDDLE,
            "hand": overlay.HAND,
            "face": overlay.FACE,
            "irises": overlay.IRISES,
            "mesh": overlay.MESH,
            "halo": overlay.HALO,
        },
        "names": {"pose": POSE_NAMES, "hand": HAND_NAMES},
        "columns": columns(),
        "visible": VISIBLE,
    }
