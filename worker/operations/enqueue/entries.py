"""What a source finds: objects, and lines that name none."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol, TypeAlias

from worker.errors import LandmarkError


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
