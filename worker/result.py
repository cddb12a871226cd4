"""What became of a job, as it is to be stored. Plain data: no DynamoDB."""

from dataclasses import dataclass, field
from enum import StrEnum

from landmarks.enums import DETECTED, FAILED, NOT_DETECTED
from landmarks.errors import ImageError
from landmarks.groups import Landmarks, MaskPlace
from landmarks.job import Job
from worker.s3 import ObjectIdentity


@dataclass(frozen=True, slots=True)
class Detection:
    """What a detector answers about one image.

    Attributes:
        landmarks: what was found.
        width: of the upright image, in pixels.
        height: of the upright image, in pixels.
        format: "jpeg", "png" or "webp".
        mask: which pixels are the person's, as a PNG of 8-bit grey values; None
            where nobody was found, or nobody asked.
    """

    landmarks: Landmarks = field(compare=False)
    width: int
    height: int
    format: str
    mask: bytes | None = field(default=None, repr=False)


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


class Outcome(StrEnum):
    """What became of a job that need not come again."""

    DETECTED = DETECTED
    NOT_DETECTED = NOT_DETECTED
    FAILED = FAILED
    DUPLICATE = "duplicate"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True)
class Delivery:
    """A job and the message it came with.

    Attributes:
        job: what is asked.
        message_id: of the SQS message; None for a direct invocation.
        attempts: the message's receive count.
    """

    job: Job
    message_id: str | None = None
    attempts: int = 1


@dataclass(frozen=True, slots=True)
class Report:
    """What became of a delivery, for the log and the metrics.

    Attributes:
        delivery: what was asked.
        outcome: what became of it.
        result: what was, or would have been, stored; None for a duplicate.
    """

    delivery: Delivery
    outcome: Outcome
    result: Result | None = None
