"""What a source finds: objects, and lines that name none."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Protocol, TypeAlias

from landmarks.errors import LandmarkError


class OrderError(LandmarkError):
    """Raised when what is asked for makes no sense, whatever is in the bucket."""

    code = "INVALID_ORDER"


class SourceError(LandmarkError):
    """Raised when there is nothing to read, or not what was said to be there."""

    code = "INVALID_SOURCE"


@dataclass(frozen=True, slots=True)
class Entry:
    """One object that could be enqueued.

    Attributes:
        key: literal object key.
        cursor: where its source goes on after it; only the source can read it.
        bucket: None leaves it to the worker's setting IMAGE_BUCKET.
        version_id: None enqueues whatever is current when the worker reads it.
        job_id: the line's own; None takes the command's.
        force: the line's own; False takes the command's.
        size_bytes: None where the source doesn't tell.
        modified: None where the source doesn't tell.
        file: what has to be uploaded first.
        named: asked for by its whole name, so that no filter applies.
    """

    key: str
    cursor: str
    bucket: str | None = None
    version_id: str | None = None
    job_id: str | None = None
    force: bool = False
    size_bytes: int | None = None
    modified: datetime | None = None
    file: Path | None = None
    named: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """What can't become a message, or is refused by SQS.

    Attributes:
        text: the line or the message's body.
        reason: for people.
        cursor: see `Entry`.
    """

    text: str
    reason: str
    cursor: str = ""


Found: TypeAlias = Entry | Refusal


class Source(Protocol):
    """Something that names objects, always in the same order.

    Attributes:
        dated: whether its entries know when they were modified.
    """

    @property
    def dated(self) -> bool:
        """See above."""
        ...

    def entries(self, after: str) -> Iterator[Found]:
        """All entries behind the cursor `after`; all of them if it is empty.

        Raises:
            SourceError: there is nothing to read.
        """
        ...


IMAGE_SUFFIXES: Final = (".jpg", ".jpeg", ".png", ".webp")


_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


_DURATION: Final = re.compile(r"([0-9]{1,6})([mhdw])")


@dataclass(frozen=True, slots=True)
class Selection:
    """What an entry has to be like.

    Attributes:
        suffixes: of its key, in lower case; none of them allows every key.
        since: it is not older; with time zone.
    """

    suffixes: tuple[str, ...] = IMAGE_SUFFIXES
    since: datetime | None = None

    def wants(self, entry: Entry) -> bool:
        """Tell whether to send it."""
        if entry.named:
            return True
        if self.suffixes and not entry.key.lower().endswith(self.suffixes):
            return False
        # A source that knows no dates is refused before; a single undated row is let through.
        return not (self.since and entry.modified and entry.modified < self.since)


def suffixes_of(texts: Sequence[str]) -> tuple[str, ...]:
    """Suffixes as people write them: `jpg` is `.jpg`, and `_final.jpg` is itself."""
    return tuple(text.lower() if "." in text else f".{text.lower()}" for text in texts)


def moment_of(text: str, now: datetime) -> datetime:
    """A date, a moment, or a duration before `now` (`30m`, `12h`, `7d`, `2w`).

    Raises:
        ValueError: it is none of them.
    """
    if duration := _DURATION.fullmatch(text):
        return now - timedelta(**{_UNITS[duration[2]]: int(duration[1])})
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
