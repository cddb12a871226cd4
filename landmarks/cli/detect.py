"""`landmarks detect`: find landmarks in local photos, without AWS."""

import os
import stat
import sys
import time
from collections.abc import Generator, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Final, Self

import click
from rich.console import Console
from rich.text import Text

from landmarks.cli.advice import WrongCallError
from landmarks.cli.atomic import atomic_write, refuse_existing
from landmarks.cli.get import listing
from landmarks.cli.options import MAX_PEOPLE
from landmarks.cli.progress import Progress
from landmarks.cli.result_formats import FORMATS, as_csv
from landmarks.cli.result_table import result_cells, result_table
from landmarks.cli.terminal import counted, one_line, output_console, whole_line
from landmarks.drawing.canvas import MAX_SIDE_PIXELS, draw_overlay, save_overlay
from landmarks.enums import FAILED
from landmarks.photograph import PhotoDecoder, UnreadablePhotographError
from landmarks.result import LandmarkResult

_STDIN: Final = "-"


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path())
@click.option("--all", "every", is_flag=True, help="List all landmarks of each photo.")
@click.option("--json", "kind", flag_value="json", help="One JSON object per photo and line.")
@click.option("--csv", "kind", flag_value="csv", help="One row per landmark.")
@click.option("--npz", "kind", flag_value="npz", help="A NumPy archive; for one photo.")
@click.option(
    "--overlay",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Also draw the landmarks: a .png for one photo, a folder for several.",
)
@click.option(
    "--boxes", is_flag=True, help="With --overlay: draw a box around each person, with its score."
)
@click.option("--force", is_flag=True, help="With --overlay: replace drawings that exist.")
@MAX_PEOPLE
def detect(
    files: tuple[str, ...],
    kind: str | None,
    overlay: Path | None,
    *,
    every: bool,
    boxes: bool,
    force: bool,
) -> None:
    """Find landmarks in photos on this machine.

    FILE is a photo, or - for standard input. Needs neither a queue nor an AWS account. The
    detector is the worker's, with the same limits and settings, such as MODEL_COMPLEXITY and
    DETECTORS, from the environment.

    One photo is listed in detail, several get one row each. --json, --csv and --npz print what
    `landmarks get` prints, with `file` instead of bucket and key.

    \b
      landmarks detect photo.jpg --overlay drawn.png
      landmarks detect photos/*.jpg --json > results.jsonl
      curl -s https://example.com/photo.jpg | landmarks detect -

    Exits with 1 if a photo could not be read or drawn on. Finding no person is not an error.
    """  # noqa: D301, \b is click's
    if boxes and not overlay:
        raise click.UsageError("--boxes needs --overlay")
    files = tuple(dict.fromkeys(files))
    _check(files, kind)
    drawing_paths = _drawing_paths(files, overlay) if overlay else {}
    if not force:
        refuse_existing(drawing_paths.values())
    began_at = time.monotonic()
    # The program that reads the pipe may write to this terminal.
    console = Console(stderr=True, quiet=bool(kind) and not _stdout_is_a_file())
    with (
        _Drawings(drawing_paths, boxes=boxes) as drawings,
        closing(_results(files, drawings, console)) as results,
    ):
        failed = _write(results, kind) if kind else _show(results, every=every)
    if len(files) > 1:
        seconds = time.monotonic() - began_at
        click.echo(f"{counted(len(files), 'photo')} in {seconds:.1f} s", err=True)
    for line in drawings.problems:
        click.echo(one_line(line), err=True)
    if overlay:
        drawn = f"{counted(drawings.drawn, 'drawing')} in {overlay}"
        click.echo(drawn if drawings.drawn else "nothing to draw", err=True)
    if failed or drawings.problems:
        sys.exit(1)


def _check(files: Sequence[str], kind: str | None) -> None:
    """Check for a call that can't work.

    Raises:
        UsageError: the options contradict each other or standard output.
        ModuleNotFoundError: the worker's packages are not installed.
    """
    if kind == "npz" and len(files) > 1:
        raise click.UsageError("--npz is for one photo: use --json or --csv for several")
    if kind == "npz" and sys.stdout.isatty():
        raise click.UsageError("--npz is binary: redirect the output to a file")
    for package in ("mediapipe", "cv2"):
        if find_spec(package) is None:
            raise ModuleNotFoundError(name=package)


