"""The command line of `landmarks enqueue`."""

import json
import sys
from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, TypeAlias

import click
from click.shell_completion import CompletionItem
from rich.filesize import decimal

from landmarks.cli.atomic import refuse_existing
from landmarks.cli.enqueue.estimate import cost_lines, count, listing_line, upload_line
from landmarks.cli.enqueue.messages import Jobs, Unsent
from landmarks.cli.enqueue.run import REASONS_SHOWN, Run, print_not_sent, run_in_terminal
from landmarks.cli.enqueue.s3_sources import InventorySource, S3Source, listing_client
from landmarks.cli.enqueue.sources import FileSource, LineSource, Source
from landmarks.cli.enqueue.state import State
from landmarks.cli.options import (
    QUEUE_URL,
    Duration,
    S3Place,
    is_fifo,
    require_queue_url,
    stack_options,
)
from landmarks.job import IMAGE_SUFFIXES

_MAX_DELAY_SECONDS: Final = 900
_MAX_JOB_ID_CHARACTERS: Final = 256

_FILE: Final = click.Path(dir_okay=False, path_type=Path)
_Since: TypeAlias = datetime | timedelta


class _SinceType(click.ParamType[_Since]):
    """A date such as 2026-01-31, or a duration before now."""

    name = "date or duration"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> _Since:
        """Parse an ISO 8601 date, in UTC by default, or a duration."""
        text = str(value)
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            pass
        else:
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        try:
            return Duration().convert(text, param, ctx)
        except click.BadParameter as error:
            self.fail(f"{error.message}, or a date such as 2026-01-31", param, ctx)


@dataclass(frozen=True)
class _Options:
    """The parsed command line."""

    sources: tuple[str, ...]
    queue_url: str | None
    bucket: str | None
    inventory: bool
    upload: str | None
    suffix: tuple[str, ...]
    all_suffixes: bool
    since: _Since | None
    job_id: str | None
    force: bool
    delay: int
    concurrency: int
    dry_run: bool
    resume: Path | None
    unsent: Path | None

    @property
    def fifo(self) -> bool:
        """Whether the queue is a FIFO queue."""
        return is_fifo(self.queue_url or "")

    def check(self) -> None:
        """Check for options that contradict each other.

        Raises:
            UsageError: some do.
        """
        paths = [text for text in self.sources if text != "-" and not text.startswith("s3://")]
        lines = "-" in self.sources
        refusals = {
            "--inventory and --upload can't be combined": self.inventory and self.upload,
            "--suffix and --all-suffixes can't be combined": self.suffix and self.all_suffixes,
            "--dry-run and --resume can't be combined": self.dry_run and self.resume,
            "--delay: FIFO queues can't delay single messages": self.delay and self.fifo,
            "- can be given only once": self.sources.count("-") > 1,
            "--since can't be combined with -, because lines have no dates": self.since and lines,
            "--inventory needs s3:// URLs": self.inventory and (paths or lines),
            "--upload needs files or folders": self.upload and len(paths) < len(self.sources),
            f"--job-id: more than {_MAX_JOB_ID_CHARACTERS} characters": (
                len(self.job_id or "") > _MAX_JOB_ID_CHARACTERS
            ),
            f"{', '.join(paths)}: not an s3:// URL; files and folders need --upload": (
                paths and not self.upload and not self.inventory
            ),
        }
        for words, refused in refusals.items():
            if refused:
                raise click.UsageError(words)

    def jobs(self) -> Jobs:
        """Return the jobs to send; the sources are read later."""
        since = datetime.now(UTC) - self.since if isinstance(self.since, timedelta) else self.since
        suffixes = tuple(
            text.lower() if "." in text else f".{text.lower()}" for text in self.suffix
        )
        return Jobs(
            self._sources(),
            suffixes=() if self.all_suffixes else suffixes or IMAGE_SUFFIXES,
            since=since,
            job_id=self.job_id,
            force=self.force,
        )

    def _sources(self) -> list[Source]:
        if self.sources == ("-",):
            return [LineSource(sys.stdin.buffer, self.bucket)]
        if self.upload:
            destination = S3Place().convert(self.upload, None, None)
            return [FileSource(Path(text), destination) for text in self.sources]
        s3, place = listing_client(), S3Place()
        s3_source = InventorySource if self.inventory else S3Source
        return [
            LineSource(sys.stdin.buffer, self.bucket)
            if text == "-"
            else s3_source(s3, place.convert(text, None, None))
            for text in self.sources
        ]

    def run(self) -> Run:
        """Return a new run, or the one to resume from the state file."""
        queue_url, jobs = require_queue_url(self.queue_url), self.jobs()
        arguments = self._identity()
        state = State.load(self.resume, arguments) if self.resume else None
        if state:
            jobs = replace(jobs, since=datetime.fromisoformat(state.since) if state.since else None)
        else:
            if self.unsent:  # only a resumed run adds to its list
                refuse_existing([self.unsent], "use another name, or delete it")
            since = jobs.since.isoformat() if jobs.since else None
            state = State(arguments, since, str(self.unsent) if self.unsent else None)
        return Run(
            jobs,
            queue_url,
            upload=self.upload is not None,
            delay_seconds=self.delay,
            concurrency=self.concurrency,
            state=state,
            state_file=self.resume,
        )

    def _identity(self) -> dict[str, object]:
        """Return the options that determine what is sent where, to match them with a state file."""
        others = {"concurrency", "dry_run", "resume", "unsent"}
        fields = {name: value for name, value in vars(self).items() if name not in others}
        identity: dict[str, object] = json.loads(json.dumps(fields, default=str))
        return identity


