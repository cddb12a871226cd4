"""Reads the photograph that a result belongs to, and decodes it upright."""

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

# S3 answers 405 for deleted versions and delete markers.
_GONE: Final = {404, 405}
_DENIED: Final = {401, 403}

# The largest value of the setting MAX_IMAGE_PIXELS.
_MAX_PIXELS: Final = 250_000_000

# Pillow warns above this size. Filtering warnings around each `open` would not be thread-safe.
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


def read_upright(
    content: bytes, fit: Callable[[Size], Size], formats: tuple[str, ...] | None = None
) -> Image.Image:
    """Decode a picture as RGB and apply its EXIF orientation. Thread-safe.

    Args:
        content: the file's bytes.
        fit: maps the picture's size to the size to return, both (width, height) in pixels.
        formats: formats that Pillow may try; None for all.

    Raises:
        UnreadablePhotographError: Pillow can't read it, or it has more than 250 megapixels.
    """
    try:
        with Image.open(BytesIO(content), formats=formats) as file:
            if file.width * file.height > _MAX_PIXELS:
                raise UnreadablePhotographError(f"more than {_MAX_PIXELS:,} pixels")
            file.draft(None, fit(file.size))  # the JPEG decoder can scale down
            picture = _eight_bit(ImageOps.exif_transpose(file)).convert("RGB")
    except (
        OSError,
        SyntaxError,
        ValueError,
        Image.DecompressionBombError,
        Image.DecompressionBombWarning,  # if warnings are errors
    ) as error:
        raise UnreadablePhotographError(f"Pillow can't read it: {error}") from error
    return picture.resize(fit(picture.size), Image.Resampling.LANCZOS)


def _eight_bit(picture: Image.Image) -> Image.Image:
    """Convert 16-bit grey as OpenCV does; Pillow would turn all but the darkest pixels white."""
    if not picture.mode.startswith("I"):
        return picture
    return Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
