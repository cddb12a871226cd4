"""Reads the photograph that a result belongs to, and has it decoded upright."""

import logging
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Final, NotRequired, Self, TypedDict

from botocore.exceptions import BotoCoreError, ClientError
from botocore.response import StreamingBody
from PIL import Image
from urllib3.exceptions import HTTPError

from landmarks.errors import (
    AccessDeniedError,
    DeadlineError,
    ImageError,
    LandmarkError,
    ObjectNotFoundError,
    ServiceError,
    TooManyBytesError,
)
from worker.detector.confinement import hide_from_children
from worker.detector.launch import ChildOptions
from worker.detector.pool import DetectorPool

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_CHUNK_BYTES: Final = 1024 * 1024

# S3 answers 405 for deleted versions and delete markers.
_GONE: Final = {404, 405}
_DENIED: Final = {401, 403}

# The largest value of the setting MAX_IMAGE_PIXELS.
_MAX_PIXELS: Final = 250_000_000

# Limits of a decoding process. The address space is a detector's without masks, so whatever a
# detector has decoded fits. The process itself takes 0.28 GB of it.
_DECODE_SECONDS: Final = 60
_DECODE_BYTES: Final = 1536 * 1024 * 1024
_IMAGE_BYTES: Final = _DECODE_BYTES - 350_000_000

# For all photographs that wait for a process; each has its own limit.
_DEADLINE_SECONDS: Final = 86_400


class UnreadablePhotographError(LandmarkError):
    """Raised when a photograph can't be decoded."""

    code = "UNREADABLE_PHOTOGRAPH"


class _Version(TypedDict):
    VersionId: NotRequired[str]


def processed_content(
    client: "S3Client",
    bucket: str,
    key: str,
    *,
    version_id: str | None,
    etag: str | None,
    max_bytes: int,
    seconds: float,
) -> bytes | None:
    """Return the content that was processed, or None if the object has changed since.

    Args:
        client: the S3 client.
        bucket: the object's bucket.
        key: the object's key.
        version_id: version that was processed; None without versioning.
        etag: ETag of the processed content.
        max_bytes: larger objects are not read.
        seconds: time limit.

    Raises:
        ObjectNotFoundError: the object no longer exists.
        TooManyBytesError: the object is larger than `max_bytes`.
        AccessDeniedError: the credentials don't allow reading the object.
        TransientError: S3 fails or takes too long.
    """
    deadline = time.monotonic() + seconds
    version: _Version = {"VersionId": version_id} if version_id else {}
    with _errors_of(bucket, key):
        try:
            answer = client.get_object(Bucket=bucket, Key=key, **version)
        except ClientError as error:
            if not version or _status(error) not in _DENIED:
                raise
            # Reading versions needs an extra permission, and the current one may still match.
            answer = client.get_object(Bucket=bucket, Key=key)
        with closing(answer["Body"]) as body:
            if answer["ETag"].strip('"') != etag:
                return None
            size = answer["ContentLength"]
            if size > max_bytes:
                raise TooManyBytesError(f"{size} bytes, more than the {max_bytes} allowed")
            return _read(body, deadline)


def _read(body: StreamingBody, deadline: float) -> bytes:
    content = bytearray()
    for chunk in body.iter_chunks(_CHUNK_BYTES):
        content += chunk
        if time.monotonic() > deadline:
            raise DeadlineError("reading the object took too long")
    return bytes(content)


@contextmanager
def _errors_of(bucket: str, key: str) -> Iterator[None]:
    """Translate S3's errors."""
    try:
        yield
    except ClientError as error:
        status, code = _status(error), error.response["Error"]["Code"]
        message = f"S3 answered {status} {code} for {key!r} in bucket {bucket!r}"
        if status in _GONE:
            raise ObjectNotFoundError(message) from error
        kind = AccessDeniedError if status in _DENIED else ServiceError
        raise kind(message) from error
    except (BotoCoreError, HTTPError) as error:
        raise ServiceError(f"S3: {error}") from error


def _status(error: ClientError) -> int:
    return error.response["ResponseMetadata"]["HTTPStatusCode"]


class PhotoDecoder:
    """Decodes photographs in confined processes, with the worker's decoders. Thread-safe.

    Without the `worker` extra, the processes use Pillow, which knows fewer formats.

    Args:
        max_side: longer sides are scaled down to this many pixels.
        processes: how many photographs are decoded at once.
    """

    def __init__(self, max_side: int, processes: int = 1) -> None:
        options = ChildOptions(
            model=None,
            max_image_pixels=_MAX_PIXELS,
            timeout_seconds=_DECODE_SECONDS,
            memory_bytes=_DECODE_BYTES,
            image_bytes=_IMAGE_BYTES,
            picture_side=max_side,
        )
        hide_from_children()
        # What goes wrong is raised; without a handler, Python would print warnings.
        logging.getLogger("worker").addHandler(logging.NullHandler())
        self._processes = DetectorPool(options, processes)

    def __enter__(self) -> Self:
        """Return at once, while the processes start."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the processes."""
        self._processes.close()

    def decode(self, content: bytes) -> Image.Image:
        """Decode a photograph upright, as RGB.

        Args:
            content: the file's bytes.

        Raises:
            UnreadablePhotographError: the worker refuses the file too, or decoding it crashed two
                processes, took too long or needed too much memory.
            DetectorStartError: no process starts.
        """
        try:
            pixels = self._processes.decode(content, time.monotonic() + _DEADLINE_SECONDS)
        except ImageError as error:
            raise UnreadablePhotographError(f"can't read it: {error}") from error
        return Image.fromarray(pixels)
