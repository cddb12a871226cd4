"""The command line of `landmarks export`."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from io import RawIOBase
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, cast

import click
from rich.console import Console

from landmarks.cli.atomic import atomic_write
from landmarks.cli.export.formats import FORMATS, LEFT_OUT, format_of, open_writer
from landmarks.cli.lookup import NothingFoundError
from landmarks.cli.options import (
    REQUIRED_TABLE,
    STATUS,
    Place,
    S3Place,
    output_option,
    stack_options,
)
from landmarks.cli.progress import Progress
from landmarks.cli.terminal import counted
from landmarks.table import LandmarkTable

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_STDOUT: Final = Path("-")
_BATCH: Final = 100  # results


@click.command()
@click.argument("place", required=False, type=S3Place(), metavar="[s3://BUCKET/FOLDER]")
@output_option("File to write; - is standard output.", required=True)
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    help="Format, if the name of FILE doesn't tell.  [default for -: jsonl]",
)
@STATUS
@click.option(
    "--segments",
    type=click.IntRange(1, 64),
    default=4,
    show_default=True,
    metavar="COUNT",
    help="Parts of the table to read in parallel.",
)
@click.option("--landmarks/--no-landmarks", default=True, help="Whether to include landmarks.")
@stack_options(REQUIRED_TABLE)
def export(
    place: Place | None,
    output: Path,
    form: str | None,
    status: str | None,
    segments: int,
    table: str,
    *,
    landmarks: bool,
) -> None:
    """Write results to a file: Parquet, JSON Lines, CSV or COCO.

    FILE ends in .parquet (typed columns for pandas, polars, DuckDB), .jsonl or .jsonl.gz (one
    JSON object per line), or .csv (one row per landmark). --format coco writes the 133 keypoints
    of COCO-WholeBody, in JSON. docs/reading.md describes them all. The file is written
    atomically, and results are in no particular order.

    Reads the whole table, regardless of the filters, at about one DynamoDB read unit per item.
    Memory use does not grow with the table.

    \b
      landmarks export -o results.parquet
      landmarks export s3://my-photos/2026/ --status failed -o failed.jsonl
      landmarks export --format coco -o people.json
      landmarks export -o - | jq -r .status | sort | uniq -c

    Exits with 0 if everything was written, 1 after an error or if nothing was found, and 130
    or 143 if interrupted.
    """  # noqa: D301, \b is click's
    form = _form(output, form, landmarks=landmarks)
    wanted = place or Place("", "")
    began_at = time.monotonic()
    # The program that reads the pipe may write to this terminal.
    console = Console(stderr=True, quiet=output == _STDOUT)
    with _opened(output) as stream, Progress("Exporting", "items read", console=console) as bar:
        items = _ItemCount(bar)
        found = LandmarkTable(table).scan(
            segments=segments,
            status=status,
            bucket=wanted.bucket or None,
            prefix=wanted.start,
            on_page=items.add,
        )
        selected = (result for result in found if wanted.selects(result.key))
        results, left_out, file = 0, 0, _CountedStream(stream)
        with (
            closing(open_writer(form, cast("BinaryIO", file), landmarks=landmarks)) as writer,
            closing(found),
        ):
            while batch := list(islice(selected, _BATCH)):
                written = writer.write(batch)
                results += written
                left_out += len(batch) - written
        if left_out and not results:
            raise click.ClickException(f"only results {LEFT_OUT[form]}; nothing was written")
        if not results:
            raise NothingFoundError(table, place, status)
    where = "" if output == _STDOUT else f" in {output}"
    click.echo(f"{counted(results, 'result')}, {_bytes(file.tell())}{where}", err=True)
    if left_out:
        click.echo(f"{counted(left_out, 'result')} {LEFT_OUT[form]} left out", err=True)
    seconds = time.monotonic() - began_at
    rate = f", {items.total / seconds:,.0f}/s" if seconds else ""
    read = f"{counted(items.total, 'item')} of the table read"
    click.echo(f"{read} in {seconds:,.1f} s{rate}", err=True)


def _form(output: Path, form: str | None, *, landmarks: bool) -> str:
    """Return the file's format.

    Raises:
        UsageError: the format is unknown, binary on standard output, or nothing without landmarks.
    """
    form = form or ("jsonl" if output == _STDOUT else format_of(output))
    if form is None:
        raise click.UsageError(
            f"{output}: use a name that ends in .parquet, .jsonl, .jsonl.gz or .csv, or --format, "
            "for example --format coco"
        )
    if output == _STDOUT and form in ("parquet", "jsonl.gz"):
        raise click.UsageError(f"{form} is binary: use -o FILE")
    if form in LEFT_OUT and not landmarks:
        raise click.UsageError(f"--no-landmarks leaves nothing of {form}: use another format")
    return form


@contextmanager
def _opened(output: Path) -> Iterator[BinaryIO]:
    if output == _STDOUT:
        yield sys.stdout.buffer
        return
    try:
        with atomic_write(output) as path, path.open("wb") as stream:
            yield stream
    except (KeyboardInterrupt, SystemExit):
        click.echo(f"{output} was not written: the export was interrupted", err=True)
        raise


def _bytes(count: int) -> str:
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= size:
            return f"{count / size:,.1f} {unit}"
    return f"{count} bytes"


class _ItemCount:
    """Counts the items that DynamoDB has read, across all segments' threads."""

    def __init__(self, progress: Progress) -> None:
        self.total = 0
        self._progress = progress
        self._lock = threading.Lock()

    def add(self, items: int) -> None:
        with self._lock:
            self.total += items
            self._progress.update(self.total)


class _CountedStream(RawIOBase):
    """A stream that counts its bytes, because pyarrow can't ask a pipe for its position."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._position = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def write(self, content: "ReadableBuffer", /) -> int:
        size = memoryview(content).nbytes
        self._stream.write(content)
        self._position += size
        return size
