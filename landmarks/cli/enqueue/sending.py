"""Jobs into the queue, with progress, a summary and an exit status: as all commands do it."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from landmarks.cli.terminal import SIGNAL_STATUS

if TYPE_CHECKING:
    from landmarks.cli.enqueue.delivery import Sender
    from landmarks.cli.enqueue.run import Files, Order
    from landmarks.cli.enqueue.state import Interruption, State, Tally


@dataclass(frozen=True)
class Sending:
    """Where jobs go, and how.

    Attributes:
        queue_url: of the queue.
        concurrency: batches in flight.
        delay_seconds: how long SQS keeps them back.
        uploads: whether files go to S3 first.
        resumable: whether a stopped run can go on.
        state_file: where its state is kept; None keeps it only if it is stopped.
        unsent_file: where the list of the unsent goes; None has a name made.
        counted: whether the sources may be read a second time, for a bar with an end.
    """

    queue_url: str
    concurrency: int = 8
    delay_seconds: int = 0
    uploads: bool = False
    resumable: bool = False
    state_file: Path | None = None
    unsent_file: Path | None = None
    counted: bool = False

    def send(self, order: "Order") -> int:
        """Send everything, say what became of it, and return the exit status."""
        from landmarks.cli.enqueue.run import Files, begin  # noqa: PLC0415, the same
        from landmarks.cli.enqueue.state import Interruption  # noqa: PLC0415

        stamp = time.strftime("%Y%m%d-%H%M%S")
        unsent = self.unsent_file or Path(f"landmarks-unsent-{stamp}.jsonl")
        files = Files(self.state_file, unsent)
        state, interruption = begin(order, files), Interruption()
        if state.finished:
            click.echo(f"{self.state_file}: nothing is left of that run", err=True)
            return _status(state, interruption)
        began_at, before = time.monotonic(), replace(state.tally)
        try:
            with interruption.watched():
                self._run(order, files, state, interruption)
        finally:
            if _has_something_to_say(state, before, interruption):
                _summarise(state, before.sent, time.monotonic() - began_at)
                self._keep(state, stamp)
        return _status(state, interruption)

    def _run(
        self, order: "Order", files: "Files", state: "State", interruption: "Interruption"
    ) -> None:
        from rich.console import Console  # noqa: PLC0415, --help needs none of it

        from landmarks.cli.enqueue.run import enqueue  # noqa: PLC0415, the same
        from landmarks.cli.progress import Progress  # noqa: PLC0415, the same

        console = Console(stderr=True)
        with Progress("Enqueueing", "sent", done=state.tally.sent, console=console) as progress:
            if console.is_terminal and self.counted:
                _count_ahead(order, state, interruption, lambda total: progress.update(total=total))
            enqueue(
                order,
                files,
                state,
                self._sender(interruption),
                interruption,
                concurrency=self.concurrency,
                on_progress=lambda tally: progress.update(tally.sent),
            )

    def _sender(self, interruption: "Interruption") -> "Sender":
        import boto3  # noqa: PLC0415, --help needs none of it

        from landmarks.cli.enqueue import delivery as sending  # noqa: PLC0415, the same
        from landmarks.cli.options import queue_client  # noqa: PLC0415, the same

        config = sending.client_config(self.concurrency)
        sqs = queue_client(self.queue_url, config)
        upload = sending.uploader(boto3.client("s3", config=config)) if self.uploads else None
        return sending.Sender(sqs, self.queue_url, interruption.stopped, self.delay_seconds, upload)

    def _keep(self, state: "State", stamp: str) -> None:
        """Keep what a next run has to know."""
        if state.finished:
            return
        if not self.resumable:
            click.echo("Stopped before the end: the rest was not sent.", err=True)
            return
        file = self.state_file or Path(f"landmarks-enqueue-{stamp}.json")
        state.save(file)
        click.echo(f"Repeat the command with --resume {file} to go on where it stopped.", err=True)


def _has_something_to_say(state: "State", before: "Tally", interruption: "Interruption") -> bool:
    """Where an error ended a run before anything was sent, that error says it all."""
    return state.finished or interruption.signal is not None or state.tally != before


def _summarise(state: "State", sent_before: int, seconds: float) -> None:
    tally = state.tally
    sent = tally.sent - sent_before
    rate = f", {sent / seconds:,.0f}/s" if seconds and sent else ""
    earlier = f", {tally.sent:,} with earlier runs" if sent_before else ""
    lines = [f"{sent:,} sent in {seconds:,.1f} s{rate}{earlier}"]
    lines += leftover_lines(tally.left_out, tally.refused)
    if tally.refused:
        lines.append(f"the unsent, with reasons: {state.unsent}")
        lines.append(f"once mended: landmarks enqueue - < {state.unsent}")
    for line in lines:
        click.echo(line, err=True)


def leftover_lines(left_out: int, refused: int) -> list[str]:
    """What is not sent, if there is such."""
    lines = [f"{left_out:,} left out by --suffix or --since"] if left_out else []
    return [*lines, f"{refused:,} can't be sent"] if refused else lines


def _status(state: "State", interruption: "Interruption") -> int:
    if interruption.signal and not state.finished:
        return SIGNAL_STATUS + interruption.signal
    return int(state.tally.refused > 0 or not state.finished)


def _count_ahead(
    order: "Order", state: "State", interruption: "Interruption", tell: Callable[[int], None]
) -> None:
    """Read the sources a second time, so that the bar knows how much is left."""
    import threading  # noqa: PLC0415, --help needs none of it

    from landmarks.cli.enqueue.run import count_left  # noqa: PLC0415, the same

    start, known = state.position, state.tally.sent + len(state.pending)

    def count() -> None:
        left = count_left(order, start, state.since, interruption.stopped)
        if left is not None:
            tell(known + left)

    threading.Thread(target=count, name="count-ahead", daemon=True).start()
