"""`landmarks enqueue`."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from landmarks.cli.enqueue.estimate import PRICES_OF, Estimate
from landmarks.cli.enqueue.sending import Sending, leftover_lines
from landmarks.cli.options import TARGET_QUEUE_URL, require_queue_url, stack_options

if TYPE_CHECKING:
    from landmarks.cli.enqueue.run import Order

_FILE: Final = click.Path(dir_okay=False, path_type=Path)


_MAX_DELAY_SECONDS: Final = 900


_MAX_JOB_ID_CHARACTERS: Final = 256


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
@click.option("--bucket", metavar="NAME", help="Of lines that name none; else the worker's own.")
@click.option("--inventory", is_flag=True, help="SOURCE is the manifest.json of an S3 Inventory.")
@click.option("--upload", metavar="S3_URL", help="SOURCE is a folder: upload its files first.")
@click.option("--suffix", multiple=True, metavar="SUFFIX", help="Only keys ending so; repeatable.")
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
@stack_options(TARGET_QUEUE_URL)
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
    request = _Request(**options)  # type: ignore[arg-type]  # click has checked them
    _refuse_contradictions(request)
    if request.dry_run:
        _print_estimate(request)
    else:
        sys.exit(_sending(request).send(_order(request)))


def _refuse_contradictions(request: _Request) -> None:
    job_id_characters = len(request.job_id or "")
    folders = [text for text in request.sources if text != "-" and not text.startswith("s3://")]
    refusals = {
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


def _order(request: _Request) -> "Order":
    """What is asked for, with what it takes to read it."""
    from landmarks.cli.enqueue import entries as selection  # noqa: PLC0415, --help needs none of it
    from landmarks.cli.enqueue.batches import JobOptions  # noqa: PLC0415, the same
    from landmarks.cli.enqueue.run import Order  # noqa: PLC0415, the same
    from landmarks.cli.enqueue.s3_sources import listing_client  # noqa: PLC0415, the same
    from landmarks.cli.enqueue.sources import open_source  # noqa: PLC0415, the same

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


def _print_estimate(request: _Request) -> None:
    from landmarks.cli.enqueue.command import estimate_lines  # noqa: PLC0415, --help needs it not

    listed = not request.inventory and not request.upload and request.sources != ("-",)
    for line in estimate_lines(_order(request).estimate(), listed=listed):
        click.echo(line)


def _sending(request: _Request) -> Sending:
    return Sending(
        require_queue_url(request.queue_url),
        concurrency=request.concurrency,
        delay_seconds=request.delay,
        uploads=request.upload is not None,
        resumable=True,
        state_file=request.resume,
        unsent_file=request.unsent,
        counted="-" not in request.sources,
    )


_UNITS: Final = ("bytes", "kB", "MB", "GB", "TB", "PB")


_STEP: Final = 1000


def estimate_lines(estimate: Estimate, *, listed: bool) -> list[str]:
    """What a run would send and cost."""
    lines = [
        f"{estimate.messages:,} messages, {_size(estimate.message_bytes)}"
        + (f", about objects of {_size(estimate.object_bytes)}" if estimate.object_bytes else ""),
        *leftover_lines(estimate.left_out, estimate.refused),
        f"SQS requests to send them: {estimate.sqs_requests:,}, {_dollars(estimate.sqs_dollars)}",
    ]
    if listed:
        lines.append(f"listing once: {_dollars(estimate.listing_dollars())}")
    if estimate.uploads:
        lines.append(f"uploads: {estimate.uploads:,}, {_dollars(estimate.upload_dollars)}")
    return [
        *lines,
        f"List prices of {PRICES_OF}, without free tiers. Not included: whatever the worker does",
        "with them (SQS receives and deletes, Lambda, S3 reads, DynamoDB writes), storage,",
        "encryption keys and data transfer.",
    ]


def _size(count: float) -> str:
    """Bytes, rounded for people."""
    for unit in _UNITS:
        if count < _STEP or unit == _UNITS[-1]:
            break
        count /= _STEP
    return f"{count:,.0f} {unit}" if unit == _UNITS[0] else f"{count:,.1f} {unit}"


def _dollars(amount: float) -> str:
    return f"${amount:,.2f}" if amount >= 1 or amount == 0 else f"${amount:.7f}".rstrip("0")
