"""`landmarks enqueue`."""

import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from worker.commands.terminal import SIGNAL_STATUS, print_anything

if TYPE_CHECKING:
    from rich.console import Console

    from worker.operations.enqueue.interruption import Interruption
    from worker.operations.enqueue.run import Files, Order
    from worker.operations.enqueue.state import State

_FILE: Final = click.Path(dir_okay=False, path_type=Path)
_MAX_DELAY_SECONDS: Final = 900
_MAX_JOB_ID_CHARACTERS: Final = 256
_QUEUE_REGION: Final = re.compile(r"https://sqs\.([a-z0-9-]+)\.amazonaws\.com")


class _OrderRefused(click.ClickException):
    """Wrong usage, in one line."""

    exit_code = click.UsageError.exit_code


@dataclass(frozen=True)
class _Request:
    """The command line, as click hands it over."""

    sources: tuple[str, ...]
    queue_url: str | None
    bucket: str | None
    inventory: bool
    upload: str | None
    suffix: tuple[str, ...]
    all_suffixes: bool
    since: str | None
    job_id: str | None
    force: bool
    delay: int
    concurrency: int
    dry_run: bool
    resume: Path | None
    unsent: Path | None


@click.command()
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@click.option("--queue-url", envvar="QUEUE_URL", metavar="URL", help="The queue.  [env: QUEUE_URL]")
@click.option("--bucket", metavar="NAME", help="Of lines that name none; else the worker's own.")
@click.option("--inventory", is_flag=True, help="SOURCE is the manifest.json of an S3 Inventory.")
@click.option("--upload", metavar="S3_URL", help="SOURCE is a folder: upload its files first.")
@click.option("--suffix", multiple=True, metavar="SUFFIX", help="Only such keys; repeatable.")
@click.option("--all-suffixes", is_flag=True, help="Every key, not only .jpg .jpeg .png .webp.")
@click.option("--since", metavar="WHEN", help="Modified since: 2026-01-31, or 7d, 12h, 30m ago.")
@click.option("--job-id", metavar="TEXT", help="Stored with each result.")
@click.option("--force", is_flag=True, help="Have done ones processed again.")
@click.option(
    "--delay",
    type=click.IntRange(0, _MAX_DELAY_SECONDS),
    default=0,
    metavar="SECONDS",
    help="Have SQS keep the jobs back; at most 900.",
)
@click.option(
    "--concurrency",
    type=click.IntRange(1, 64),
    default=8,
    show_default=True,
    metavar="COUNT",
    help="Batches in flight.",
)
@click.option("--dry-run", is_flag=True, help="Count, estimate the cost, and send nothing.")
@click.option("--resume", type=_FILE, metavar="FILE", help="Keep track in FILE, and go on from it.")
@click.option("--unsent", type=_FILE, metavar="FILE", help="Where the list of the unsent goes.")
def enqueue(**options: object) -> None:
    """Send objects to the queue, as many as there are.

    SOURCE is s3://bucket/key for one object, s3://bucket/folder for all below it,
    's3://bucket/prefix*' for all keys that begin so, or - for standard input with a key,
    an S3 URL or a job as JSON on each line. With --upload it is a folder on this machine.

    \b
      landmarks enqueue s3://my-photos/2026 --since 7d
      landmarks enqueue ./photos --upload s3://my-photos/new
      landmarks enqueue s3://my-photos --resume run.json

    Ends with 0 if all was sent, 1 if something was not, 130 or 143 if interrupted.
    """  # noqa: D301, click's mark of a paragraph that is not to be wrapped
    print_anything()
    request = _Request(**options)  # type: ignore[arg-type]  # click has checked them
    _refuse_contradictions(request)
    with _one_line_errors():
        if request.dry_run:
            _estimate(request)
        else:
            sys.exit(_send(request))


def _refuse_contradictions(request: _Request) -> None:
    job_id_characters = len(request.job_id or "")
    folders = [text for text in request.sources if text != "-" and not text.startswith("s3://")]
    refusals = {
        "--queue-url or QUEUE_URL is missing": not request.queue_url and not request.dry_run,
        "--inventory and --upload exclude each other": request.inventory and request.upload,
        "--suffix and --all-suffixes exclude each other": request.suffix and request.all_suffixes,
        "--dry-run and --resume exclude each other": request.dry_run and request.resume,
        "- may stand once only": request.sources.count("-") > 1,
        "--inventory takes s3:// URLs": request.inventory and (folders or "-" in request.sources),
        "--upload takes folders": request.upload and len(folders) < len(request.sources),
        f"--job-id: more than {_MAX_JOB_ID_CHARACTERS} characters": (
            job_id_characters > _MAX_JOB_ID_CHARACTERS
        ),
        "; ".join(f"{text}: no s3:// URL; a folder needs --upload" for text in folders): (
            folders and not request.upload and not request.inventory
        ),
    }
    for words, refused in refusals.items():
        if refused:
            raise click.UsageError(words)


@contextmanager
def _one_line_errors() -> Iterator[None]:
    """What S3, SQS, a file or a source refuses, in one line."""
    from boto3.exceptions import Boto3Error  # noqa: PLC0415, --help needs none of it
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415, the same

    from worker.commands.enqueue_words import explain  # noqa: PLC0415, the same
    from worker.errors import LandmarkError  # noqa: PLC0415, the same
    from worker.operations.enqueue.entries import OrderError  # noqa: PLC0415, the same

    try:
        yield
    except BrokenPipeError:
        raise
    except KeyboardInterrupt:
        click.echo("Stopped at once.", err=True)
        sys.exit(SIGNAL_STATUS + signal.SIGINT)
    except OrderError as error:
        raise _OrderRefused(str(error)) from error
    except (LandmarkError, BotoCoreError, ClientError, Boto3Error, OSError) as error:
        raise click.ClickException(explain(error)) from error


