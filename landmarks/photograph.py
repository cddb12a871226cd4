"""The photograph of a result: the content that was processed, decoded upright."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from io import BytesIO
from typing import TYPE_CHECKING, Final, NotRequired, TypedDict

import numpy as np
from botocore.exceptions import BotoCoreError, ClientError
from botocore.response import StreamingBody
from PIL import Image, ImageOps
from urllib3.exceptions import HTTPError

from landmarks.errors import (
    AccessDeniedError,
    DeadlineError,
    LandmarkError,
    ObjectNotFoundError,
    ServiceError,
    TooManyBytesError,
)

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

Size = tuple[int, int]

_CHUNK_BYTES: Final = 1024 * 1024

# A deleted version, or a delete marker itself, is 405.
_GONE: Final = {404, 405}
_DENIED: Final = {401, 403}

# The most that the setting MAX_IMAGE_PIXELS can allow the worker.
_MAX_PIXELS: Final = 250_000_000

# Pillow warns from here on. Filtering warnings around each `open` instead is not thread-safe.
Image.MAX_IMAGE_PIXELS = _MAX_PIXELS


class UnreadablePhotographError(LandmarkError):
    """Raised when Pillow can't read a file."""

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
    """Return the content that was processed: that very version, or what still has its ETag.

    Args:
        client: reads from S3.
        bucket: the object's bucket.
        key: the object's key.
        version_id: of the processed content; None without versioning.
        etag: of the processed content.
        max_bytes: larger objects are not read.
        seconds: how long it may take.

    Returns:
        None if the object has other content by now.

    Raises:
        ObjectNotFoundError: it is gone.
        TooManyBytesError: it is larger than `max_bytes`.
        AccessDeniedError: these credentials may not read it.
        TransientError: S3 fails, or takes too long.
    """
    deadline = time.monotonic() + seconds
    version: _Version = {"VersionId": version_id} if version_id else {}
    with _errors_of(bucket, key):
        try:
            answer = client.get_object(Bucket=bucket, Key=key, **version)
        except ClientError as error:
            if not version or _status(error) not in _DENIED:
                raise
            # Versions need a permission of their own; the current one may still be right.
            answer = client.get_object(Bucket=bucket, Key=key)
        with closing(answer["Body"]) as body:
            if answer["ETag"].strip('"') != etag:
                return None
            size = answer["ContentLength"]
            if size > max_bytes:
                raise TooManyBytesError(f"{size} bytes, and at most {max_bytes} are allowed")
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
    """Raise S3's errors as ours."""
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


def read_upright(
    content: bytes, fit: Callable[[Size], Size], formats: tuple[str, ...] | None = None
) -> Image.Image:
    """Decode a picture as RGB, turned as its EXIF orientation says. Safe in many threads.

    Args:
        content: the file's bytes.
        fit: returns the wanted size for the picture's own, each width and height in pixels.
        formats: the only ones that Pillow may try; None for all it knows.

    Raises:
        UnreadablePhotographError: Pillow can't read it, or it has more than 250 megapixels.
    """
    try:
        with Image.open(BytesIO(content), formats=formats) as file:
            if file.width * file.height > _MAX_PIXELS:
                raise UnreadablePhotographError(f"more than {_MAX_PIXELS:,} pixels")
            file.draft(None, fit(file.size))  # JPEG's decoder can shrink by itself
            picture = _eight_bit(ImageOps.exif_transpose(file)).convert("RGB")
    except (
        OSError,
        SyntaxError,
        ValueError,
        Image.DecompressionBombError,
        Image.DecompressionBombWarning,  # where warnings are errors
    ) as error:
        raise UnreadablePhotographError(f"Pillow can't read it: {error}") from error
    return picture.resize(fit(picture.size), Image.Resampling.LANCZOS)


def _eight_bit(picture: Image.Image) -> Image.Image:
    """Read 16-bit grey as OpenCV does; Pillow would turn all but the darkest white."""
    if not picture.mode.startswith("I"):
        return picture
    return Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
