"""What became of a job, as it is to be stored. Plain data: no DynamoDB."""

from dataclasses import dataclass
from typing import Final

from worker.errors import ImageError
from worker.jobs import Job
from worker.landmarks import Detection, MaskPlace
from worker.objects import ObjectIdentity

DETECTED: Final = "detected"
NOT_DETECTED: Final = "not_detected"
FAILED: Final = "failed"


@dataclass(frozen=True, slots=True)
class Durations:
    """How long the parts of a job took, in milliseconds."""

    fetch: int
    detect: int
    total: int


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a job, ready to be stored.

    Attributes:
        job: what was asked.
        identity: of the content that was read.
        outcome: a detection, with a person or without, or why there is none.
        message_id: of the SQS message; None for a direct invocation.
        attempts: the message's receive count.
        durations: of the job's parts.
        segmentation: where the mask has been stored; None if there is none.
    """

    job: Job
    identity: ObjectIdentity
    outcome: Detection | ImageError
    message_id: str | None
    attempts: int
    durations: Durations
    segmentation: MaskPlace | None = None

    @property
    def status(self) -> str:
        """As the table names it."""
        if isinstance(self.outcome, ImageError):
            return FAILED
        return DETECTED if self.outcome.landmarks.person_found else NOT_DETECTED
