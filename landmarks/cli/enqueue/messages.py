"""Entries → batches of messages as SQS takes them."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from landmarks.cli.enqueue.sources import Entry, Source

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
# It has been 1 MiB since August 2025; stand-ins for SQS may still have the old limit.
BATCH_BYTES: Final = 256 * 1024
BATCH_MESSAGES: Final = 10

# The position is saved at least this often, even if the filters let nothing through.
_BATCH_ENTRIES: Final = 10_000


@dataclass(frozen=True, slots=True)
class Message:
    """One message to send.

    Attributes:
        body: JSON in ASCII, so its length in characters is its size in bytes.
        bucket: where to upload `file`.
        key: the key to upload `file` as.
        file: to upload before the message is sent.
        size_bytes: of the object; 0 if unknown.
    """

    body: str
    bucket: str | None = None
    key: str = ""
    file: Path | None = None
    size_bytes: int = 0


class Unsent(NamedTuple):
    """A line, a file or a message that was not sent, and the reason."""

    text: str
    reason: str


class Position(NamedTuple):
    """How far the sources have been read: a source's index, and a cursor in it."""

    source: int = 0
    cursor: str = ""


START: Final = Position()


@dataclass(slots=True)
class Batch:
    """Up to ten messages, and everything that was read to find them.

    Attributes:
        position: of the last entry that was read for it.
        messages: to send.
        unsent: entries that can't become messages.
        skipped: how many entries the filters rejected.
    """

    position: Position
    messages: list[Message] = field(default_factory=list)
    unsent: list[Unsent] = field(default_factory=list)
    skipped: int = 0

    @property
    def bytes(self) -> int:
        """The size of all bodies."""
        return sum(len(message.body) for message in self.messages)

    @property
    def entries(self) -> int:
        """How many entries were read for it."""
        return len(self.messages) + len(self.unsent) + self.skipped


@dataclass(frozen=True)
class Jobs:
    """What to send.

    Attributes:
        sources: read one after another.
        suffixes: accepted endings of keys, in lower case; empty accepts all.
        since: objects modified before are skipped; with time zone.
        job_id: for entries without their own.
        force: process objects again even if they are already done.
    """

    sources: Sequence[Source]
    suffixes: tuple[str, ...] = ()
    since: datetime | None = None
    job_id: str | None = None
    force: bool = False

    def batches(self, start: Position = START) -> Iterator[Batch]:
        """Everything after `start`, in order.

        Raises:
            SourceError: a source can't be read.
        """
        batch = Batch(start)
        for position, entry in self._entries(start):
            message = self._message(entry) if self._wants(entry) else None
            size = len(message.body) if message else 0
            if batch.entries >= _BATCH_ENTRIES or batch.bytes + size > BATCH_BYTES:
                yield batch
                batch = Batch(position)
            batch.position = position
            if message:
                batch.messages.append(message)
            elif entry.error:
                batch.unsent.append(Unsent(entry.key, entry.error))
            else:
                batch.skipped += 1
            if len(batch.messages) == BATCH_MESSAGES:  # don't wait for one more line
                yield batch
                batch = Batch(position)
        if batch.entries:
            yield batch

    def _entries(self, start: Position) -> Iterator[tuple[Position, Entry]]:
        for number, source in enumerate(self.sources):
            if number >= start.source:
                after = start.cursor if number == start.source else ""
                for entry in source.entries(after):
                    yield Position(number, entry.cursor), entry

    def _wants(self, entry: Entry) -> bool:
        if entry.error or entry.named:
            return not entry.error
        if self.suffixes and not entry.key.lower().endswith(self.suffixes):
            return False
        return not (self.since and entry.modified and entry.modified < self.since)

    def _message(self, entry: Entry) -> Message:
        fields = {
            "key": entry.key,
            "bucket": entry.bucket,
            "version_id": entry.version_id,
            "job_id": entry.job_id or self.job_id,
            "force": entry.force or self.force or None,
        }
        given = {name: value for name, value in fields.items() if value is not None}
        body = json.dumps(given, separators=(",", ":"))
        return Message(body, entry.bucket, entry.key, entry.file, entry.size_bytes)


def batched(messages: Iterable[Message], position: Position = START) -> Iterator[Batch]:
    """Messages that are ready to be sent, in batches that don't move the position."""
    iterator = iter(messages)
    while batch := list(islice(iterator, BATCH_MESSAGES)):
        yield Batch(position, batch)
