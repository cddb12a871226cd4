"""`landmarks demo`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.style import Style
from rich.table import Table
from rich.text import Text

from landmarks.cli.terminal import STATUS_COLOURS, counted, escaped
from landmarks.groups import Landmarks
from landmarks.item import LandmarkItem, landmarks_of
from landmarks.local.output import DemoFiles
from landmarks.local.run import DemoResults
from worker.model import mediapipe_version

_FOLDER: Final = click.Path(file_okay=False, path_type=Path)


_EXISTING_FOLDER: Final = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command()
@click.option(
    "--images",
    type=_EXISTING_FOLDER,
    metavar="FOLDER",
    help="Your own photos, with all folders below, instead of the samples.",
)
@click.option(
    "--output",
    type=_FOLDER,
    metavar="FOLDER",
    default=Path("build/demo"),
    show_default=True,
    help="Where report, overlays, results.json and the worker's log go.",
)
def demo(images: Path | None, output: Path) -> None:
    """Run the worker on this machine, without an AWS account.

    S3, SQS and DynamoDB are embedded and listen on the loopback interface only.
    The worker is the real one: its settings, such as MODEL_COMPLEXITY, are read
    from the environment.
    """
    # Imported late: --help needs none of it, and the embedded services alone take a second.
    from landmarks.cli.progress import Progress  # noqa: PLC0415
    from landmarks.local.output import DemoFiles  # noqa: PLC0415
    from landmarks.local.run import checked_settings  # noqa: PLC0415
    from landmarks.local.samples import folder_photos, samples  # noqa: PLC0415

    settings, files = checked_settings(), DemoFiles(output)
    assignment = folder_photos(images, except_below=files.overlays) if images else samples()
    with Progress() as progress:
        progress.stage("Starting S3, SQS and DynamoDB")
        from landmarks.cli.demo import print_summary  # noqa: PLC0415
        from landmarks.local.run import run_demo  # noqa: PLC0415

        results = run_demo(assignment, files, settings, progress)
    print_summary(Console(), results, files, left_out=assignment.left_out)
    if results.without_result:
        raise click.ClickException(f"not every photo has a result: {files.log} says why")


_NOTHING: Final = "-"


_LABEL_CHARACTERS: Final = 14


# Beyond these, the results file has the rest.
_MAX_LISTED: Final = 10


_MAX_CHARACTERS: Final = 160


_END_CHARACTERS: Final = 40


_FOOTNOTE: Final = (
    "score: how sure the person detector is, 0 to 1\n"
    "ms: from the worker taking up the job to its landmarks, all waiting included"
)


def print_summary(
    console: Console, results: DemoResults, files: DemoFiles, *, left_out: int = 0
) -> None:
    """Print a table of the results and, below it, what is not in it.

    Args:
        console: where to.
        results: of the demo.
        files: that it has written.
        left_out: how many files were there that were not sent.
    """
    console.print(*_headline(results), sep="\n", end="\n\n")
    console.print(_table(results))
    console.print(Text(f"\n{_FOOTNOTE}\n", "dim"))
    console.print(_remarks(results, left_out))
    console.print()
    paths = {
        "report": files.report,
        "overlays": files.overlays,
        "results": files.results,
        "worker's log": files.log,
    }
    for label, path in paths.items():
        # In one piece, to be copied.
        console.print(_label(label) + _link(path), soft_wrap=True)


def _shown(text: str) -> str:
    """Text from outside, without what could move a terminal's cursor; of long text, both ends."""
    shown = escaped(text)
    if len(shown) <= _MAX_CHARACTERS:
        return shown
    return f"{shown[: _MAX_CHARACTERS - _END_CHARACTERS]} ... {shown[-_END_CHARACTERS:]}"


def _headline(results: DemoResults) -> tuple[Text, Text]:
    settings, photos = results.settings, len(results.items) + len(results.without_result)
    messages, seconds = counted(results.messages, "message"), f"{results.seconds:.1f} s"
    model = f"MediaPipe {mediapipe_version()}, model complexity {settings.model.model_complexity}"
    detectors = counted(settings.detectors, "detector")
    return (
        Text(f"{counted(photos, 'photo')} and {messages}, done in {seconds}", "bold"),
        Text(f"{model}, {detectors}, their start included", "dim"),
    )


def _table(results: DemoResults) -> Table:
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    table.add_column("key", overflow="fold")
    table.add_column("status", no_wrap=True)
    table.add_column("found", no_wrap=True)
    table.add_column("score", justify="right", no_wrap=True)
    table.add_column("ms", justify="right", no_wrap=True)
    rows = [(item.object_key, _cells(item)) for item in results.items]
    rows += [(key, (Text("no result", "red"),)) for key in results.without_result]
    for key, cells in sorted(rows, key=lambda row: row[0]):
        table.add_row(Text(_shown(key)), *cells)
    return table


def _cells(item: LandmarkItem) -> tuple[Text, ...]:
    colour = STATUS_COLOURS[item.status]
    landmarks = landmarks_of(item)
    found = _found(landmarks) or _NOTHING
    score = _NOTHING if landmarks.pose_score is None else f"{landmarks.pose_score:.2f}"
    return (
        Text(item.status, colour),
        Text(item.error_code, colour) if item.error_code else Text(found),
        Text(score),
        Text(f"{item.duration_ms.total:,}"),
    )


def _found(landmarks: Landmarks) -> str:
    left, right = landmarks.left_hand_landmarks, landmarks.right_hand_landmarks
    groups = {
        "pose": landmarks.pose_landmarks is not None,
        "face": landmarks.face_landmarks is not None,
        "both hands": left is not None and right is not None,
        "left hand": left is not None and right is None,
        "right hand": right is not None and left is None,
    }
    return " · ".join(name for name, found in groups.items() if found)


def _remarks(results: DemoResults, left_out: int) -> Table:
    failed = [(item.object_key, item.error_message) for item in results.items if item.error_code]
    dead = [(letter["body"], _why_dead(letter)) for letter in results.dead_letters]
    grid = Table.grid()
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    if failed:
        _add_remarks(grid, "failed", failed)
    _add_remarks(grid, "duplicates", [(job["key"], "") for job in results.duplicates])
    _add_remarks(grid, "dead letters", dead)
    if results.not_drawn:
        _add_remarks(grid, "not drawn", list(results.not_drawn.items()))
    if left_out:
        _add_remarks(grid, "left out", [(f"{counted(left_out, 'file')} not named like images", "")])
    return grid


def _add_remarks(grid: Table, label: str, remarks: Sequence[tuple[str, str]]) -> None:
    """Add rows of one label: what it is about, and below it the reason."""
    lines = [
        Text(_shown(line), style)
        for about, reason in remarks[:_MAX_LISTED]
        for line, style in ((about, ""), (reason, "dim"))
        if line
    ]
    if len(remarks) > _MAX_LISTED:
        lines.append(Text(f"... and {len(remarks) - _MAX_LISTED} more", "dim"))
    for number, line in enumerate(lines or [Text("none", "dim")]):
        grid.add_row(_label("" if number else label), line)


def _why_dead(letter: Mapping[str, Any]) -> str:
    code, message = letter["error_code"], letter["error_message"]
    return f"{code}: {message}" if code else str(message)


def _link(path: Path) -> Text:
    """A path, short where it can be, to click on where the terminal can."""
    full = path.resolve()
    here = Path.cwd()
    shown = full.relative_to(here) if full.is_relative_to(here) else full
    return Text(_shown(str(shown)), Style(link=full.as_uri()))


def _label(text: str) -> Text:
    return Text(text.ljust(_LABEL_CHARACTERS), "bold")
