"""Queue message → jobs, in every envelope that producers use.

Nothing here knows what a job does. Whatever a message holds, the answer is
jobs or one `MessageError`.

Powertools' data classes do not read the envelopes: its EventBridge class
form-decodes a key that is literal, undecodable keys become U+FFFD, and a shape
that AWS would not send raises anything from KeyError to AttributeError.
"""

import json
import re
from dataclasses import dataclass
from typing import NoReturn

from landmarks.errors import MessageError
from landmarks.job import (
    Fields,
    Job,
    _bucket,
    _excerpt,
    _kind,
    _required_text,
    _text,
    decode_direct,
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


@dataclass(frozen=True, slots=True)
class Buckets:
    """The bucket of jobs that name none, and those that may be named.

    Attributes:
        default: None where every job has to name its bucket.
        allowed: None allows every bucket that the worker's credentials can read.
        masks: where the worker itself puts segmentation masks, none of which is a job; None
            where it puts none.
    """

    default: str | None = None
    allowed: frozenset[str] | None = None
    masks: str | None = None

    def check(self, job: Job) -> Job:
        """The job, if its bucket is allowed.

        Raises:
            MessageError: it is not.
        """
        if job.bucket == self.masks:
            raise MessageError(f"bucket: {job.bucket} holds segmentation masks, not photographs")
        if self.allowed is not None and job.bucket not in self.allowed:
            raise MessageError(f"bucket: {job.bucket} is not allowed here")
        return job
