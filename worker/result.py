"""What is known of an image and what became of it, from detection to save. Plain data."""

from dataclasses import dataclass, field
from datetime import datetime

from landmarks.enums import DETECTED, FAILED, NOT_DETECTED
from landmarks.errors import ImageError
from landmarks.groups import Landmarks, MaskPlace
from landmarks.job import Job


@dataclass(frozen=True, slots=True)
class ObjectIdentity:
    """Which content of an object was read.

    Attributes:
        etag: without quotes.
        last_modified: with time zone; S3 knows whole seconds.
        size_bytes: of the content.
        version_id: None in a bucket without versions.
        sequencer: the job's, if the job was about this very content.
    """

    etag: str
    last_modified: datetime
    size_bytes: int
    version_id: str | None = None
    sequencer: str | None = None


@dataclass(frozen=True, slots=True)
class Detection:
    """What a detector answers about one image.

    Attributes:
        landmarks: of the person; without any group where there is none.
        width: of the upright image, in pixels.
        height: of the upright image, in pixels.
        format: "jpeg", "png" or "webp".
        mask: which pixels are the person's, as a PNG of 8-bit grey values; None if there is no
            person, or masks are not wanted.
    """

    landmarks: Landmarks = field(compare=False)
    width: int
    height: int
    format: str
    mask: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a job: what is stored, logged and counted.

    Attributes:
        job: what was asked for.
        identity: the content that was read.
        outcome: the detection, or why there is none.
        fetch_ms: looking up, opening and reading the object.
        detect_ms: waiting for a detector, and detecting.
        total_ms: the whole job but for saving its result.
        segmentation: where the mask is stored; None if there is none.
        superseded: whether the table refused it because it holds a newer content's result.
    """

    job: Job
    identity: ObjectIdentity
    outcome: Detection | ImageError
    fetch_ms: int = 0
    detect_ms: int = 0
    total_ms: int = 0
    segmentation: MaskPlace | None = None
    superseded: bool = False

    @property
    def status(self) -> str:
        """The table's word for the outcome: detected, not_detected or failed."""
        if isinstance(self.outcome, ImageError):
            return FAILED
        return DETECTED if self.outcome.landmarks.person_found else NOT_DETECTED
