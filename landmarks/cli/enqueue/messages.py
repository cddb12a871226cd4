"""Turns entries into batches of messages for SQS."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from landmarks.cli.enqueue.sources import Entry, Source

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
# The limit has been 1 MiB since August 2025; emulators of SQS may still have the old one.
BATCH_BYTES: Final = 256 * 1024
BATCH_MESSAGES: Final = 10

# The position is saved at least this often, even if the filters skip everything.
_BATCH_ENTRIES: Final = 10_000


@dataclass(frozen=True, slots=True)
class Message:
    """One message to send.

    Attributes:
        body: ASCII JSON, so its length is its size in bytes.
        bucket: bucket to upload `file` to.
        key: key to upload `file` as.
        file: file to upload before the message is sent.
        size_bytes: size of the object; 0 if unknown.
        origin: the source's index and the entry's cursor, which tell equal jobs of a run apart.
    """

    body: str
    bucket: str | None = None
    key: str = ""
    file: Path | None = None
    size_bytes: int = 0
    origin: str = ""


class Unsent(NamedTuple):
    """A line, file or message that was not sent, and why."""

    text: str
    reason: str


class Position(NamedTuple):
    """How far the sources have been read: the index of a source and a cursor in it."""

    source: int = 0
    cursor: str = ""


START: Final = Position()


@dataclass(slots=True)
class Batch:
    """Up to ten messages, and the other entries read along with them.

    Attributes:
        position: position of the last entry read.
        messages: messages to send.
        unsent: entries that can't become messages.
        skipped: how many entries the filters skipped.
        archived: how many archived objects were skipped.
    """

    position: Position
    messages: list[Message] = field(default_factory=list)
    unsent: list[Unsent] = field(default_factory=list)
    skipped: int = 0
    archived: int = 0

    @property
    def bytes(self) -> int:
        """The total size of the message bodies."""
        return sum(len(message.body) for message in self.messages)

    @property
    def entries(self) -> int:
        """How many entries were read for this batch."""
        return len(self.messages) + len(self.unsent) + self.skipped + self.archived


@dataclass(frozen=True)
class Jobs:
    """The jobs to send.

    Attributes:
        sources: sources to read, one after another.
        suffixes: accepted key endings, in lower case; empty accepts all.
        since: objects modified before this time are skipped; with time zone.
        job_id: job id for entries that don't have one.
        force: process objects again even if they are already done.
    """

    sources: Sequence[Source]
    suffixes: tuple[str, ...] = ()
    since: datetime | None = None
    job_id: str | None = None
    force: bool = False

    def batches(self, start: Position = START) -> Iterator[Batch]:
        """Yield batches of everything after `start`, in order, without folder markers.

        Raises:
            SourceError: a source can't be read.
        """
        batch = Batch(start)
        for position, entry in self._entries(start):
            wanted = self._wants(entry)
            message = self._message(entry, position) if wanted and not entry.archived else None
            size = len(message.body) if message else 0
            if batch.entries >= _BATCH_ENTRIES or batch.bytes + size > BATCH_BYTES:
                yield batch
                batch = Batch(position)
            batch.position = position
            if message:
                batch.messages.append(message)
            elif entry.error:
                batch.unsent.append(Unsent(entry.key, entry.error))
            elif wanted:
                batch.archived += 1
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
                    if not entry.is_folder_marker:
                        yield Position(number, entry.cursor), entry

    def _wants(self, entry: Entry) -> bool:
        if entry.error or entry.named:
            return not entry.error
        if self.suffixes and not entry.key.lower().endswith(self.suffixes):
            return False
        return not (self.since and entry.modified and entry.modified < self.since)

    def _message(self, entry: Entry, position: Position) -> Message:
        fields = {
            "key": entry.key,
            "bucket": entry.bucket,
            "version_id": entry.version_id,
            "job_id": entry.job_id or self.job_id,
            "force": entry.force or self.force or None,
        }
        given = {name: value for name, value in fields.items() if value is not None}
        body = json.dumps(given, separators=(",", ":"))
        origin = f"{position.source}:{position.cursor}"
        return Message(body, entry.bucket, entry.key, entry.file, entry.size_bytes, origin)


def batched(messages: Iterable[Message], position: Position = START) -> Iterator[Batch]:
    """Yield batches of the given messages, without advancing the position."""
    iterator = iter(messages)
    while batch := list(islice(iterator, BATCH_MESSAGES)):
        yield Batch(position, batch)