def _order(request: _Request) -> "Order":
    """What is asked for, with what it takes to read it."""
    from worker.operations.enqueue import selection  # noqa: PLC0415, --help needs none of it
    from worker.operations.enqueue.batches import JobOptions  # noqa: PLC0415, the same
    from worker.operations.enqueue.listing import listing_client  # noqa: PLC0415, the same
    from worker.operations.enqueue.run import Order  # noqa: PLC0415, the same
    from worker.operations.enqueue.sources import open_source  # noqa: PLC0415, the same

    s3 = listing_client() if request.sources != ("-",) else None
    sources = [
        open_source(text, s3, request.upload, request.bucket, inventory=request.inventory)
        for text in request.sources
    ]
    suffixes = selection.suffixes_of(request.suffix) or selection.IMAGE_SUFFIXES
    return Order(
        sources=sources,
        arguments=_arguments(request),
        suffixes=() if request.all_suffixes else suffixes,
        since=request.since,
        options=JobOptions(request.job_id, request.force),
    )


def _arguments(request: _Request) -> dict[str, object]:
    """What a state file belongs to: everything that changes which messages go where."""
    return {
        "sources": list(request.sources),
        "queue_url": request.queue_url,
        "bucket": request.bucket,
        "inventory": request.inventory,
        "upload": request.upload,
        "suffix": list(request.suffix),
        "all_suffixes": request.all_suffixes,
        "since": request.since,
        "job_id": request.job_id,
        "force": request.force,
        "delay": request.delay,
    }


def _estimate(request: _Request) -> None:
    from worker.commands.enqueue_words import estimate_lines  # noqa: PLC0415, --help needs it not

    listed = not request.inventory and not request.upload and request.sources != ("-",)
    for line in estimate_lines(_order(request).estimate(), listed=listed):
        click.echo(line)


def _send(request: _Request) -> int:
    """Send everything, say what became of it, and return the exit status."""
    from rich.console import Console  # noqa: PLC0415, --help needs none of it

    from worker.operations.enqueue.interruption import Interruption  # noqa: PLC0415, the same
    from worker.operations.enqueue.run import Files, begin  # noqa: PLC0415, the same

    order, stamp = _order(request), time.strftime("%Y%m%d-%H%M%S")
    files = Files(request.resume, request.unsent or Path(f"landmarks-unsent-{stamp}.jsonl"))
    state, interruption = begin(order, files), Interruption()
    if state.finished:
        click.echo(f"{request.resume}: nothing is left of that run", err=True)
        return _status(state, interruption)
    began_at, tally_before = time.monotonic(), replace(state.tally)
    try:
        with interruption.watched():
            _run(request, order, files, state, interruption, Console(stderr=True))
    finally:
        if interruption.signal or state.tally != tally_before:
            _report(state, tally_before.sent, time.monotonic() - began_at, request.resume, stamp)
    return _status(state, interruption)


def _report(
    state: "State", sent_before: int, seconds: float, state_file: Path | None, stamp: str
) -> None:
    """Sum up, and keep what a next run has to know."""
    from worker.commands.enqueue_words import (  # noqa: PLC0415, --help needs none of it
        resume_hint,
        summary_lines,
    )

    for line in summary_lines(state, sent_before, seconds):
        click.echo(line, err=True)
    if not state.finished:
        state_file = state_file or Path(f"landmarks-enqueue-{stamp}.json")
        state.save(state_file)
        click.echo(resume_hint(state_file), err=True)


def _status(state: "State", interruption: "Interruption") -> int:
    if interruption.signal and not state.finished:
        return SIGNAL_STATUS + interruption.signal
    return int(state.tally.refused > 0 or not state.finished)


def _run(
    request: _Request,
    order: "Order",
    files: "Files",
    state: "State",
    interruption: "Interruption",
    console: "Console",
) -> None:
    import boto3  # noqa: PLC0415, --help needs none of it

    from worker.commands.enqueue_progress import EnqueueProgress  # noqa: PLC0415, the same
    from worker.operations.enqueue import run, sending  # noqa: PLC0415, the same

    queue_url = request.queue_url or ""
    region = _QUEUE_REGION.match(queue_url)
    config = sending.client_config(request.concurrency)
    sqs = boto3.client("sqs", region_name=region[1] if region else None, config=config)
    upload = sending.uploader(boto3.client("s3", config=config)) if request.upload else None
    sender = sending.Sender(sqs, queue_url, interruption.stopped, request.delay, upload)
    with EnqueueProgress(console, state.tally.sent) as progress:
        if console.is_terminal and "-" not in request.sources:
            _count_ahead(order, state, interruption, progress.total)
        run.enqueue(
            order,
            files,
            state,
            sender,
            interruption,
            concurrency=request.concurrency,
            on_progress=progress.reached,
        )


def _count_ahead(
    order: "Order", state: "State", interruption: "Interruption", tell: Callable[[int], None]
) -> None:
    """Read the sources a second time, so that the bar knows how much is left."""
    import threading  # noqa: PLC0415, --help needs none of it

    from worker.operations.enqueue.run import count_left  # noqa: PLC0415, the same

    start, known = state.position, state.tally.sent + len(state.pending)

    def count() -> None:
        left = count_left(order, start, state.since, interruption.stopped)
        if left is not None:
            tell(known + left)

    threading.Thread(target=count, name="count-ahead", daemon=True).start()
