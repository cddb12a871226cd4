"""The job that a producer sends, `{"key": …}`, and the validation of its fields."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import NoneType
from typing import Final, NoReturn, TypeVar
from urllib.parse import unquote_plus

from landmarks.errors import MessageError

Fields = Mapping[str, object]
ObjectName = tuple[str, str]  # bucket and key, which identify a result

DIRECT_FIELDS: Final = frozenset({"key", "bucket", "version_id", "job_id", "force"})

# Endings of the keys of images, in lower case. template.yaml repeats them for S3's notifications.
IMAGE_SUFFIXES: Final = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),
    *(".png", ".webp", ".heic", ".heif", ".avif", ".tif", ".tiff", ".bmp", ".gif"),
)

# Endings of the keys of empty objects that make a folder visible: S3's console's and Hadoop's.
FOLDER_MARKER_SUFFIXES: Final = ("/", "_$folder$")

# Message attributes that say why a message became a dead letter. They replace a producer's own
# attributes of the same name.
REASON_ATTRIBUTES: Final = ("error_code", "error_message", "receive_count", "original_message_id")

_MAX_TEXT_BYTES: Final = 1024  # S3's limit for keys and version ids, in UTF-8
_MAX_JOB_ID_CHARACTERS: Final = 256
_MAX_EXCERPT_CHARACTERS: Final = 100  # error messages travel as SQS message attributes

# Everything that S3's API accepts as a bucket, including the reserved prefixes and suffixes of
# access point aliases. Buckets created in us-east-1 before March 2018 may have upper case,
# underscores and up to 255 characters.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
_BUCKET_NAME: Final = re.compile(
    r"(?!.*\.\.)"  # no two dots in a row
    r"(?![0-9]+(\.[0-9]+){3}\Z)"  # no IP address
    r"[A-Za-z0-9_][A-Za-z0-9._-]{1,253}[A-Za-z0-9_]"
)
# Multi-Region Access Points, whose ARNs have no region, need a signer that boto3 does not include.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-points-naming.html
_ACCESS_POINT_ARN: Final = re.compile(
    r"arn:aws[a-z-]*:s3[a-z-]*:[a-z0-9-]+:[0-9]{12}:"
    r"(outpost[/:][A-Za-z0-9-]{1,63}[/:])?accesspoint[/:][A-Za-z0-9.-]{1,63}"
)

_KINDS: Final = {
    NoneType: "nothing",
    bool: "a boolean",
    str: "a string",
    list: "a list",
    dict: "an object",
}

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Job:
    """One S3 object to process.

    Attributes:
        bucket: S3 bucket name.
        key: S3 object key, not URL-encoded, 1 to 1,024 bytes of UTF-8.
        version_id: the object version to read; None for the current one.
        etag: the ETag in the S3 event, without quotes.
        sequencer: hexadecimal string that orders S3's events on this key; only from S3 events.
        job_id: the producer's id for this job, up to 256 characters.
        force: process the object even if it is already done.
        message_id: id of the SQS message; None for a direct invocation.
        attempts: how often the message has been received.
    """

    bucket: str
    key: str
    version_id: str | None = None
    etag: str | None = None
    sequencer: str | None = None
    job_id: str | None = None
    force: bool = False
    message_id: str | None = None
    attempts: int = 1

    @property
    def object_name(self) -> ObjectName:
        """Bucket and key."""
        return self.bucket, self.key


def split_address(address: str) -> ObjectName:
    """Return the bucket and key in `s3://bucket/key`. An access point's ARN contains a slash."""
    text = address.removeprefix("s3://")
    arn = re.match(rf"({_ACCESS_POINT_ARN.pattern})(/|\Z)", text)
    bucket = arn[1] if arn else text.partition("/")[0]
    return bucket, text[len(bucket) + 1 :]


def refuse(error: MessageError) -> NoReturn:
    """Raise the error about an optional field."""
    raise error