def _complete_source(
    _: click.Context, __: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete files and folders, which are sources with --upload."""
    return [] if incomplete.startswith("s3:") else [CompletionItem(incomplete, type="file")]


@click.command()
@click.argument(
    "sources", nargs=-1, required=True, metavar="SOURCE...", shell_complete=_complete_source
)
@click.option(
    "--bucket", metavar="NAME", help="Bucket for lines without one (default: the worker's)."
)
@click.option("--inventory", is_flag=True, help="SOURCE is the manifest.json of an S3 Inventory.")
@click.option(
    "--upload", metavar="S3_URL", help="SOURCE is a file or folder: upload it here first."
)
@click.option(
    "--suffix", multiple=True, metavar="SUFFIX", help="Only keys with this ending; repeatable."
)
@click.option(
    "--all-suffixes", is_flag=True, help=f"All keys, not only {' '.join(IMAGE_SUFFIXES)}."
)
@click.option(
    "--since",
    type=_SinceType(),
    metavar="WHEN",
    help="Only objects modified since a date (2026-01-31) or within a duration (12h, 7d, 2w).",
)
@click.option("--job-id", metavar="TEXT", help="Text to store with each result.")
@click.option("--force", is_flag=True, help="Process objects again even if they are already done.")
@click.option(
    "--delay",
    type=click.IntRange(0, _MAX_DELAY_SECONDS),
    default=0,
    metavar="SECONDS",
    help="Delay delivery of every message; at most 900.",
)
@click.option(
    "--concurrency",
    type=click.IntRange(1, 64),
    default=8,
    show_default=True,
    metavar="COUNT",
    help="Batches to send in parallel.",
)
@click.option("--dry-run", is_flag=True, help="Count and estimate the cost, but send nothing.")
@click.option(
    "--resume", type=_FILE, metavar="FILE", help="Save progress to FILE, or continue from it."
)
@click.option(
    "--unsent", type=_FILE, metavar="FILE", help="List objects that were not sent in FILE."
)
@stack_options(QUEUE_URL)
def enqueue(**values: object) -> None:
    """Send jobs for existing objects to the queue.

    SOURCE is s3://bucket/key for one object, s3://bucket/folder for everything below it,
    's3://bucket/prefix*' for all keys that start with a prefix, or - for standard input with
    a key, S3 URL or JSON job on each line. With --upload, it is a local file or folder.

    \b
      landmarks enqueue s3://my-photos/2026 --since 7d
      landmarks enqueue ./photos --upload s3://my-photos/new
      landmarks enqueue s3://my-photos --resume run.json

    Exits with 0 if everything was sent, 1 if something was not, and 130 or 143 if interrupted.
    """  # noqa: D301, \b is click's
    options = _Options(**values)  # type: ignore[arg-type]  # click checks the types
    options.check()
    if options.dry_run:
        sys.exit(_print_estimate(options))
    run = options.run()
    if run.state.finished:
        click.echo(f"{options.resume}: this run is already finished", err=True)
        sys.exit(int(run.state.totals.unsent > 0))
    sys.exit(run_in_terminal(run, countable="-" not in options.sources, resumable=True))


def _print_estimate(options: _Options) -> int:
    """Print what would be sent and what that costs; return the exit status."""
    reasons: list[Unsent] = []
    counts: Counter[str] = Counter()
    for batch in options.jobs().batches():
        reasons += batch.unsent[: REASONS_SHOWN - len(reasons)]
        counts.update(count(batch))
    of_objects = f", for objects of {decimal(counts['object_bytes'])}"
    click.echo(
        f"{counts['messages']:,} messages, {decimal(counts['bytes'])}"
        + (of_objects if counts["object_bytes"] else "")
    )
    print_not_sent(counts["skipped"], counts["archived"], counts["unsent"], reasons)
    others = []
    if any(text.startswith("s3://") for text in options.sources) and not options.inventory:
        others.append(listing_line(counts))
    if uploads := counts["uploads"]:
        others.append(upload_line(uploads))
    for line in cost_lines(counts, fifo=options.fifo, others=others):
        click.echo(line)
    return int(counts["unsent"] > 0)
