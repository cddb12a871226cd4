"""A job as producers write it: `{"key": …}`, checked."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import NoneType
from urllib.parse import unquote_plus

from landmarks.errors import MessageError

_MAX_TEXT_BYTES = 1024  # S3's limit for keys and version ids, in UTF-8


_MAX_JOB_ID_CHARACTERS = 256


_MAX_EXCERPT_CHARACTERS = 100  # error messages travel as SQS message attributes


# The message attributes that say why a message became a dead letter. A producer's own
# attributes of these names are lost.
REASON_ATTRIBUTES = ("error_code", "error_message", "receive_count", "original_message_id")

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
# Reserved prefixes and suffixes are let through: access point aliases have them.
_BUCKET_NAME = re.compile(
    r"(?!.*\.\.)"  # no two dots in a row
    r"(?![0-9]+(\.[0-9]+){3}\Z)"  # no IP address
    r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"
)


_KINDS = {
    NoneType: "nothing",
    bool: "a boolean",
    str: "a string",
    list: "a list",
    dict: "an object",
}


Fields = Mapping[str, object]


# Bucket and key: what a result is stored under.
ObjectName = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Job:
    """One S3 object whose landmarks are wanted.

    Attributes:
        bucket: S3 bucket name.
        key: S3 object key, literal (never URL-encoded), 1 to 1,024 bytes of UTF-8.
        version_id: the object version to read; None reads the current one.
        etag: what the producer says the content is, without quotes.
        sequencer: S3's order of events on this key, hexadecimal; only from S3 events.
        job_id: the producer's own name for this job, up to 256 characters.
        force: process even if the same content is already done.
    """

    bucket: str
    key: str
    version_id: str | None = None
    etag: str | None = None
    sequencer: str | None = None
    job_id: str | None = None
    force: bool = False

    @property
    def object_name(self) -> ObjectName:
        """What its result is stored under."""
        return self.bucket, self.key


def decode_direct(fields: Fields, *, default_bucket: str | None) -> Job:
    """Return the job of the direct form, `{"key": ..., "bucket": ...}`.

    Fields that are null count as absent; fields with other names are the producer's own.

    Raises:
        MessageError: the key is missing or a field is wrong.
    """
    key = _required_text(fields, "key")
    bucket = default_bucket if fields.get("bucket") is None else _bucket(fields, "bucket")
    if not bucket:
        raise MessageError("bucket: missing, and the setting IMAGE_BUCKET is not set")
    version_id = _text(fields, "version_id")
    if version_id == "":
        raise MessageError("version_id: empty")
    job_id = _text(fields, "job_id")
    if job_id and len(job_id) > _MAX_JOB_ID_CHARACTERS:
        raise MessageError(f"job_id: more than {_MAX_JOB_ID_CHARACTERS} characters")
    force = fields.get("force")
    if not isinstance(force, bool | None):
        raise MessageError(f"force: expected true or false, got {_kind(force)}")
    return Job(bucket, key, version_id=version_id, job_id=job_id, force=bool(force))


def _bucket(fields: Fields, name: str) -> str:
    bucket = _required_text(fields, name)
    if not _BUCKET_NAME.fullmatch(bucket):
        raise MessageError(f"{name}: no S3 bucket name: {_excerpt(bucket)}")
    return bucket


def _text(fields: Fields, name: str, *, form_encoded: bool = False) -> str | None:
    """Return a field that is text S3 and DynamoDB can hold, or None if it is absent."""
    value = fields.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise MessageError(f"{name}: expected a string, got {_kind(value)}")
    try:
        text = unquote_plus(value, errors="strict") if form_encoded else value
        size_bytes = len(text.encode())
    except UnicodeError as error:
        raise MessageError(f"{name}: not UTF-8: {_excerpt(value)}") from error
    if size_bytes > _MAX_TEXT_BYTES:
        raise MessageError(f"{name}: {size_bytes:,} bytes of UTF-8, allowed: {_MAX_TEXT_BYTES:,}")
    return text


def _required_text(fields: Fields, name: str, *, form_encoded: bool = False) -> str:
    text = _text(fields, name, form_encoded=form_encoded)
    if not text:
        raise MessageError(f"{name}: {'missing' if text is None else 'empty'}")
    return text


def _kind(value: object) -> str:
    return _KINDS.get(type(value), "a number")


def _excerpt(text: str) -> str:
    """Return the beginning of text, printable and bounded."""
    return repr(text[:_MAX_EXCERPT_CHARACTERS])[:_MAX_EXCERPT_CHARACTERS]