def decode_direct(
    fields: Fields,
    *,
    default_bucket: str | None,
    malformed: Callable[[MessageError], None] = refuse,
) -> Job:
    """Decode a job in the direct form, `{"key": ..., "bucket": ...}`.

    Null fields count as missing, and unknown fields are ignored.

    Args:
        fields: the message.
        default_bucket: bucket for messages without one.
        malformed: called with the error if an optional field is invalid. If it returns, the field
            is ignored. An invalid bucket is always an error, because another bucket has another
            object.

    Raises:
        MessageError: the key is missing, or the bucket is missing or invalid.
    """
    key = required_text(fields, "key")
    bucket = default_bucket if fields.get("bucket") is None else bucket_name(fields, "bucket")
    if not bucket:
        raise MessageError("bucket: missing, and the setting IMAGE_BUCKET is not set")
    return Job(
        bucket,
        key,
        version_id=optional(_version_id, fields, "version_id", malformed),
        job_id=optional(_job_id, fields, "job_id", malformed),
        force=bool(optional(_boolean, fields, "force", malformed)),
    )


def optional(
    read: Callable[[Fields, str], T | None],
    fields: Fields,
    name: str,
    malformed: Callable[[MessageError], None],
) -> T | None:
    """Return an optional field; None if it is missing or malformed."""
    try:
        return read(fields, name)
    except MessageError as error:
        malformed(error)
        return None


def _version_id(fields: Fields, name: str) -> str | None:
    version_id = text(fields, name)
    if version_id == "":
        raise MessageError(f"{name}: empty")
    return version_id


def _job_id(fields: Fields, name: str) -> str | None:
    job_id = text(fields, name)
    if job_id and len(job_id) > _MAX_JOB_ID_CHARACTERS:
        raise MessageError(f"{name}: more than {_MAX_JOB_ID_CHARACTERS} characters")
    return job_id


def _boolean(fields: Fields, name: str) -> bool | None:
    value = fields.get(name)
    if not isinstance(value, bool | None):
        raise MessageError(f"{name}: expected true or false, got {kind(value)}")
    return value


def bucket_name(fields: Fields, name: str) -> str:
    """Return a field that must be the name of a bucket or access point."""
    bucket = required_text(fields, name)
    if not (_BUCKET_NAME.fullmatch(bucket) or _ACCESS_POINT_ARN.fullmatch(bucket)):
        raise MessageError(f"{name}: not a valid S3 bucket name: {excerpt(bucket)}")
    return bucket


def required_text(fields: Fields, name: str, *, form_encoded: bool = False) -> str:
    """Return a string field that must be present and not empty."""
    value = text(fields, name, form_encoded=form_encoded)
    if not value:
        raise MessageError(f"{name}: {'missing' if value is None else 'empty'}")
    return value


def text(fields: Fields, name: str, *, form_encoded: bool = False) -> str | None:
    """Return a string field, or None if it is missing. Checks that S3 and DynamoDB accept it."""
    value = fields.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise MessageError(f"{name}: expected a string, got {kind(value)}")
    try:
        decoded = unquote_plus(value, errors="strict") if form_encoded else value
        size_bytes = len(decoded.encode())
    except UnicodeError as error:
        raise MessageError(f"{name}: not UTF-8: {excerpt(value)}") from error
    if size_bytes > _MAX_TEXT_BYTES:
        raise MessageError(f"{name}: {size_bytes:,} bytes of UTF-8, allowed: {_MAX_TEXT_BYTES:,}")
    return decoded


def kind(value: object) -> str:
    """Return the name of a JSON value's type, for error messages."""
    return _KINDS.get(type(value), "a number")


def excerpt(value: str) -> str:
    """Return the beginning of a text, escaped, for error messages."""
    return repr(value[:_MAX_EXCERPT_CHARACTERS])[:_MAX_EXCERPT_CHARACTERS]
