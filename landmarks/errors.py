"""All errors that both packages raise on purpose.

    LandmarkError
    ├── SettingsError                an environment variable is wrong; the worker does not start
    ├── PermanentError               a retry would fail the same way
    │   ├── MessageError             INVALID_MESSAGE: goes to the dead-letter queue
    │   ├── ObjectDeletedError       OBJECT_DELETED: goes to the dead-letter queue
    │   └── ImageError               stored with the status `failed`
    │       ├── ObjectArchivedError        OBJECT_ARCHIVED
    │       ├── KeyUnavailableError        KEY_UNAVAILABLE
    │       ├── NotAnImageError            NOT_AN_IMAGE
    │       ├── UnsupportedFormatError     UNSUPPORTED_FORMAT
    │       ├── CorruptImageError          CORRUPT_IMAGE
    │       ├── TooManyBytesError          TOO_MANY_BYTES
    │       ├── TooManyPixelsError         TOO_MANY_PIXELS
    │       ├── TooSmallError              TOO_SMALL
    │       └── DetectorError              the image made a detector process fail
    │           ├── DetectorCrashedError   DETECTOR_CRASHED
    │           ├── DetectorTimeoutError   DETECTOR_TIMEOUT
    │           ├── DetectorMemoryError    DETECTOR_OUT_OF_MEMORY
    │           └── DetectorAnswerError    DETECTOR_INVALID_ANSWER
    ├── TransientError               SQS delivers the message again
    │   ├── ObjectNotFoundError      OBJECT_NOT_FOUND
    │   ├── AccessDeniedError        ACCESS_DENIED
    │   ├── ServiceError             SERVICE_UNAVAILABLE
    │   ├── DetectorStartError       DETECTOR_UNAVAILABLE
    │   └── DeadlineError            DEADLINE_EXCEEDED
    ├── TableNotFoundError           TABLE_NOT_FOUND: only when reading the table
    └── SeveralResultsError          SEVERAL_RESULTS: only when reading the table

Codes are stable: they appear in the table, in logs and on dead letters.
"""

from collections.abc import Sequence
from typing import ClassVar


class LandmarkError(Exception):
    """Base class of all errors."""

    code: ClassVar[str] = "ERROR"


class SettingsError(LandmarkError):
    """Raised when an environment variable is missing or invalid."""

    code = "INVALID_SETTINGS"


class PermanentError(LandmarkError):
    """Raised when a retry would fail the same way."""


class MessageError(PermanentError):
    """Raised when a queue message does not describe a job."""

    code = "INVALID_MESSAGE"


class ObjectDeletedError(PermanentError):
    """Raised when S3 has only a delete marker where the object or the version was."""

    code = "OBJECT_DELETED"


class ImageError(PermanentError):
    """Raised when an object exists but yields no landmarks."""

    code = "IMAGE_ERROR"


class ObjectArchivedError(ImageError):
    """Raised when the object is archived and must be restored before it can be read."""

    code = "OBJECT_ARCHIVED"


class KeyUnavailableError(ImageError):
    """Raised when S3 can't decrypt the object: key disabled, deleted or customer-provided."""

    code = "KEY_UNAVAILABLE"


class NotAnImageError(ImageError):
    """Raised when the object is not in a known image format."""

    code = "NOT_AN_IMAGE"


class UnsupportedFormatError(ImageError):
    """Raised when the image's format, or this variant of it, is not supported."""

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
    """Raised when an image made its detector process fail. Stored only if it happens twice."""

    code = "DETECTOR_ERROR"


class DetectorCrashedError(DetectorError):
    """Raised when the detector process died while processing the image."""

    code = "DETECTOR_CRASHED"


class DetectorTimeoutError(DetectorError):
    """Raised when the image took longer than the setting DETECT_TIMEOUT_SECONDS."""

    code = "DETECTOR_TIMEOUT"


class DetectorMemoryError(DetectorError):
    """Raised when the image needed more memory than a detector process may use."""

    code = "DETECTOR_OUT_OF_MEMORY"


class DetectorAnswerError(DetectorError):
    """Raised when a detector process returns something that can't be landmarks."""

    code = "DETECTOR_INVALID_ANSWER"


class TransientError(LandmarkError):
    """Raised when the same job may succeed later."""


class ObjectNotFoundError(TransientError):
    """Raised when the object, its version or its bucket does not exist (yet)."""

    code = "OBJECT_NOT_FOUND"


class AccessDeniedError(TransientError):
    """Raised when a service denies access with these credentials."""

    code = "ACCESS_DENIED"


class ServiceError(TransientError):
    """Raised when a service throttles, fails or cannot be reached."""

    code = "SERVICE_UNAVAILABLE"


class DetectorStartError(TransientError):
    """Raised when detector processes fail to start, regardless of the image."""

    code = "DETECTOR_UNAVAILABLE"


class DeadlineError(TransientError):
    """Raised when too little time is left for the job."""

    code = "DEADLINE_EXCEEDED"


class TableNotFoundError(LandmarkError):
    """Raised when the table does not exist in this account and region."""

    code = "TABLE_NOT_FOUND"


class SeveralResultsError(LandmarkError):
    """Raised when a key has results in several buckets and no bucket was given.

    Attributes:
        key: the object's key.
        buckets: the buckets to choose from.
    """

    code = "SEVERAL_RESULTS"

    def __init__(self, key: str, buckets: Sequence[str]) -> None:
        super().__init__(
            f"{key!r} has results in several buckets, choose one: {', '.join(buckets)}"
        )
        self.key = key
        self.buckets = tuple(buckets)


def error_codes(kind: type[LandmarkError]) -> list[str]:
    """Return the codes of the most specific errors below `kind`, sorted."""
    children = kind.__subclasses__()
    return sorted({code for child in children for code in error_codes(child)} or {kind.code})


def error_code(error: Exception) -> str:
    """Return the error's stable code, or its class name if it is not one of these errors."""
    return error.code if isinstance(error, LandmarkError) else type(error).__name__
