"""Message or event → jobs, in every form that producers use.

Nothing here knows what a job does. Whatever a message holds, the answer is jobs or one
`MessageError`.
"""

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from landmarks.errors import MessageError
from landmarks.job import (
    FOLDER_MARKER_SUFFIXES,
    Fields,
    Job,
    bucket_name,
    decode_direct,
    excerpt,
    optional,
    required_text,
    text,
)
from worker.envelopes import ReadPayload, as_object, parse, unwrap

_LOG = logging.getLogger(__name__)

_HEXADECIMAL: Final = re.compile(r"[0-9A-Fa-f]+")
_URL_READY: Final = re.compile(r"[!-~]+")

# S3's events that give an object no new content. Any other name is an error rather than ignored,
# so that a misspelt event does not lose jobs in silence.
_OTHER_NOTIFICATIONS: Final = {
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
_CREATING_DETAIL_TYPES: Final = {"Object Created", "Object Restore Completed"}
_OTHER_DETAIL_TYPES: Final = {
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


@dataclass(frozen=True, slots=True)
class Buckets:
    """Which buckets jobs may name, and the one for jobs that name none.

    Attributes:
        default: None where every job has to name its bucket.
        allowed: None allows every bucket that the worker's credentials can read.
        masks: where the worker puts segmentation masks, which are never jobs themselves; None
            where it puts none.
    """

    default: str | None = None
    allowed: frozenset[str] | None = None
    masks: str | None = None

    def check(self, job: Job) -> Job:
        """Return the job if its bucket is allowed.

        Raises:
            MessageError: it is not.
        """
        if job.bucket == self.masks:
            raise MessageError(f"bucket: {job.bucket} holds segmentation masks, not photographs")
        if self.allowed is not None and job.bucket not in self.allowed:
            raise MessageError(f"bucket: {job.bucket} is not allowed here")
        return job


def no_payload(bucket: str, key: str) -> str:
    """Refuse to read a message body from S3."""
    raise MessageError(f"payload: {excerpt(key)} in bucket {excerpt(bucket)} can't be read here")


def decode_message(
    body: str, *, default_bucket: str | None, read_payload: ReadPayload = no_payload
) -> tuple[Job, ...]:
    """Return the jobs that a queue message asks for; see `decode_event`.

    Args:
        body: the SQS message's body.
        default_bucket: the bucket of messages that name none.
        read_payload: reads a body that its producer left in S3.

    Raises:
        MessageError: the body is none of the forms, or a field that it needs is wrong.
        TransientError: the body in S3 could not be read.
    """
    value = parse(body, "body")
    return _decode(value, "body", default_bucket=default_bucket, read_payload=read_payload)


def decode_event(
    event: object, *, default_bucket: str | None, read_payload: ReadPayload = no_payload
) -> tuple[Job, ...]:
    """Return the jobs that an event asks for.

    An event with several records is decoded as a whole: one unreadable record refuses it. An
    empty tuple means that there is nothing to do: S3's test event, or events that give an object
    no new content (removed, tagged, expired, folder markers). Optional fields that are malformed
    are left out, with a warning in the log.

    Args:
        event: any JSON.
        default_bucket: the bucket of messages that name none.
        read_payload: reads a message body that its producer left in S3.

    Raises:
        MessageError: the event is none of the forms, or a field that it needs is wrong.
        TransientError: the body in S3 could not be read.
    """
    return _decode(event, "event", default_bucket=default_bucket, read_payload=read_payload)


def _decode(
    value: object, name: str, *, default_bucket: str | None, read_payload: ReadPayload
) -> tuple[Job, ...]:
    forms = unwrap(value, name, read_payload)
    return tuple(job for form in forms for job in _jobs(form, default_bucket))


def _jobs(form: Fields, default_bucket: str | None) -> tuple[Job, ...]:
    if "key" in form:
        malformed = partial(_leave_out, form)
        return (decode_direct(form, default_bucket=default_bucket, malformed=malformed),)
    if form.get("source") == "aws.s3":
        return _eventbridge_jobs(form)
    return _notified_jobs(form)


def _notified_jobs(envelope: Fields) -> tuple[Job, ...]:
    """Read an S3 event notification."""
    if envelope.get("Event") == "s3:TestEvent":
        return ()
    if "Records" not in envelope:
        names = excerpt(", ".join(envelope))
        raise MessageError(
            f"expected `key`, S3's `Records`, or an EventBridge or SNS envelope, got fields {names}"
        )
    records = envelope["Records"]
    if not isinstance(records, list) or not records:
        raise MessageError("Records: expected a list of at least one record")
    created = filter(_notifies_content, (as_object(record, "Records[]") for record in records))
    events = (as_object(record.get("s3"), "s3") for record in created)
    jobs = (
        _event_job(event, version_id="versionId", etag="eTag", form_encoded=True)
        for event in events
    )
    return tuple(job for job in jobs if job)


def _notifies_content(record: Fields) -> bool:
    """Tell whether a record is about new content; a restored object counts as new."""
    event_name = required_text(record, "eventName")
    name = event_name.removeprefix("s3:")  # S3-compatible stores send the prefix
    if name.startswith("ObjectCreated:") or name == "ObjectRestore:Completed":
        return True
    if name.partition(":")[0] in _OTHER_NOTIFICATIONS:
        return False
    raise MessageError(f"eventName: no event of S3: {excerpt(event_name)}")


def _eventbridge_jobs(envelope: Fields) -> tuple[Job, ...]:
    """Read an EventBridge event of S3; its key is literal, unlike a notification's."""
    detail_type = required_text(envelope, "detail-type")
    if detail_type in _OTHER_DETAIL_TYPES:
        return ()
    if detail_type not in _CREATING_DETAIL_TYPES:
        raise MessageError(f"detail-type: no event of S3: {excerpt(detail_type)}")
    detail = as_object(envelope.get("detail"), "detail")
    job = _event_job(detail, version_id="version-id", etag="etag", form_encoded=False)
    return (job,) if job else ()


def _event_job(event: Fields, *, version_id: str, etag: str, form_encoded: bool) -> Job | None:
    """Read what both kinds of event nest alike but spell differently; None for a folder marker."""
    bucket = bucket_name(as_object(event.get("bucket"), "bucket"), "name")
    s3_object = as_object(event.get("object"), "object")
    key = required_text(s3_object, "key", form_encoded=form_encoded)
    if key.endswith(FOLDER_MARKER_SUFFIXES) and s3_object.get("size") == 0:
        return None

    def read(reader: Callable[[Fields, str], str | None], name: str) -> str | None:
        return optional(reader, s3_object, name, partial(_leave_out, s3_object)) or None

    return Job(
        bucket,
        key,
        version_id=read(_version_id, version_id),
        etag=(read(text, etag) or "").strip('"') or None,
        sequencer=read(_sequencer, "sequencer"),
    )


def _version_id(s3_object: Fields, name: str) -> str | None:
    """Return a version id as S3 makes them, which need no encoding in a URL."""
    version_id = text(s3_object, name)
    if version_id and not _URL_READY.fullmatch(version_id):
        raise MessageError(f"{name}: no version id: {excerpt(version_id)}")
    return version_id


def _sequencer(s3_object: Fields, name: str) -> str | None:
    """Return the sequencer in upper case, so that two of them compare as text."""
    sequencer = text(s3_object, name)
    if sequencer and not _HEXADECIMAL.fullmatch(sequencer):
        raise MessageError(f"{name}: not hexadecimal: {excerpt(sequencer)}")
    return sequencer and sequencer.upper()


def _leave_out(fields: Fields, error: MessageError) -> None:
    _LOG.warning("field left out", extra={"key": fields["key"], "error_message": str(error)})
