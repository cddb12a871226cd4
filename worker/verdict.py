"""What the table knows of an object's content, and which of two contents is the newer one."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Self

from landmarks.item import LandmarkItem
from landmarks.job import Job
from worker.s3 import ObjectIdentity

# S3's sequencers have 16 to 18 digits and compare once the shorter one is
# padded with zeros, so they are stored at one length.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
_SEQUENCER_DIGITS: Final = 32


# What is read of an item to decide whether a job is already done.
SUMMARY: Final = [
    "object_key",
    "bucket",
    "status",
    "etag",
    "options_hash",
    "sequencer",
    "source_last_modified",
    "version_id",
]


@dataclass(frozen=True, slots=True)
class Stored:
    """What the table knows about an object's newest processed content."""

    status: str
    etag: str
    options_hash: str
    sequencer: str | None
    version_id: str | None
    last_modified: str

    @classmethod
    def of(cls, item: LandmarkItem) -> Self | None:
        """What an item tells; None if somebody else began it: it says nothing of a content."""
        if not item.source_last_modified:
            return None
        return cls(
            status=item.status,
            etag=item.etag,
            options_hash=item.options_hash,
            sequencer=item.sequencer,
            version_id=item.version_id,
            last_modified=item.source_last_modified,
        )

    def is_newer_than(self, identity: ObjectIdentity) -> bool:
        """Whether a result for `identity` would be refused: the condition of `save`."""
        sequencer = normalised(identity.sequencer)
        if sequencer and self.sequencer:
            return self.sequencer > sequencer
        return self.last_modified > timestamp(identity.last_modified)

    def may_stand_for(self, job: Job) -> bool:
        """Whether the job may be about the very version that is stored.

        Where it names another version or event, equal content is no reason to
        skip it: A, B, A again, with the last A skipped, would let a late B win.
        """
        return job.version_id in (None, self.version_id) and (
            normalised(job.sequencer) in (None, self.sequencer)
        )


def timestamp(moment: datetime) -> str:
    """UTC, ISO 8601, always of one length: compares as text."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def normalised(sequencer: str | None) -> str | None:
    """At one length: compares as text."""
    return None if sequencer is None else sequencer.upper().ljust(_SEQUENCER_DIGITS, "0")
