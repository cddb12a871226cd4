"""Every way a job can go wrong, as one tree.

    LandmarkError
    ├── SettingsError            the environment is wrong: the worker does not start
    ├── PermanentError           coming again would not help
    │   ├── MessageError         INVALID_MESSAGE: to the dead-letter queue
    │   └── ImageError           stored with the status `failed`
    │       ├── NotAnImageError            NOT_AN_IMAGE
    │       ├── UnsupportedFormatError     UNSUPPORTED_FORMAT
    │       ├── CorruptImageError          CORRUPT_IMAGE
    │       ├── TooManyBytesError          TOO_MANY_BYTES
    │       ├── TooManyPixelsError         TOO_MANY_PIXELS
    │       ├── TooSmallError              TOO_SMALL
    │       └── DetectorError              the detector process can't go on
    │           ├── DetectorCrashedError   DETECTOR_CRASHED
    │           ├── DetectorTimeoutError   DETECTOR_TIMEOUT
    │           ├── DetectorMemoryError    DETECTOR_OUT_OF_MEMORY
    │           └── DetectorAnswerError    DETECTOR_INVALID_ANSWER
    └── TransientError           SQS brings the message again
        ├── ObjectNotFoundError  OBJECT_NOT_FOUND
        ├── AccessDeniedError    ACCESS_DENIED
        ├── ServiceError         SERVICE_UNAVAILABLE
        ├── DetectorStartError   DETECTOR_UNAVAILABLE
        └── DeadlineError        DEADLINE_EXCEEDED

Codes are stable: they stand in the table, in logs and on dead letters.
"""

from collections.abc import Sequence
from typing import ClassVar


class LandmarkError(Exception):
    """Base class of everything that this package raises on purpose."""

    code: ClassVar[str] = "ERROR"


class SettingsError(LandmarkError):
    """Raised when an environment variable is missing or not allowed."""

    code = "INVALID_SETTINGS"


class PermanentError(LandmarkError):
    """Raised when doing the same job again would fail the same way."""


class MessageError(PermanentError):
    """Raised when a queue message names no job."""

    code = "INVALID_MESSAGE"


class ImageError(PermanentError):
    """Raised when an object exists but no landmarks can be had from it."""

    code = "IMAGE_ERROR"


class NotAnImageError(ImageError):
    """Raised when the bytes are of no image format."""

    code = "NOT_AN_IMAGE"


class UnsupportedFormatError(ImageError):
    """Raised when the image is of a format, or a variant of it, that is not decoded here."""

    code = "UNSUPPORTED_FORMAT"


class CorruptImageError(ImageError):
    """Raised when an image is truncated or damaged beyond reading."""

    code = "CORRUPT_IMAGE"


class TooManyBytesError(ImageError):
    """Raised when the object is larger than the setting MAX_IMAGE_BYTES."""

    code = "TOO_MANY_BYTES"


class TooManyPixelsError(ImageError):
    """Raised when the image has more pixels, or a longer side, than is allowed."""

    code = "TOO_MANY_PIXELS"


class TooSmallError(ImageError):
    """Raised when the image is so small that the models would invent a person."""

    code = "TOO_SMALL"


class DetectorError(ImageError):
    """Raised when an image has used up a detector process; stored only after the second one."""

    code = "DETECTOR_ERROR"


class DetectorCrashedError(DetectorError):
    """Raised when a detector process died of the image."""

    code = "DETECTOR_CRASHED"


class DetectorTimeoutError(DetectorError):
    """Raised when the image took longer than the setting DETECT_TIMEOUT_SECONDS."""

    code = "DETECTOR_TIMEOUT"


class DetectorMemoryError(DetectorError):
    """Raised when the image needed more memory than a detector process may have."""

    code = "DETECTOR_OUT_OF_MEMORY"


class DetectorAnswerError(DetectorError):
    """Raised when a detector process answers what cannot be landmarks."""

    code = "DETECTOR_INVALID_ANSWER"


class TransientError(LandmarkError):
    """Raised when the same job may succeed later."""


class ObjectNotFoundError(TransientError):
    """Raised when the object, its version or its bucket does not exist (yet)."""

    code = "OBJECT_NOT_FOUND"


class AccessDeniedError(TransientError):
    """Raised when a service refuses the worker's credentials."""

    code = "ACCESS_DENIED"


class ServiceError(TransientError):
    """Raised when a service throttles, fails or cannot be reached."""

    code = "SERVICE_UNAVAILABLE"


class DetectorStartError(TransientError):
    """Raised when detector processes do not come up, whatever the image."""

    code = "DETECTOR_UNAVAILABLE"


class DeadlineError(TransientError):
    """Raised when the invocation's time does not suffice for the job."""

    code = "DEADLINE_EXCEEDED"


class SeveralResultsError(LandmarkError):
    """Raised when several buckets have an object of this key, and none was named."""

    code = "SEVERAL_RESULTS"

    def __init__(self, key: str, buckets: Sequence[str]) -> None:
        """Name the buckets, to choose from."""
        super().__init__(f"{key!r} is in several buckets, name one: {', '.join(buckets)}")
        self.key = key
        self.buckets = tuple(buckets)


class TableNotFoundError(LandmarkError):
    """Raised when there is no such table in this account and region."""

    code = "TABLE_NOT_FOUND"


def error_code(error: Exception) -> str:
    """An error's stable code; for one that nobody raised on purpose, its class's name."""
    return error.code if isinstance(error, LandmarkError) else type(error).__name__
