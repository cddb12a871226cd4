"""Queue message → jobs, in every envelope that producers use.

Nothing here knows what a job does. Whatever a message holds, the answer is
jobs or one `MessageError`.

Powertools' data classes do not read the envelopes: its EventBridge class
form-decodes a key that is literal, undecodable keys become U+FFFD, and a shape
that AWS would not send raises anything from KeyError to AttributeError.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import NoneType
from typing import NoReturn
from urllib.parse import unquote_plus

from worker.errors import MessageError

_MAX_TEXT_BYTES = 1024  # S3's limit for keys and version ids, in UTF-8
_MAX_JOB_ID_CHARACTERS = 256
_MAX_EXCERPT_CHARACTERS = 100  # error messages travel as SQS message attributes

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
# Reserved prefixes and suffixes are let through: access point aliases have them.
_BUCKET_NAME = re.compile(
    r"(?!.*\.\.)"  # no two dots in a row
    r"(?![0-9]+(\.[0-9]+){3}\Z)"  # no IP address
    r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"
)
_HEXADECIMAL = re.compile(r"[0-9A-Fa-f]+")

# What S3 tells of an object without giving it new content. Any other name is an
# error rather than ignored, so that a misspelt event loses no job in silence.
_OTHER_NOTIFICATIONS = frozenset(
    {
        "IntelligentTiering",
        "LifecycleExpiration",
        "LifecycleTransition",
        "ObjectAcl",
        "ObjectRemoved",
        "ObjectRestore",
        "ObjectTagging",
        "ReducedRedundancyLostObject",
        "Replication",
    }
)
_CREATING_DETAIL_TYPES = frozenset({"Object Created", "Object Restore Completed"})
_OTHER_DETAIL_TYPES = frozenset(
    {
        "Async Copy Completion",
        "Object ACL Updated",
        "Object Access Tier Changed",
        "Object Deleted",
        "Object Restore Expired",
        "Object Restore Initiated",
        "Object Storage Class Changed",
        "Object Tags Added",
        "Object Tags Deleted",
    }
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


def decode_message(body: str, *, default_bucket: str | None) -> tuple[Job, ...]:
    """Return the jobs that a queue message asks for.

    A message of several records is decoded whole or not at all: one unreadable
    record refuses it. An empty tuple means that there is nothing to do: S3's test
    event, or events that give an object no new content (removed, tagged, expired).

    Args:
        body: the SQS message's body.
        default_bucket: the bucket of messages that name none.

    Raises:
        MessageError: the body is none of the envelopes or a field of it is wrong.
    """
    envelope = _parse(body, "body")
    if "key" in envelope:
        return (decode_direct(envelope, default_bucket=default_bucket),)
    if envelope.get("Type") == "Notification":
        return _notified_jobs(_parse(envelope.get("Message"), "Message"))
    if envelope.get("source") == "aws.s3":
        return _eventbridge_jobs(envelope)
    return _notified_jobs(envelope)


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


def _notified_jobs(envelope: Fields) -> tuple[Job, ...]:
    """Read an S3 event notification."""
    if envelope.get("Event") == "s3:TestEvent":
        return ()
    if "Records" not in envelope:
        names = _excerpt(", ".join(envelope))
        raise MessageError(
            f"expected `key`, S3's `Records`, or an EventBridge or SNS envelope, got fields {names}"
        )
    records = envelope["Records"]
    if not isinstance(records, list) or not records:
        raise MessageError("Records: expected a list of at least one record")
    created = filter(_notifies_content, (_object(record, "Records[]") for record in records))
    events = (_object(record.get("s3"), "s3") for record in created)
    return tuple(
        _event_job(event, version_id="versionId", etag="eTag", form_encoded=True)
        for event in events
    )


def _notifies_content(record: Fields) -> bool:
    """Tell whether a record is about new content; a restored object counts as new."""
    event_name = _required_text(record, "eventName")
    name = event_name.removeprefix("s3:")  # S3-compatible stores send the prefix
    if name.startswith("ObjectCreated:") or name == "ObjectRestore:Completed":
        return True
    if name.partition(":")[0] in _OTHER_NOTIFICATIONS:
        return False
    raise MessageError(f"eventName: no event of S3: {_excerpt(event_name)}")


def _eventbridge_jobs(envelope: Fields) -> tuple[Job, ...]:
    """Read an EventBridge event of S3; its key is literal, unlike a notification's."""
    detail_type = _required_text(envelope, "detail-type")
    if detail_type in _OTHER_DETAIL_TYPES:
        return ()
    if detail_type not in _CREATING_DETAIL_TYPES:
        raise MessageError(f"detail-type: no event of S3: {_excerpt(detail_type)}")
    detail = _object(envelope.get("detail"), "detail")
    return (_event_job(detail, version_id="version-id", etag="etag", form_encoded=False),)


def _event_job(event: Fields, *, version_id: str, etag: str, form_encoded: bool) -> Job:
    """Read what both kinds of event nest alike but spell differently."""
    bucket = _object(event.get("bucket"), "bucket")
    s3_object = _object(event.get("object"), "object")
    return Job(
        bucket=_bucket(bucket, "name"),
        key=_required_text(s3_object, "key", form_encoded=form_encoded),
        version_id=_text(s3_object, version_id) or None,
        etag=(_text(s3_object, etag) or "").strip('"') or None,
        sequencer=_sequencer(s3_object),
    )


def _sequencer(s3_object: Fields) -> str | None:
    """Return the sequencer in upper case, so that two of them compare as text."""
    sequencer = _text(s3_object, "sequencer") or None
    if sequencer and not _HEXADECIMAL.fullmatch(sequencer):
        raise MessageError(f"sequencer: not hexadecimal: {_excerpt(sequencer)}")
    return sequencer and sequencer.upper()


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


def _parse(text: object, name: str) -> Fields:
    """Read text as one JSON object."""
    if not isinstance(text, str):
        raise MessageError(f"{name}: expected a string of JSON, got {_kind(text)}")
    try:
        value = _JSON.decode(text)
    except (ValueError, RecursionError) as error:
        raise MessageError(f"{name}: not JSON ({error}): {_excerpt(text)}") from error
    return _object(value, name)


def _object(value: object, name: str) -> Fields:
    if not isinstance(value, dict):
        raise MessageError(f"{name}: expected an object, got {_kind(value)}")
    return value


def _unique_fields(pairs: list[tuple[str, object]]) -> Fields:
    """Refuse what JSON leaves open: of two keys in one object, one would be lost."""
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise ValueError("a field stands twice in one object")
    return fields


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


_JSON = json.JSONDecoder(object_pairs_hook=_unique_fields, parse_constant=_refuse_constant)


def _kind(value: object) -> str:
    return _KINDS.get(type(value), "a number")


def _excerpt(text: str) -> str:
    """Return the beginning of text, printable and bounded."""
    return repr(text[:_MAX_EXCERPT_CHARACTERS])[:_MAX_EXCERPT_CHARACTERS]
