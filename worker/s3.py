"""Reads images from S3, with limits on size and time, and stores masks."""

import hashlib
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final, NotRequired, TypedDict

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.response import StreamingBody
from urllib3.exceptions import HTTPError

from landmarks.errors import (
    AccessDeniedError,
    DeadlineError,
    ImageError,
    ServiceError,
    TooManyBytesError,
)
from landmarks.groups import MaskPlace
from landmarks.job import FOLDER_MARKER_SUFFIXES, Job
from worker.result import ObjectIdentity
from worker.s3_errors import meaning, refusal, status

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# Images are a few megabytes from the same region. If S3 takes longer to respond, it has a problem,
# and the job is better retried.
CLIENT_CONFIG: Final = Config(
    connect_timeout=2,
    read_timeout=5,
    retries={"mode": "standard", "total_max_attempts": 2},
    max_pool_connections=32,
    user_agent="landmark-worker",  # botocore rebuilds its default for every request
)

# The deadline is checked after each chunk, which takes 3 s at 10 kB/s.
_CHUNK_BYTES: Final = 32 * 1024
_MAX_KEY_BYTES: Final = 1024  # S3's limit, in UTF-8

_FOLDER_TYPE: Final = "application/x-directory"

# Date of a version that S3 reveals nothing about: older than any other.
_UNKNOWN_DATE: Final = datetime.fromtimestamp(0, UTC)


class _Version(TypedDict):
    Bucket: str
    Key: str
    VersionId: NotRequired[str]


class _Condition(TypedDict):
    IfNoneMatch: NotRequired[str]


class OpenObject:
    """An object whose identity is known, but whose content has not been read yet.

    Args:
        identity: identity of the content.
        body: the content, or the permanent error for which S3 won't return it.
        max_bytes: larger objects are not read.
        is_folder_marker: whether it is empty and only there to make a folder visible.
    """

    def __init__(
        self,
        identity: ObjectIdentity,
        body: StreamingBody | ImageError,
        max_bytes: int,
        *,
        is_folder_marker: bool = False,
    ) -> None:
        self.identity = identity
        self.is_folder_marker = is_folder_marker
        self._body = body
        self._max_bytes = max_bytes

    def read(self, deadline: float) -> bytes:
        """Read the content.

        Args:
            deadline: on the monotonic clock, in seconds.

        Raises:
            ImageError: S3 permanently refused, or the object is too large. Nothing is read.
            ServiceError: the connection broke.
            DeadlineError: S3 was too slow.
        """
        if isinstance(self._body, ImageError):
            raise self._body
        size = self.identity.size_bytes
        if size > self._max_bytes:
            raise TooManyBytesError(f"{size} bytes, more than the {self._max_bytes} allowed")
        content = BytesIO()  # returns its buffer: the content is never in memory twice
        with _service_errors():
            for chunk in self._body.iter_chunks(_CHUNK_BYTES):
                content.write(chunk)
                if time.monotonic() > deadline:
                    raise DeadlineError("time ran out while reading the object")
        return content.getvalue()

    def close(self) -> None:
        """Close the connection, even if content is left unread."""
        if not isinstance(self._body, ImageError):
            self._body.close()


