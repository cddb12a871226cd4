"""A whole run: from what was asked for to what has become of it."""

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

from landmarks.cli.enqueue.batches import JobOptions, Position, pending_batches, read_batches
from landmarks.cli.enqueue.delivery import Delivery, Sender
from landmarks.cli.enqueue.entries import OrderError, Refusal, Selection, Source, moment_of
from landmarks.cli.enqueue.estimate import Estimate, estimate
from landmarks.cli.enqueue.state import Interruption, State, Tally


@dataclass(frozen=True)
class Order:
    """What is asked for.

    Attributes:
        sources: what to read, in this order.
        arguments: the same in words, to know a state file by.
        suffixes: see `Selection`.
        since: see `moment_of`; None takes objects of any age.
        options: what every message says.
    """

    sources: Sequence[Source]
    arguments: Mapping[str, object]
    suffixes: tuple[str, ...]
    since: str | None = None
    options: JobOptions = field(default_factory=JobOptions)

    def since_moment(self, now: datetime) -> datetime | None:
        """Where `since` leads to.

        Raises:
            OrderError: it says no moment, or a source knows no dates.
        """
        if self.since is None:
            return None
        if not all(source.dated for source in self.sources):
            raise OrderError("--since: lines on standard input have no dates")
        try:
            return moment_of(self.since, now)
        except (ValueError, OverflowError) as error:
            raise OrderError(
                f"--since {self.since}: expected a date like 2026-01-31 or a duration like 7d"
            ) from error

    def estimate(self) -> Estimate:
        """Count everything and send nothing."""
        selection = Selection(self.suffixes, self.since_moment(datetime.now(UTC)))
        return estimate(read_batches(self.sources, selection, self.options, Position()))


@dataclass(frozen=True)
class Files:
    """What a run writes down.

    Attributes:
        state: the state file; None keeps the state in memory until the run is stopped.
        unsent: the list of the unsent, which is only made if there are any.
    """

    state: Path | None
    unsent: Path

    def save(self, state: State) -> None:
        """Write the state down, if it has a file."""
        if self.state:
            state.save(self.state)


def begin(order: Order, files: Files) -> State:
    """The state that a run starts from: a new one, or the one in the state file.

    Raises:
        StateError: the state file is of another run.
        OrderError: see `Order.since_moment`.
    """
    since = order.since_moment(datetime.now(UTC))
    state = State.load(files.state, order.arguments) if files.state else None
    return state or State(order.arguments, since.isoformat() if since else None, str(files.unsent))


def enqueue(
    order: Order,
    files: Files,
    state: State,
    sender: Sender,
    interruption: Interruption,
    *,
    concurrency: int,
    on_progress: Callable[[Tally], None],
) -> None:
    """Send what is left, and keep account of it in `state`.

    When this ends, however it ends, `state` says what is settled; it is `finished` only
    if nothing is left.

    Raises:
        Exception: what S3 or SQS refused for good, or a source couldn't read.
    """

    def save(state: State) -> None:
        files.save(state)
        on_progress(state.tally)

    unsent = Path(state.unsent)
    delivery = Delivery(
        sender, state, interruption, concurrency, save, lambda refused: _write(unsent, refused)
    )
    files.save(state)
    since = datetime.fromisoformat(state.since) if state.since else None
    batches = chain(
        pending_batches(list(state.pending), state.position),
        read_batches(
            order.sources, Selection(order.suffixes, since), order.options, state.position
        ),
    )
    state.finished = delivery.deliver(batches)
    files.save(state)


def count_left(
    order: Order, start: Position, since: str | None, stopped: threading.Event
) -> int | None:
    """How many messages are behind `start`; None if that was not found out.

    For a progress bar, which has no use for errors: whoever sends meets them as well.
    """
    selection = Selection(order.suffixes, datetime.fromisoformat(since) if since else None)
    count = 0
    with suppress(Exception):
        for batch in read_batches(order.sources, selection, order.options, start):
            count += len(batch.messages)
            if stopped.is_set():
                return None
        return count
    return None


def _write(path: Path, refused: Sequence[Refusal]) -> None:
    """As JSON lines that `landmarks enqueue -` takes, the reason beside the job."""
    with path.open("a", encoding="utf-8") as file:
        for refusal in refused:
            fields = _job_fields(refusal.text) or {"line": refusal.text}
            file.write(json.dumps(fields | {"unsent_because": refusal.reason}) + "\n")


def _job_fields(text: str) -> dict[str, object] | None:
    with suppress(ValueError):
        fields = json.loads(text)
        return fields if isinstance(fields, dict) else None
    return None
