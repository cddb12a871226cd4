"""Wanted entries → batches of messages as SQS takes them."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from landmarks.cli.enqueue.entries import Entry, Found, Refusal, Selection, Source

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
# Since August 2025 it is 1 MiB; stand-ins of SQS and older tools know the former limit.
BATCH_BYTES: Final = 256 * 1024


BATCH_MESSAGES: Final = 10


# So often at least the position is written down where nearly nothing is wanted.
_BATCH_ENTRIES: Final = 10_000


@dataclass(frozen=True, slots=True)
class Message:
    """One message to send.

    Attributes:
        body: ASCII, so that its characters are its bytes, and none that SQS refuses.
        bucket: where `file` goes.
        key: as what `file` goes there.
        file: what has to be uploaded first.
        size_bytes: of the object.
    """

    body: str
    bucket: str | None = None
    key: str = ""
    file: Path | None = None
    size_bytes: int = 0


class Position(NamedTuple):
    """How far the sources were read.

    Attributes:
        source: number of the source, from 0.
        cursor: of the last entry of it; see `Entry`.
    """

    source: int = 0
    cursor: str = ""


@dataclass(slots=True)
class Batch:
    """Up to ten messages, and what was read to find them.

    Attributes:
        position: of the last entry that was read for it.
        messages: to send.
        refused: what can't be sent.
        left_out: how many entries were not wanted.
        bytes: of the messages' bodies.
    """

    position: Position
    messages: list[Message] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    left_out: int = 0
    bytes: int = 0

    @property
    def entries(self) -> int:
        """How many entries were read for it."""
        return len(self.messages) + len(self.refused) + self.left_out

    def has_room_for(self, message: Message) -> bool:
        """Tell whether SQS would take the message with the others."""
        return len(self.messages) < BATCH_MESSAGES and self.bytes + len(message.body) <= BATCH_BYTES

    def add(self, message: Message) -> None:
        """Put one more message in."""
        self.messages.append(message)
        self.bytes += len(message.body)


@dataclass(frozen=True, slots=True)
class JobOptions:
    """What every message says.

    Attributes:
        job_id: the producer's own name for the job.
        force: process even what is already done.
    """

    job_id: str | None = None
    force: bool = False

    def message(self, entry: Entry) -> Message:
        """The message of an entry, in the queue's direct form."""
        fields: dict[str, object] = {"key": entry.key}
        optional = {
            "bucket": entry.bucket,
            "version_id": entry.version_id,
            "job_id": entry.job_id or self.job_id,
            "force": entry.force or self.force or None,
        }
        fields |= {name: value for name, value in optional.items() if value is not None}
        body = json.dumps(fields, separators=(",", ":"))
        return Message(body, entry.bucket, entry.key, entry.file, entry.size_bytes or 0)


def read_batches(
    sources: Sequence[Source], selection: Selection, options: JobOptions, start: Position
) -> Iterator[Batch]:
    """Everything behind `start`, in order.

    Raises:
        SourceError: a source has nothing to read.
    """
    batch = Batch(start)
    for position, found in _found(sources, start):
        message = _wanted(found, selection, options)
        if (message and not batch.has_room_for(message)) or batch.entries >= _BATCH_ENTRIES:
            yield batch
            batch = Batch(position)
        _put(batch, found, message)
        batch.position = position
        if len(batch.messages) == BATCH_MESSAGES:
            yield batch
            batch = Batch(position)
    if batch.entries:
        yield batch


def _wanted(found: Found, selection: Selection, options: JobOptions) -> Message | None:
    if isinstance(found, Refusal) or not selection.wants(found):
        return None
    return options.message(found)


def _put(batch: Batch, found: Found, message: Message | None) -> None:
    if message:
        batch.add(message)
    elif isinstance(found, Refusal):
        batch.refused.append(found)
    else:
        batch.left_out += 1


def pending_batches(messages: Iterable[Message], position: Position) -> Iterator[Batch]:
    """Messages that an earlier run had read and not sent; none of them moves the position."""
    iterator = iter(messages)
    while some := list(islice(iterator, BATCH_MESSAGES)):
        batch = Batch(position)
        for message in some:
            batch.add(message)
        yield batch


def _found(sources: Sequence[Source], start: Position) -> Iterator[tuple[Position, Found]]:
    for number, source in enumerate(sources):
        if number >= start.source:
            after = start.cursor if number == start.source else ""
            for found in source.entries(after):
                yield Position(number, found.cursor), found
