"""The photograph of a result, as it was processed, with its landmarks drawn on it."""

from pathlib import Path
from typing import Final

import boto3
from botocore.config import Config
from PIL import Image

from worker.drawing.overlay import draw_overlay
from worker.drawing.topology import load_topology
from worker.errors import LandmarkError, ObjectNotFoundError, TooManyBytesError
from worker.jobs import Job
from worker.objects import ObjectReader
from worker.operations.lookup import enqueue_command
from worker.reading import LandmarkResult
from worker.reading.photograph import processed_content

# The worker's own limit is a setting, and 30 MB if nothing is set.
MAX_BYTES: Final = 100_000_000

_CONNECT_TIMEOUT_SECONDS: Final = 5
_READ_TIMEOUT_SECONDS: Final = 20
_TIMEOUT_SECONDS: Final = 300


class NothingToDrawError(LandmarkError):
    """Raised when a result has no landmarks."""

    code = "NOTHING_TO_DRAW"


class OtherContentError(LandmarkError):
    """Raised when the photograph is not there any more as it was processed."""

    code = "OTHER_CONTENT"


def overlay_of(result: LandmarkResult, content: bytes) -> Image.Image:
    """The photograph with its landmarks.

    Args:
        result: of the photograph.
        content: the file's bytes.

    Raises:
        NothingToDrawError: there are no landmarks; it says why.
        OverlayError: the file can't be read.
    """
    require_landmarks(result)
    return draw_overlay(content, result.landmarks, load_topology())


def require_landmarks(result: LandmarkResult) -> None:
    """Refuse what has nothing to draw.

    Raises:
        NothingToDrawError: there are no landmarks; it says why.
    """
    if not result.landmarks.person_found:
        reason = ": ".join(filter(None, (result.error_code, result.error_message)))
        words = f"{result.status} ({reason})" if reason else result.status
        raise NothingToDrawError(f"nothing to draw for {result.key!r}: {words}")


def photograph_of(result: LandmarkResult) -> bytes:
    """The content that was processed, from S3: the very version, or what still has its ETag.

    Raises:
        OtherContentError: the object is gone, or has another content since.
        TooManyBytesError: it has more than `MAX_BYTES`.
        AccessDeniedError: these credentials may not read it.
        TransientError: S3 fails, or takes too long.
    """
    timeouts = Config(connect_timeout=_CONNECT_TIMEOUT_SECONDS, read_timeout=_READ_TIMEOUT_SECONDS)
    reader = ObjectReader(boto3.client("s3", config=timeouts), MAX_BYTES)
    job = Job(result.bucket, result.key, version_id=result.version_id)
    try:
        content = processed_content(reader, job, result.etag, seconds=_TIMEOUT_SECONDS)
    except ObjectNotFoundError as error:
        raise _gone(result) from error
    except TooManyBytesError as error:
        raise TooManyBytesError(f"{_address(result)}: {error}") from error
    if content is None:
        raise _changed(result)
    return content


def content_of(file: Path) -> bytes:
    """A photograph on this machine.

    Raises:
        TooManyBytesError: it has more than `MAX_BYTES`.
        OSError: it can't be read.
    """
    size = file.stat().st_size
    if size > MAX_BYTES:
        raise TooManyBytesError(f"{file}: {size} bytes, and at most {MAX_BYTES} are allowed")
    return file.read_bytes()


def _changed(result: LandmarkResult) -> OtherContentError:
    return OtherContentError(
        f"{_address(result)} has changed since it was processed: have it processed again: "
        f"{enqueue_command(result.key, result.bucket)}; or draw on a copy: --image FILE"
    )


def _gone(result: LandmarkResult) -> OtherContentError:
    version = f", version {result.version_id}" if result.version_id else ""
    return OtherContentError(
        f"{_address(result)}{version} is not there any more: draw on a copy: --image FILE"
    )


def _address(result: LandmarkResult) -> str:
    return f"s3://{result.bucket}/{result.key}"
