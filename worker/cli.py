"""The `landmarks` command. The only file that knows click."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from io import TextIOWrapper
from pathlib import Path
from typing import Final

try:
    import click
except ModuleNotFoundError:
    sys.exit("landmarks: click is not installed: pip install 'landmark-worker[cli]'")

from worker.errors import LandmarkError

_DISTRIBUTION: Final = "landmark-worker"
_FOLDER: Final = click.Path(file_okay=False, path_type=Path)
_EXISTING_FOLDER: Final = click.Path(exists=True, file_okay=False, path_type=Path)

_LINE_CHARACTERS: Final = 300

# What a shell says of a command that a signal has ended.
_SIGNAL_STATUS: Final = 128


def _version() -> str:
    try:
        return version(_DISTRIBUTION)
    except PackageNotFoundError:
        return "unknown (not installed)"


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(_version(), prog_name="landmarks")
def landmarks() -> None:
    """Photographs in, body, face and hand landmarks out."""


@landmarks.command()
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
    help="Where overlays, results.json and the worker's log go.",
)
def demo(images: Path | None, output: Path) -> None:
    """Run the worker on this machine, without an AWS account.

    S3, SQS and DynamoDB are embedded and listen on the loopback interface only.
    The worker is the real one: its settings, such as MODEL_COMPLEXITY, are read
    from the environment.
    """
    _end_orderly()
    _print_anything()
    try:
        _run_demo(images, output)
    except ModuleNotFoundError as error:
        raise click.ClickException(
            f"{error.name} is not installed: pip install '{_DISTRIBUTION}[worker,cli,local]'"
        ) from error
    except LandmarkError as error:
        raise click.ClickException(str(error)) from error
    except BrokenPipeError:
        raise
    except OSError as error:
        if error.filename is None:
            raise
        raise click.ClickException(f"{error.filename}: {error.strerror}") from error
    except KeyboardInterrupt:
        click.echo("Stopped.", err=True)
        sys.exit(_SIGNAL_STATUS + signal.SIGINT)


def _run_demo(images: Path | None, output: Path) -> None:
    # Imported late: --help needs none of it, and the embedded services alone take a second.
    from rich.console import Console  # noqa: PLC0415

    from worker.local.checks import checked_settings  # noqa: PLC0415
    from worker.local.output import DemoFiles  # noqa: PLC0415
    from worker.local.photos import folder_photos, samples  # noqa: PLC0415
    from worker.local.progress import ConsoleProgress  # noqa: PLC0415

    settings, files = checked_settings(), DemoFiles(output)
    assignment = folder_photos(images, except_below=files.overlays) if images else samples()
    with ConsoleProgress(Console(stderr=True)) as progress:
        progress.stage("Starting S3, SQS and DynamoDB")
        from worker.local.demo import run_demo  # noqa: PLC0415
        from worker.local.report import print_report  # noqa: PLC0415

        results = run_demo(assignment, files, settings, progress)
    print_report(Console(), results, files, left_out=assignment.left_out)
    if results.without_result:
        raise click.ClickException(f"not every photo has a result: {files.log} says why")


_DEAD_LETTER_QUEUE: Final = click.option(
    "--dead-letter-queue-url",
    envvar="DEAD_LETTER_QUEUE_URL",
    required=True,
    metavar="URL",
    help="The dead-letter queue.  [env: DEAD_LETTER_QUEUE_URL]",
)


@landmarks.group("dead-letters")
def dead_letters_group() -> None:
    """Messages that were given up: why, and back into the queue."""


@dead_letters_group.command("list")
@_DEAD_LETTER_QUEUE
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True)
def list_dead_letters(dead_letter_queue_url: str, limit: int) -> None:
    """Print dead letters with their reasons; they stay where they are."""
    import boto3  # noqa: PLC0415, --help needs none of it

    from worker.operations.dead_letters import dead_letters  # noqa: PLC0415

    count = 0
    with _aws_errors():
        for letter in dead_letters(boto3.client("sqs"), dead_letter_queue_url, limit):
            count += 1
            tries = f" after {letter.receive_count} tries" if letter.receive_count else ""
            reason = letter.error_message or "moved by SQS, which says no more"
            click.echo(f"{letter.message_id}  {letter.error_code or 'UNKNOWN'}{tries}")
            click.echo(f"  {_one_line(reason)}")
            click.echo(f"  {_one_line(letter.body)}")
    click.echo(f"{count} dead letter{'' if count == 1 else 's'}", err=True)


@dead_letters_group.command("redrive")
@_DEAD_LETTER_QUEUE
@click.option(
    "--queue-url",
    envvar="QUEUE_URL",
    required=True,
    metavar="URL",
    help="Where they go.  [env: QUEUE_URL]",
)
@click.option("--one-by-one", is_flag=True, help="For stand-ins of SQS that have no move task.")
def redrive_dead_letters(dead_letter_queue_url: str, queue_url: str, *, one_by_one: bool) -> None:
    """Bring all dead letters back into the queue, by SQS's own move task."""
    import boto3  # noqa: PLC0415, --help needs none of it

    from worker.operations.dead_letters import move_one_by_one, start_move  # noqa: PLC0415

    sqs = boto3.client("sqs")
    with _aws_errors():
        if one_by_one:
            moved = move_one_by_one(sqs, dead_letter_queue_url, queue_url)
            click.echo(f"{moved} brought back", err=True)
        else:
            handle = start_move(sqs, dead_letter_queue_url, queue_url)
            click.echo(f"SQS is bringing them back: move task {handle}", err=True)


@contextmanager
def _aws_errors() -> Iterator[None]:
    """One line instead of a traceback, for what AWS or the way to it refuses."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise click.ClickException(str(error)) from error


def _one_line(text: str) -> str:
    """Bounded, and nothing in it that a terminal would obey."""
    printable = "".join(c if c.isprintable() else " " for c in text)
    return printable if len(printable) <= _LINE_CHARACTERS else f"{printable[:_LINE_CHARACTERS]}…"


def _end_orderly() -> None:
    """Let SIGTERM and a closed terminal do what Ctrl-C does: stop what was started."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, lambda received, _: sys.exit(_SIGNAL_STATUS + received))


def _print_anything() -> None:
    """Have no terminal end the command with a character that it can't show."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")


def main() -> None:
    """Run the command; the entry point of the package."""
    landmarks(prog_name="landmarks")
