"""A resumable run that sends jobs from several threads, with a progress bar and a summary."""

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Final

import boto3
import click
from rich.console import Console

from landmarks.cli.connection import same_connection
from landmarks.cli.enqueue.messages import Batch, Jobs, Position, Unsent, batched
from landmarks.cli.enqueue.sending import Receipt, Sender, client_config
from landmarks.cli.enqueue.state import InterruptedReadingError, Interruption, State, Totals
from landmarks.cli.options import queue_client
from landmarks.cli.progress import Progress
from landmarks.cli.terminal import SIGNAL_STATUS, one_line

# Keeps the other threads busy while one batch is slow.
_BATCHES_PER_THREAD: Final = 2
REASONS_SHOWN: Final = 5


def _ignore(_: Totals) -> None:
    """Show no progress."""


@dataclass
class Run:
    """Sends jobs to a queue: `Run(Jobs([source]), queue_url).send()`.

    Attributes:
        jobs: the jobs to send.
        queue_url: URL of the queue.
        upload: whether to upload files first.
        delay_seconds: how long SQS delays delivery.
        concurrency: number of sending threads.
        state: where to start, and the progress so far.
        state_file: where to save the state after each batch.
        on_progress: called after each batch.
        interruption: stops the run early; an error also sets it.
        reasons: the first few entries that were not sent.
        error: the error that ended the run.
    """

    jobs: Jobs
    queue_url: str
    upload: bool = False
    delay_seconds: int = 0
    concurrency: int = 8
    state: State = field(default_factory=State)
    state_file: Path | None = None
    on_progress: Callable[[Totals], None] = _ignore
    interruption: Interruption = field(default_factory=Interruption, init=False)
    reasons: list[Unsent] = field(default_factory=list, init=False)
    error: Exception | None = field(default=None, init=False)

    def send(self) -> Totals:
        """Send everything. `state` reflects what was done, even after an error.

        Raises:
            SourceError: a source can't be read.
            Exception: an error of S3, SQS or the network that prevents sending any more.
        """
        self._save()
        sender, state = self._sender(), self.state
        batches = chain(
            batched(tuple(state.pending), state.position), self.jobs.batches(state.position)
        )
        in_flight: deque[tuple[Batch, Future[Receipt]]] = deque()
        with ThreadPoolExecutor(self.concurrency, "sender") as threads:
            try:
                while batch := self._next(batches):
                    in_flight.append((batch, threads.submit(sender.send, batch.messages)))
                    self._collect(in_flight, leave=self.concurrency * _BATCHES_PER_THREAD - 1)
                complete = not self.interruption.stopped.is_set()
            finally:
                self._collect(in_flight, leave=0)
        if self.error:
            raise self.error
        state.finished = complete and not state.pending
        self._save()
        return state.totals

    def _sender(self) -> Sender:
        config = client_config(self.concurrency)
        return Sender(
            queue_client(self.queue_url, config),
            self.queue_url,
            self.interruption.stopped,
            boto3.client("s3", config=config) if self.upload else None,
            self.delay_seconds,
            self.state.run_id,
        )

    def _next(self, batches: Iterator[Batch]) -> Batch | None:
        try:
            with self.interruption.reading():
                return next(batches, None)
        except InterruptedReadingError:
            return None

    def _collect(self, in_flight: deque[tuple[Batch, Future[Receipt]]], leave: int) -> None:
        """Record finished batches, and wait until at most `leave` are in flight."""
        while in_flight and (len(in_flight) > leave or in_flight[0][1].done()):
            batch, future = in_flight.popleft()
            self._account(batch, future.result())

    def _account(self, batch: Batch, receipt: Receipt) -> None:
        unsent = batch.unsent + receipt.unsent
        self._list(unsent)  # before saving the state, so that none is lost in a crash
        if receipt.error and not self.error:
            self.error = receipt.error
            self.interruption.stopped.set()
        state, totals = self.state, self.state.totals
        state.position = batch.position
        done = {id(message) for message in batch.messages}
        state.pending = [message for message in state.pending if id(message) not in done]
        state.pending += receipt.pending
        totals.sent += receipt.sent
        totals.unsent += len(unsent)
        totals.skipped += batch.skipped
        totals.archived += batch.archived
        self._save()
        self.on_progress(totals)

    def _save(self) -> None:
        if self.state_file:
            self.state.save(self.state_file)

    def _list(self, unsent: Sequence[Unsent]) -> None:
        """Append to the list of unsent entries, which `landmarks enqueue -` can read."""
        self.reasons += unsent[: REASONS_SHOWN - len(self.reasons)]
        if unsent and self.state.unsent:
            with Path(self.state.unsent).open("a", encoding="utf-8") as file:
                file.writelines(f"{_as_json(text, reason)}\n" for text, reason in unsent)