class ObjectReader:
    """Opens images in S3 that have at most `max_image_bytes`."""

    def __init__(self, client: "S3Client", max_image_bytes: int) -> None:
        self._client = client
        self._max_bytes = max_image_bytes

    @contextmanager
    def open(self, job: Job, *, unless_etag: str | None = None) -> Iterator[OpenObject | None]:
        """Open a job's object; yields None if its ETag is still `unless_etag`.

        Raises:
            ObjectDeletedError: the object or the version was deleted.
            MessageError: S3 does not accept the bucket's, key's or version's name.
            TransientError: the object does not exist, access is denied, or S3 fails.
        """
        opened = self._open(job, unless_etag)
        try:
            yield opened
        finally:
            if opened:
                opened.close()

    def _open(self, job: Job, unless_etag: str | None) -> OpenObject | None:
        now = datetime.now(UTC)
        version: _Version = {"Bucket": job.bucket, "Key": job.key}
        if job.version_id is not None:
            version["VersionId"] = job.version_id
        condition: _Condition = {} if unless_etag is None else {"IfNoneMatch": f'"{unless_etag}"'}
        try:
            with _service_errors():
                answer = self._client.get_object(**version, **condition)
        except ClientError as error:
            if status(error) == HTTPStatus.NOT_MODIFIED:
                return None
            reason = refusal(error, meaning(error), _name(job))
            if not isinstance(reason, ImageError):
                raise reason from error
            return OpenObject(self._look_at(job, version, now), reason, self._max_bytes)
        return OpenObject(
            _identity(job, answer),
            answer["Body"],
            self._max_bytes,
            is_folder_marker=_is_folder_marker(job, answer),
        )

    def _look_at(self, job: Job, version: _Version, now: datetime) -> ObjectIdentity:
        """Return the identity of an object whose content S3 does not return.

        S3 returns metadata of archived objects, but not of objects encrypted with a
        customer-provided key. Unless the job specifies a version, those count as modified `now`.
        """
        try:
            with _service_errors():
                return _identity(job, self._client.head_object(**version))
        except ClientError as error:
            if status(error) != HTTPStatus.BAD_REQUEST:
                raise refusal(error, meaning(error), _name(job)) from error
        return ObjectIdentity(
            etag=job.etag or "",
            last_modified=now if job.version_id is None else _UNKNOWN_DATE,
            size_bytes=0,
            version_id=job.version_id,
            sequencer=job.sequencer,
        )


class MaskStore:
    """Stores masks in one bucket."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def put(self, job: Job, etag: str, png: bytes) -> MaskPlace:
        """Store the mask of a job's object with this ETag, and return its place.

        Raises:
            TransientError: the bucket does not exist, access is denied, or S3 fails.
        """
        place = MaskPlace(self._bucket, mask_key(job, etag))
        try:
            with _service_errors():
                self._client.put_object(
                    Bucket=place.bucket, Key=place.key, Body=png, ContentType="image/png"
                )
        except ClientError as error:
            denied = meaning(error) is AccessDeniedError
            kind = AccessDeniedError if denied else ServiceError
            name = f"the mask {place.key!r} in bucket {place.bucket!r}"
            raise refusal(error, kind, name) from error
        return place


def mask_key(job: Job, etag: str) -> str:
    """Return the key of a mask: the image's bucket, key and ETag.

    Because of the ETag, a late mask of older content never replaces a newer one.
    """
    key = f"{job.bucket}/{job.key}/{etag}.png"
    if len(key.encode()) <= _MAX_KEY_BYTES:
        return key
    return f"{job.bucket}/sha256/{hashlib.sha256(key.encode()).hexdigest()}.png"


def _identity(job: Job, answer: Mapping[str, Any]) -> ObjectIdentity:
    etag = answer["ETag"].strip('"')
    return ObjectIdentity(
        etag=etag,
        last_modified=answer["LastModified"],
        size_bytes=answer["ContentLength"],
        version_id=answer.get("VersionId"),
        # If the content has been replaced since the event, its sequencer says nothing about the
        # present content.
        sequencer=job.sequencer if job.etag in (None, etag) else None,
    )


def _is_folder_marker(job: Job, answer: Mapping[str, Any]) -> bool:
    content_type: str = answer.get("ContentType", "")
    named = job.key.endswith(FOLDER_MARKER_SUFFIXES) or content_type.startswith(_FOLDER_TYPE)
    return named and not answer["ContentLength"]


@contextmanager
def _service_errors() -> Iterator[None]:
    """Translate time-outs and connection errors.

    botocore lets urllib3's errors through if the connection breaks within an error's body.
    """
    try:
        yield
    except (BotoCoreError, HTTPError) as error:
        raise ServiceError(f"S3: {error}") from error


def _name(job: Job) -> str:
    return f"{job.key!r} in bucket {job.bucket!r}"
