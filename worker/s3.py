"""S3 object → identity, then bytes, within bounds of size and time."""

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final, NotRequired, TypedDict

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.response import StreamingBody
from urllib3.exceptions import HTTPError

from landmarks.errors import (
    AccessDeniedError,
    DeadlineError,
    ObjectNotFoundError,
    ServiceError,
    TooManyBytesError,
    TransientError,
)
from landmarks.groups import MaskPlace
from landmarks.job import Job

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# An image is a few megabytes from the same region: a service that takes longer
# than this to begin is in trouble, and the job does better to come again.
CLIENT_CONFIG: Final = Config(
    connect_timeout=2,
    read_timeout=5,
    retries={"mode": "standard", "total_max_attempts": 2},
    max_pool_connections=32,
    user_agent="landmark-worker",  # botocore's own is put together anew for every request
)


# The deadline is looked at after each: S3 at 10 kB a second needs 3 s for one.
_CHUNK_BYTES: Final = 32 * 1024


_NOT_MODIFIED: Final = 304


_GONE_CODES: Final = {"404", "NoSuchKey", "NoSuchBucket", "NoSuchVersion", "MethodNotAllowed"}


_DENIED_STATUSES: Final = {401, 403}


class _Request(TypedDict):
    Bucket: str
    Key: str
    VersionId: NotRequired[str]
    IfNoneMatch: NotRequired[str]


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


class OpenObject:
    """An object whose identity is known and whose content has yet to be read."""

    def __init__(self, identity: ObjectIdentity, body: StreamingBody, max_bytes: int) -> None:
        """Read from `body` at most `max_bytes`."""
        self.identity = identity
        self._body = body
        self._max_bytes = max_bytes

    def read(self, deadline: float) -> bytes:
        """The content.

        Args:
            deadline: by the monotonic clock, in seconds.

        Raises:
            TooManyBytesError: there are more than allowed; none is read.
            ServiceError: S3 broke off.
            DeadlineError: S3 was too slow.
        """
        size = self.identity.size_bytes
        if size > self._max_bytes:
            raise TooManyBytesError(f"{size} bytes, and at most {self._max_bytes} are allowed")
        content = bytearray()
        with service_errors():
            for chunk in self._body.iter_chunks(_CHUNK_BYTES):
                content += chunk
                if time.monotonic() > deadline:
                    raise DeadlineError("the time ran out while reading the object")
        return bytes(content)

    def close(self) -> None:
        """Give the connection back, whatever is left unread."""
        self._body.close()


class ObjectReader:
    """Opens images in S3."""

    def __init__(self, client: "S3Client", max_image_bytes: int) -> None:
        """Read with `client`, never more than `max_image_bytes` of one object."""
        self._client = client
        self._max_bytes = max_image_bytes

    @contextmanager
    def open(self, job: Job, *, unless_etag: str | None = None) -> Iterator[OpenObject | None]:
        """The object that a job names; None if its content is still `unless_etag`.

        Raises:
            TransientError: it isn't there, isn't ours to read, or S3 fails.
        """
        opened = self._open(job, unless_etag)
        try:
            yield opened
        finally:
            if opened:
                opened.close()

    def _open(self, job: Job, unless_etag: str | None) -> OpenObject | None:
        request: _Request = {"Bucket": job.bucket, "Key": job.key}
        if job.version_id is not None:
            request["VersionId"] = job.version_id
        if unless_etag is not None:
            request["IfNoneMatch"] = f'"{unless_etag}"'
        try:
            with service_errors():
                answer = self._client.get_object(**request)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == _NOT_MODIFIED:
                return None
            raise _as_transient(error, job) from error
        etag = answer["ETag"].strip('"')
        identity = ObjectIdentity(
            etag=etag,
            last_modified=answer["LastModified"],
            size_bytes=answer["ContentLength"],
            version_id=answer.get("VersionId"),
            # An event about content that has been replaced since says nothing
            # about the order of what was read.
            sequencer=job.sequencer if job.etag in (None, etag) else None,
        )
        return OpenObject(identity, answer["Body"], self._max_bytes)


@contextmanager
def service_errors() -> Iterator[None]:
    """Time-outs, refused and broken connections, by their own name.

    botocore lets urllib3's errors through where the body of an error breaks off.
    """
    try:
        yield
    except (BotoCoreError, HTTPError) as error:
        raise ServiceError(f"S3: {error}") from error


def _as_transient(error: ClientError, job: Job) -> TransientError:
    code = error.response["Error"]["Code"]
    place = f"{job.key!r} in bucket {job.bucket!r}"
    if code in _GONE_CODES:
        return ObjectNotFoundError(f"S3 has no {place} ({code})")
    return refusal(error, place)


def refusal(error: ClientError, place: str) -> TransientError:
    """What S3 does not do now, and may do later; `place` says with which object."""
    code = error.response["Error"]["Code"]
    status = error.response["ResponseMetadata"]["HTTPStatusCode"]
    if status in _DENIED_STATUSES:
        return AccessDeniedError(f"S3 refuses {place} ({code})")
    return ServiceError(f"S3 answered {status} {code} for {place}")


# Of a key, in UTF-8: S3's limit.
_MAX_KEY_BYTES: Final = 1024


class MaskStore:
    """Puts masks into one bucket."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        """Write to `bucket` with `client`."""
        self._client = client
        self._bucket = bucket

    def put(self, job: Job, etag: str, png: bytes) -> MaskPlace:
        """Store the mask of one content of a job's object, and tell where.

        Raises:
            TransientError: the bucket isn't there, isn't ours to write to, or S3 fails.
        """
        place = MaskPlace(self._bucket, mask_key(job, etag))
        try:
            with service_errors():
                self._client.put_object(
                    Bucket=place.bucket, Key=place.key, Body=png, ContentType="image/png"
                )
        except ClientError as error:
            raise refusal(error, f"the mask {place.key!r} in bucket {place.bucket!r}") from error
        return place


def mask_key(job: Job, etag: str) -> str:
    """The key of a mask: bucket and key of the image, and which content of it.

    An older content's mask, put late, so never takes the place of a newer one's.
    """
    key = f"{job.bucket}/{job.key}/{etag}.png"
    if len(key.encode()) <= _MAX_KEY_BYTES:
        return key
    return f"{job.bucket}/sha256/{hashlib.sha256(key.encode()).hexdigest()}.png"
