"""Is a job done already? Asked here, and nowhere else."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from landmarks.job import Job
from worker.result import ObjectIdentity

# S3's sequencers have 16 to 18 digits and compare once the shorter one is padded with zeros, so
# they are stored at one length.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
_SEQUENCER_DIGITS: Final = 32


class Verdict(StrEnum):
    """What a job is, compared with what is stored for its object."""

    NEW = "new"
    DUPLICATE = "duplicate"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True)
class Stored:
    """What the table knows about the newest content of an object.

    Attributes:
        etag: without quotes.
        version_id: None in a bucket without versions.
        sequencer: normalised; None if no event named the content.
        last_modified: as `timestamp` writes it.
        done: whether it was processed with the present options and did not fail.
    """

    etag: str
    version_id: str | None
    sequencer: str | None
    last_modified: str
    done: bool

    def is_newer_than(self, identity: ObjectIdentity) -> bool:
        """Whether a result for `identity` would be refused, as `ResultsTable.save` has it."""
        sequencer = normalised(identity.sequencer)
        if sequencer and self.sequencer:
            return self.sequencer > sequencer
        return self.last_modified > timestamp(identity.last_modified)

    def is_of(self, identity: ObjectIdentity) -> bool:
        """Whether this is the very version that was opened, for all that is known of it.

        A content with a sequencer has an event of its own, whose place in the order has to be
        stored even if the content is known.
        """
        return (
            identity.sequencer is None
            and (self.etag, self.version_id) == (identity.etag, identity.version_id)
            and self.last_modified == timestamp(identity.last_modified)
        )


def judge(job: Job, stored: Stored | None, identity: ObjectIdentity | None = None) -> Verdict:
    """Whether a job has anything left to do.

    Args:
        job: if it is forced, it always has.
        stored: what the table has for the job's object; None for nothing.
        identity: the content that was opened; None before that, when only the message's own ETag
            can tell.
    """
    if job.force or stored is None:
        return Verdict.NEW
    if identity is None:
        return Verdict.DUPLICATE if job.etag and job.etag == done_etag(job, stored) else Verdict.NEW
    if stored.is_newer_than(identity):
        return Verdict.SUPERSEDED
    return Verdict.DUPLICATE if stored.done and stored.is_of(identity) else Verdict.NEW


def done_etag(job: Job, stored: Stored | None) -> str | None:
    """The ETag of the only content with which the job is a duplicate; None if there is none.

    Equal content is no reason to skip a job that names another version or event: of A, B and A
    again, with the second A skipped, a late B would win.
    """
    if job.force or stored is None or not stored.done:
        return None
    same_version = job.version_id in (None, stored.version_id)
    same_event = normalised(job.sequencer) in (None, stored.sequencer)
    return stored.etag if same_version and same_event else None


def timestamp(moment: datetime) -> str:
    """UTC, ISO 8601, always of one length: compares as text."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def normalised(sequencer: str | None) -> str | None:
    """A sequencer in upper case and at one length: compares as text."""
    return None if sequencer is None else sequencer.upper().ljust(_SEQUENCER_DIGITS, "0")