def _as_json(text: str, reason: str) -> str:
    fields: object = None
    with suppress(ValueError, RecursionError):
        fields = json.loads(text)
    job = fields if isinstance(fields, dict) else {"line": text}
    return json.dumps(job | {"error": reason})


def run_in_terminal(run: Run, *, countable: bool = False, resumable: bool = False) -> int:
    """Send with a progress bar and a summary on standard error; return the exit status.

    Args:
        run: the run to send.
        countable: whether the sources can be read a second time to determine the total.
        resumable: whether to leave a state file if the run stops early.
    """
    state, before, started_at = run.state, replace(run.state.totals), time.monotonic()
    state.unsent = state.unsent or time.strftime("landmarks-unsent-%Y%m%d-%H%M%S.jsonl")
    try:
        with run.interruption.watched():
            _send_with_bar(run, countable=countable)
    finally:
        # If nothing was sent, only the error is shown.
        if state.finished or run.interruption.signal or state.totals != before:
            _print_summary(run, before.sent, time.monotonic() - started_at)
            if not state.finished:
                _print_how_to_continue(run, resumable=resumable)
    if run.interruption.signal and not state.finished:
        return SIGNAL_STATUS + run.interruption.signal
    return int(state.totals.unsent > 0 or not state.finished)


def _send_with_bar(run: Run, *, countable: bool) -> None:
    console, sent = Console(stderr=True), run.state.totals.sent
    with Progress("Enqueueing", "sent", done=sent, console=console) as progress:
        if countable and console.is_terminal:
            arguments = (run, run.state.position, sent + len(run.state.pending), progress)
            threading.Thread(target=_count, args=arguments, daemon=True).start()
        run.on_progress = lambda totals: progress.update(totals.sent)
        run.send()


def _count(run: Run, start: Position, count: int, progress: Progress) -> None:
    """Read the sources a second time to determine the total for the bar."""
    with suppress(Exception):  # the run itself reports the same error
        for batch in run.jobs.batches(start):
            count += len(batch.messages)
            if run.interruption.stopped.is_set():
                return
        progress.update(total=count)


def _print_summary(run: Run, sent_before: int, seconds: float) -> None:
    totals = run.state.totals
    sent = totals.sent - sent_before
    rate = f", {sent / seconds:,.0f}/s" if seconds and sent else ""
    all_runs = f", {totals.sent:,} including earlier runs" if sent_before else ""
    click.echo(f"{sent:,} sent in {seconds:,.1f} s{rate}{all_runs}", err=True)
    print_not_sent(totals.skipped, totals.archived, totals.unsent, run.reasons)
    if totals.unsent:
        again = f"landmarks enqueue -{same_connection()} < {run.state.unsent}"
        if run.upload:
            again = f"run the command again{', without --resume' if run.state_file else ''}"
        click.echo(f"full list with reasons: {run.state.unsent}", err=True)
        click.echo(f"once fixed: {again}", err=True)


def print_not_sent(skipped: int, archived: int, unsent: int, reasons: Sequence[Unsent]) -> None:
    """Print how much is not sent, and the first few reasons, to standard error."""
    if skipped:
        click.echo(f"{skipped:,} skipped by --suffix or --since", err=True)
    if archived:
        click.echo(f"{archived:,} skipped: archived", err=True)
    if unsent:
        click.echo(f"{unsent:,} not sent:", err=True)
        for text, reason in reasons:
            click.echo(f"  {one_line(text)}: {one_line(reason)}", err=True)
        if unsent > len(reasons):
            click.echo("  ...", err=True)


def _print_how_to_continue(run: Run, *, resumable: bool) -> None:
    if not resumable:
        click.echo("Stopped early: the rest was not sent.", err=True)
        return
    file = run.state_file or Path(time.strftime("landmarks-enqueue-%Y%m%d-%H%M%S.json"))
    run.state.save(file)
    click.echo(f"To continue, run the command again with --resume {file}", err=True)
