"""Decides whether a job is already done. Nothing else does."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from landmarks.job import Job
from worker.result import ObjectIdentity

# S3's sequencers have 16 to 18 digits and are compared after padding the shorter one with zeros, so
# we store them at a fixed length.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
_SEQUENCER_DIGITS: Final = 32


class Verdict(StrEnum):
    """The verdict on a job, given its object and what is stored for it."""

    NEW = "new"
    DUPLICATE = "duplicate"
    SUPERSEDED = "superseded"
    IGNORED = "ignored"


@dataclass(frozen=True, slots=True)
class Stored:
    """What the table says about the newest content of an object.

    Attributes:
        etag: the ETag, without quotes.
        version_id: the version; None in a bucket without versioning.
        sequencer: the normalised sequencer; None if there was no event for this content.
        last_modified: in the format of `timestamp`.
        done: whether it was processed with the current options and did not fail.
    """

    etag: str
    version_id: str | None
    sequencer: str | None
    last_modified: str
    done: bool

    def is_newer_than(self, identity: ObjectIdentity) -> bool:
        """Return whether `ResultsTable.save` would reject a result for `identity` as older."""
        sequencer = normalised(identity.sequencer)
        if sequencer and self.sequencer:
            return self.sequencer > sequencer
        return self.last_modified > timestamp(identity.last_modified)

    def is_of(self, identity: ObjectIdentity) -> bool:
        """Return whether this is the version that was opened, as far as can be known.

        Content with a sequencer comes from a new event, whose sequencer must be stored even if the
        content is known.
        """
        return (
            identity.sequencer is None
            and (self.etag, self.version_id) == (identity.etag, identity.version_id)
            and self.last_modified == timestamp(identity.last_modified)
        )


def judge(job: Job, stored: Stored | None, identity: ObjectIdentity | None = None) -> Verdict:
    """Decide whether a job has anything left to do.

    Args:
        job: the job; a forced one always has.
        stored: what the table has for the job's object; None for nothing.
        identity: the content that was opened; None before it is opened, when only the ETag in the
            message is known.
    """
    if job.force or stored is None:
        return Verdict.NEW
    if identity is None:
        return Verdict.DUPLICATE if job.etag and job.etag == done_etag(job, stored) else Verdict.NEW
    if stored.is_newer_than(identity):
        return Verdict.SUPERSEDED
    return Verdict.DUPLICATE if stored.done and stored.is_of(identity) else Verdict.NEW


def done_etag(job: Job, stored: Stored | None) -> str | None:
    """Return the ETag of the content for which the job is a duplicate; None if there is none.

    A job for another version or event is not skipped even if the content is equal. Otherwise, with
    contents A, B and A again, a late B would overwrite the second A.
    """
    if job.force or stored is None or not stored.done:
        return None
    same_version = job.version_id in (None, stored.version_id)
    same_event = normalised(job.sequencer) in (None, stored.sequencer)
    return stored.etag if same_version and same_event else None


def timestamp(moment: datetime) -> str:
    """Format a time as ISO 8601 in UTC, at a fixed length so that strings compare by time."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def normalised(sequencer: str | None) -> str | None:
    """Return a sequencer in upper case at a fixed length, so that strings compare by order."""
    return None if sequencer is None else sequencer.upper().ljust(_SEQUENCER_DIGITS, "0")
