"""The result of a job, from detection to save. Plain data."""

from dataclasses import dataclass, field
from datetime import datetime

from landmarks.enums import DETECTED, FAILED, NOT_DETECTED
from landmarks.errors import ImageError
from landmarks.groups import Landmarks, MaskPlace
from landmarks.job import Job


@dataclass(frozen=True, slots=True)
class ObjectIdentity:
    """Identifies the content of an object that was read.

    Attributes:
        etag: the ETag, without quotes.
        last_modified: with time zone; S3 only has whole seconds.
        size_bytes: size of the content.
        version_id: the version; None in a bucket without versioning.
        sequencer: the job's sequencer, if the job was for this content.
    """

    etag: str
    last_modified: datetime
    size_bytes: int
    version_id: str | None = None
    sequencer: str | None = None


@dataclass(frozen=True, slots=True)
class Detection:
    """A detector's answer for one image.

    Attributes:
        landmarks: the first person's landmarks; without any group if no person was found.
        width: width of the upright image, in pixels.
        height: height of the upright image, in pixels.
        format: "jpeg", "png", "webp", "heif", "avif", "tiff", "bmp" or "gif".
        mask: the first person's segmentation mask, an 8-bit greyscale PNG; None if MediaPipe's
            person detector found nobody or segmentation is off.
        orientation: EXIF's number, 1 to 8, of how the stored pixels were turned to be upright; 1
            if they were not.
        truncated: whether the file is cut off, so that a part of the image is missing.
        others: landmarks of further people, the best first; empty if `max_people` is 1.
    """

    landmarks: Landmarks = field(compare=False)
    width: int
    height: int
    format: str
    mask: bytes | None = field(default=None, repr=False)
    orientation: int = 1
    truncated: bool = False
    others: tuple[Landmarks, ...] = field(default=(), compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a job, to be stored, logged and counted.

    Attributes:
        job: the job.
        identity: the content that was read.
        outcome: the detection, or the error that prevented it.
        fetch_ms: duration of looking up, opening and reading the object.
        detect_ms: duration of detection, including the wait for a detector.
        total_ms: duration of the whole job except saving the result.
        segmentation: where the mask is stored; None if there is none.
        superseded: whether it was not stored, because the table has a newer content's result.
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
        """The status in the table: detected, not_detected or failed."""
        if isinstance(self.outcome, ImageError):
            return FAILED
        return DETECTED if self.outcome.landmarks.person_found else NOT_DETECTED
