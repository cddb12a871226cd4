"""`landmarks demo`."""

from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

import click
from rich.console import Console
from rich.style import Style
from rich.table import Table
from rich.text import Text

from landmarks.cli.options import MAX_PEOPLE
from landmarks.cli.progress import Progress
from landmarks.cli.result_table import result_cells, result_table
from landmarks.cli.terminal import counted, one_line
from landmarks.local.worker_process import checked_settings

if TYPE_CHECKING:
    from landmarks.cli.dead_letter_queue import DeadLetter
    from landmarks.local.demo_run import DemoRun
    from worker.settings import Settings

_FOOTNOTE: Final = (
    "score: how sure the person detector is, 0 to 1\n"
    "ms: from the start of the job to its landmarks, including waits"
)
_LABEL_CHARACTERS: Final = 14
_MAX_REMARKS: Final = 10  # of one kind; results.json has them all
_ALWAYS_SHOWN: Final = ("duplicates", "dead letters")


@click.command()
@click.option(
    "--images",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Your own photos, including subfolders, instead of the samples.",
)
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    default=Path("build/demo"),
    show_default=True,
    help="Folder for report, overlays, results.json and the worker's log.",
)
@MAX_PEOPLE
def demo(images: Path | None, output: Path) -> None:
    """Run the worker on this machine, without an AWS account.

    S3, SQS and DynamoDB are embedded and listen on the loopback interface only.
    The worker is the real one: its settings, such as MODEL_COMPLEXITY, are read
    from the environment.
    """
    settings, left_out = checked_settings(), 0
    with TemporaryDirectory() as folder, Progress() as progress:
        # moto takes a second to import, and without the extra --help works all the same.
        from landmarks.local.samples import folder_messages, sample_messages  # noqa: PLC0415

        if images:
            messages, left_out = folder_messages(images, output=output / "overlays")
        else:
            messages = sample_messages(Path(folder))
        progress.stage("Starting S3, SQS and DynamoDB")
        from landmarks.local.demo_run import run_demo  # noqa: PLC0415, as above

        run = run_demo(messages, output, progress)
    _print(Console(), run, settings, left_out)
    if run.without_result:
        log = run.files["worker's log"]
        raise click.ClickException(f"not every photo has a result: {log} says why")


def _print(console: Console, run: "DemoRun", settings: "Settings", left_out: int) -> None:
    photos = counted(len(run.results) + len(run.without_result), "photo")
    messages = counted(run.messages, "message")
    model = f"MediaPipe {version('mediapipe')}, model complexity {settings.model.model_complexity}"
    detectors = f"{counted(settings.detectors, 'detector')}, their start included"
    console.print(Text(f"{photos} and {messages}, done in {run.seconds:.1f} s", "bold"))
    console.print(Text(f"{model}, {detectors}\n", "dim"))
    console.print(_table(run))
    console.print(Text(f"\n{_FOOTNOTE}\n", "dim"))
    console.print(_remarks(run, left_out))
    console.print()
    for label, path in run.files.items():
        link = Text(one_line(str(path)), Style(link=path.resolve().as_uri()))
        console.print(_label(label) + link, soft_wrap=True)  # in one piece, to be copied


def _table(run: "DemoRun") -> Table:
    table = result_table("key")
    rows = [(result.key, result_cells(result)) for result in run.results]
    rows += [(key, (Text("no result", "red"),)) for key in run.without_result]
    for key, cells in sorted(rows, key=lambda row: row[0]):
        table.add_row(Text(one_line(key)), *cells)
    return table


def _remarks(run: "DemoRun", left_out: int) -> Table:
    """What the table does not say, under labels."""
    others = [(f"{counted(left_out, 'file')} not named like images", "")]
    remarks = {
        "failed": [(r.key, r.error_message or "") for r in run.results if r.error_code],
        "duplicates": [(job["key"], "") for job in run.duplicates],
        "dead letters": [(letter.body, _reason(letter)) for letter in run.dead_letters],
        "not drawn": list(run.not_drawn.items()),
        "left out": others if left_out else [],
    }
    grid = Table.grid()
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for label, pairs in remarks.items():
        if pairs or label in _ALWAYS_SHOWN:
            for number, line in enumerate(_lines(pairs)):
                grid.add_row(_label("" if number else label), line)
    return grid


def _lines(remarks: list[tuple[str, str]]) -> Iterator[Text]:
    """What each remark is about, and the reason below it."""
    for about, reason in remarks[:_MAX_REMARKS]:
        yield Text(one_line(about))
        if reason:
            yield Text(one_line(reason), "dim")
    if len(remarks) > _MAX_REMARKS:
        yield Text(f"... and {len(remarks) - _MAX_REMARKS} more", "dim")
    if not remarks:
        yield Text("none", "dim")


def _reason(letter: "DeadLetter") -> str:
    if letter.error_code:
        return f"{letter.error_code}: {letter.error_message}"
    return "received too often without success"


def _label(text: str) -> Text:
    return Text(text.ljust(_LABEL_CHARACTERS), "bold")
