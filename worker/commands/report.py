"""`landmarks report`."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from worker.commands.options import (
    REQUIRED_TABLE,
    STATUS,
    Duration,
    Place,
    S3Place,
    output_option,
    stack_options,
)

if TYPE_CHECKING:
    from worker.operations.report import WrittenReport

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
    # Imported late: --help needs none of it.
    from rich.console import Console  # noqa: PLC0415

    from worker.commands.stage_progress import StageProgress  # noqa: PLC0415
    from worker.operations.report import Selection, write_report  # noqa: PLC0415

    selection = Selection(
        table,
        bucket=place.bucket if place else None,
        prefix=place.prefix if place else "",
        status=status,
        since=datetime.now(UTC) - since if since else None,
    )
    with StageProgress(Console(stderr=True)) as progress:
        written = write_report(
            selection, output, progress, title=title, limit=limit, with_photos=not no_photos
        )
    _say(written)
    click.echo(output)


def _say(written: "WrittenReport") -> None:
    """How much of it all is in the page, and which photos are not."""
    from worker.report.photos import PhotoState  # noqa: PLC0415, not for --help

    shown = f"{written.shown:,} of {written.selected:,} shown, {written.size_bytes / 1e6:.1f} MB"
    click.echo(shown, err=True)
    explained = {PhotoState.EMBEDDED, PhotoState.REFUSED, PhotoState.LEFT_OUT}
    missing = {state: n for state, n in written.photos.items() if state not in explained}
    if missing:
        reasons = ", ".join(f"{n:,} {state.replace('_', ' ')}" for state, n in missing.items())
        click.echo(f"{sum(missing.values()):,} without their photo: {reasons}", err=True)