def _drawing_paths(files: Sequence[str], overlay: Path) -> dict[str, Path]:
    """Return the drawing's path for each file: `overlay`, or `photo.jpg.png` in that folder.

    Photos from several folders keep their folders.

    Raises:
        WrongCallError: `overlay` is not a PNG, one PNG for several photos, or a photo itself.
    """
    if overlay.is_dir() or not overlay.suffix:
        photos = {
            file: Path.cwd() / "stdin" if file == _STDIN else path.parent.resolve() / path.name
            for file, path in zip(files, map(Path, files), strict=True)
        }
        root = os.path.commonpath([photo.parent for photo in photos.values()])
        drawings = {
            file: Path(f"{overlay / photo.relative_to(root)}.png") for file, photo in photos.items()
        }
    elif overlay.suffix.lower() != ".png":
        raise WrongCallError(f"{overlay}: use a name that ends in .png, or a folder")
    elif len(files) > 1:
        raise WrongCallError(
            f"{overlay} can hold only one drawing; use a folder for several photos"
        )
    else:
        drawings = {files[0]: overlay}
    inodes = set(filter(None, map(_inode, files)))
    for drawing in drawings.values():
        if _inode(drawing) in inodes:
            raise WrongCallError(f"{drawing} is a photo itself; use another name")
    return drawings


def _inode(file: str | Path) -> tuple[int, int] | None:
    """Return a file's device and inode number; None if it does not exist."""
    with suppress(OSError):
        found = os.fstat(sys.stdin.fileno()) if file == _STDIN else Path(file).stat()
        return found.st_dev, found.st_ino
    return None


def _stdout_is_a_file() -> bool:
    with suppress(OSError):
        return stat.S_ISREG(os.fstat(sys.stdout.fileno()).st_mode)
    return False


class _Drawings:
    """Draws on photos. Thread-safe.

    Args:
        paths: where to write each file's drawing.
        boxes: whether to draw boxes around people.

    Attributes:
        problems: a line for each photo that can't be drawn on.
    """

    def __init__(self, paths: Mapping[str, Path], *, boxes: bool) -> None:
        self._paths = paths
        self._boxes = boxes
        self._decoder = PhotoDecoder(MAX_SIDE_PIXELS, min(len(paths), os.cpu_count() or 1))
        self._written: list[Path] = []
        self.problems: list[str] = []

    def __enter__(self) -> Self:
        """Return at once, while the decoders start."""
        return self

    def __exit__(self, *exit_reason: object) -> None:
        """End the decoders."""
        self._decoder.__exit__(*exit_reason)

    @property
    def drawn(self) -> int:
        """The number of drawings."""
        return len(self._written)

    def draw(self, file: str, result: LandmarkResult, content: bytes) -> None:
        """Draw the landmarks, if any were found."""
        path = self._paths.get(file)
        if path is None or not result.landmarks.person_found:
            return
        try:
            photo = self._decoder.decode(content)
        except UnreadablePhotographError as error:
            self.problems.append(f"{result.key} is not drawn: {error}")
            return
        people = (person.landmarks for person in result.people)
        drawing = draw_overlay(photo, *people, boxes=self._boxes)
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as part:
            save_overlay(drawing, part, key=result.key)
        self._written.append(path)


def _results(
    files: Sequence[str], drawings: _Drawings, console: Console
) -> Generator[LandmarkResult, None, None]:
    """Detect files in parallel; yield the results in the files' order."""
    from landmarks.local.detection import PhotoDetector  # noqa: PLC0415, an extra

    with (
        PhotoDetector(len(files)) as detector,
        Progress("Detecting", "photos", console=console) as bar,
    ):
        done = count(1)

        def detect_one(file: str) -> LandmarkResult:
            result, content = detector.detect(file)
            drawings.draw(file, result, content)
            bar.update(next(done))
            return result

        bar.update(total=len(files))
        if _STDIN in files:
            detector.read_stdin()
        detector.wait_until_ready()
        threads = ThreadPoolExecutor(detector.size)
        try:
            yield from threads.map(detect_one, files)
        finally:
            threads.shutdown(cancel_futures=True)


def _write(results: Iterable[LandmarkResult], kind: str) -> int:
    """Write results in a file format; return how many photos failed."""
    failed = 0
    for number, result in enumerate(results):
        csv = kind == "csv"
        content = as_csv(result, header=not number) if csv else FORMATS[kind](result)
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        if kind != "json" and not result.landmarks.person_found:
            reason = _reason(result) or result.status
            click.echo(one_line(f"no landmarks in {result.key}: {reason}"), err=True)
        failed += result.status == FAILED
    return failed


def _show(results: Iterable[LandmarkResult], *, every: bool) -> int:
    """Print one result as a listing, or several as a table."""
    found, console = list(results), output_console()
    failed = [result for result in found if result.status == FAILED]
    if every or len(found) == 1:
        listings = [Text("\n").join(listing(result, every=every)) for result in found]
        console.print(Text("\n\n").join(listings))
        return len(failed)
    table = result_table("file")
    for result in found:
        table.add_row(Text(whole_line(result.key)), *result_cells(result))
    console.print(table)
    if failed:
        console.print()
    for result in failed:
        console.print(Text(whole_line(f"{result.key}: {_reason(result)}"), "red"), soft_wrap=True)
    return len(failed)


def _reason(result: LandmarkResult) -> str:
    return ": ".join(filter(None, (result.error_code, result.error_message)))
