"""`landmarks export`."""

import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from io import RawIOBase
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, cast

import click

from landmarks.cli.advice import WrongCallError
from landmarks.cli.export.formats import FORMATS, format_of, open_writer
from landmarks.cli.options import (
    REQUIRED_TABLE,
    STATUS,
    Place,
    S3Place,
    output_option,
    stack_options,
)
from landmarks.cli.terminal import counted
from landmarks.result import LandmarkResult
from landmarks.table import LandmarkTable

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_STDOUT: Final = Path("-")


@dataclass(frozen=True)
class _Request:
    """The command line, as click hands it over."""

    place: Place | None
    output: Path
    form: str | None
    status: str | None
    segments: int
    landmarks: bool
    force: bool
    table: str


@click.command()
@click.argument("place", required=False, type=S3Place(), metavar="[s3://BUCKET/PREFIX]")
@output_option("Where to; - is JSON Lines to standard output.", required=True)
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    help="Where FILE does not end in one of them.",
)
@STATUS
@click.option(
    "--segments",
    type=click.IntRange(1, 64),
    default=4,
    show_default=True,
    metavar="COUNT",
    help="Parts of the table read at once.",
)
@click.option("--landmarks/--no-landmarks", default=True, help="With landmarks, or only the rest.")
@click.option("--force", is_flag=True, help="Replace FILE if it is there.")
@stack_options(REQUIRED_TABLE)
def export(**options: object) -> None:
    """Write all results, or those of a prefix, into one file.

    FILE ends in .parquet (columns with types, for pandas, polars, DuckDB; docs/reading.md has
    them), .jsonl or .jsonl.gz (a line of JSON a result). It has its name only once it is
    whole. Results come in no order.

    The whole table is read, whatever is asked for: about one of DynamoDB's read units an
    item. Memory does not grow with the table.

    \b
      landmarks export -o results.parquet
      landmarks export s3://my-photos/2026/ --status failed -o failed.jsonl
      landmarks export -o - | jq -r .status | sort | uniq -c

    Ends with 0 if all is written, 1 if something went wrong, 130 or 143 if interrupted.
    """  # noqa: D301, \b is click's
    request = _Request(**options)  # type: ignore[arg-type]  # click has checked them
    form = _form(request)
    began_at = time.monotonic()
    exported = _run(request, form)
    _summarise(request.output, exported, time.monotonic() - began_at)


def _form(request: _Request) -> str:
    """The form of the file.

    Raises:
        UsageError: none can be told, it is nothing for standard output, or the file is there.
    """
    output = request.output
    if output == _STDOUT:
        if request.form not in (None, "jsonl"):
            raise click.UsageError("standard output takes jsonl only: name a FILE")
        return "jsonl"
    form = request.form or format_of(output)
    if form is None:
        raise click.UsageError(
            f"{output}: end it in .parquet, .jsonl or .jsonl.gz, or say --format"
        )
    if output.is_file() and not request.force:
        raise WrongCallError(f"{output} is there already: --force replaces it")
    return form


def _run(request: _Request, form: str) -> "Exported":
    from rich.console import Console  # noqa: PLC0415, --help needs none of it

    from landmarks.cli.export.command import Export, Selection  # noqa: PLC0415, the same
    from landmarks.cli.progress import Progress  # noqa: PLC0415, the same

    bucket, prefix = request.place or (None, "")
    selection = Selection(bucket, prefix, request.status, request.landmarks)
    # Where a pipe ends, there may be a terminal that others write to.
    console = Console(stderr=True, quiet=request.output == _STDOUT)
    with (
        _told_if_stopped(request.output),
        Progress("Exporting", "items read", console=console) as progress,
        _opened(request.output) as stream,
    ):
        running = Export(request.table, selection, progress.update)
        return running.run(stream, form, request.segments)


@contextmanager
def _opened(output: Path) -> Iterator[BinaryIO]:
    from landmarks.cli.atomic import atomic_write  # noqa: PLC0415, --help needs it not

    if output == _STDOUT:
        yield sys.stdout.buffer
        return
    with atomic_write(output) as path, path.open("wb") as stream:
        yield stream


@contextmanager
def _told_if_stopped(output: Path) -> Iterator[None]:
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        if output != _STDOUT:
            click.echo(f"{output} is not written: the export was interrupted", err=True)
        raise


def _summarise(output: Path, exported: "Exported", seconds: float) -> None:
    place = "" if output == _STDOUT else f" in {output}"
    rate = f", {exported.items_read / seconds:,.0f}/s" if seconds and exported.items_read else ""
    click.echo(
        f"{counted(exported.results, 'result')}, {_size(exported.bytes)}{place}\n"
        f"{counted(exported.items_read, 'item')} of the table read in {seconds:,.1f} s{rate}",
        err=True,
    )


def _size(count: int) -> str:
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= size:
            return f"{count / size:,.1f} {unit}"
    return f"{count} bytes"


_BATCH: Final = 100


@dataclass(frozen=True, slots=True)
class Selection:
    """Which results.

    Attributes:
        bucket: only of this bucket.
        prefix: only keys that begin so.
        status: only with this status.
        landmarks: whether with their landmarks.
    """

    bucket: str | None = None
    prefix: str = ""
    status: str | None = None
    landmarks: bool = True


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written.

    Attributes:
        results: how many.
        bytes: of the file.
        items_read: how many items DynamoDB has read for it, and charged for.
    """

    results: int
    bytes: int
    items_read: int


class Export:
    """An export that runs, or has run.

    Attributes:
        results: how many have been handed to the file so far.
    """

    def __init__(
        self, table: str, selection: Selection, on_progress: Callable[[int], None]
    ) -> None:
        """Read nothing yet.

        Args:
            table: name of the results table.
            selection: which results.
            on_progress: told how many items were read so far, page by page, by one thread at a
                time.
        """
        self.results = 0
        self._table = LandmarkTable(table)
        self._selection = selection
        self._on_progress = on_progress
        self._items_read = 0
        self._lock = threading.Lock()

    def run(self, stream: BinaryIO, form: str, segments: int) -> Exported:
        """Write a whole file.

        Args:
            stream: where to; it stays open.
            form: one of `formats.FORMATS`.
            segments: how many parts of the table are read at once.

        Raises:
            ModuleNotFoundError: Parquet is wanted, and there is no pyarrow.
            LandmarkError: the table can't be read.
            OSError: the file can't be written.
        """
        counted = _CountedStream(stream)
        output = cast("BinaryIO", counted)
        with (
            closing(open_writer(form, output, landmarks=self._selection.landmarks)) as writer,
            closing(self._scan(segments)) as found,
        ):
            while batch := list(islice(found, _BATCH)):
                writer.write(batch)
                self.results += len(batch)
        return Exported(self.results, counted.tell(), self._items_read)

    def _scan(self, segments: int) -> Generator[LandmarkResult, None, None]:
        wanted = self._selection
        return self._table.scan(
            segments=segments,
            status=wanted.status,
            bucket=wanted.bucket,
            prefix=wanted.prefix,
            on_page=self._count,
        )

    def _count(self, items: int) -> None:
        with self._lock:
            self._items_read += items
            self._on_progress(self._items_read)


class _CountedStream(RawIOBase):
    """Knows how much was written, also where that can't be asked: into a pipe."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._bytes = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._bytes

    def write(self, content: "ReadableBuffer", /) -> int:
        size = memoryview(content).nbytes
        self._stream.write(content)
        self._bytes += size
        return size
