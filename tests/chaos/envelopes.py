"""The bodies of planned messages, as producers write them."""

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from tests import events
from tests.chaos import files
from tests.chaos.plan import Bucket, Envelope, Form, Plan, PlannedMessage, Ref
from tests.chaos.stories import IDLE


class Uploaded(NamedTuple):
    """ETag and version of an upload; the version is None without versioning."""

    etag: str
    version_id: str | None


# By place and upload.
Uploads = Mapping[tuple[int, int], Uploaded]


def sequencer(ref: Ref) -> str:
    """A sequencer that grows with each upload of a key, sometimes in length."""
    number = f"0055AED6DC{ref.place:04X}{(ref.upload or 0) + 1:02X}"
    return number + "5A" if (ref.place + (ref.upload or 0)) % 3 == 0 else number


def body(plan: Plan, message: PlannedMessage, uploads: Uploads, store: Callable[[str], str]) -> str:
    """The body of a message.

    Args:
        plan: the plan.
        message: a message of it.
        uploads: what was uploaded so far.
        store: stores the extended client's payload and returns its key in the plain bucket.
    """
    text = _bare(plan, message, uploads)
    for envelope in message.envelopes:
        text = _wrapped(envelope, text, store)
    return text


def _wrapped(envelope: Envelope, text: str, store: Callable[[str], str]) -> str:
    match envelope:
        case Envelope.SNS:
            return json.dumps(events.sns_envelope(text))
        case Envelope.SQS:
            return json.dumps(events.sqs_event(text))
        case Envelope.CUSTOM_EVENT:
            return json.dumps(events.custom_event(json.loads(text)))
        case Envelope.TEXT:
            return json.dumps(text)
        case Envelope.BYTE_ORDER_MARK:
            return "\ufeff" + text
        case Envelope.POINTER:
            return events.payload_pointer(Bucket.PLAIN, store(text))


def _bare(plan: Plan, message: PlannedMessage, uploads: Uploads) -> str:
    """The body of a message without its envelopes."""
    if message.form is Form.LITERAL:
        return message.text
    if message.form is Form.DIRECT:
        return json.dumps(_direct(plan, message, uploads), ensure_ascii=len(message.text) % 2 == 0)
    idle = message.story == IDLE
    if message.form is Form.EVENTBRIDGE:
        (ref,) = message.refs
        facts = _facts(plan, ref, uploads)
        kind = "Object Deleted" if idle else "Object Created"
        return json.dumps(events.eventbridge_created(**facts, detail_type=kind))
    kind = "ObjectRemoved:Delete" if idle else "ObjectCreated:Put"
    records = [_record(plan, ref, uploads, kind) for ref in message.refs]
    event: Mapping[str, object] = {"Records": records}
    if idle and message.refs[0].place % 2:
        event = events.s3_test_event(Bucket.PLAIN)
    return json.dumps(event)


def _direct(plan: Plan, message: PlannedMessage, uploads: Uploads) -> dict[str, object]:
    (ref,) = message.refs
    object_ = plan.objects[ref.place]
    fields: dict[str, object] = {"key": object_.key, "job_id": message.text}
    # IMAGE_BUCKET is the plain bucket.
    if object_.bucket is not Bucket.PLAIN or ref.place % 2:
        fields["bucket"] = object_.bucket.value
    uploaded = _uploaded(plan, ref, uploads)
    if uploaded and uploaded.version_id:
        fields["version_id"] = uploaded.version_id
    if message.force:
        fields["force"] = True
    return fields


def _record(plan: Plan, ref: Ref, uploads: Uploads, event_name: str) -> Any:  # noqa: ANN401, JSON
    facts = _facts(plan, ref, uploads)
    (record,) = events.s3_notification(facts.pop("key"), **facts, event_name=event_name)["Records"]
    return record


def _facts(plan: Plan, ref: Ref, uploads: Uploads) -> dict[str, Any]:
    object_, uploaded = plan.objects[ref.place], _uploaded(plan, ref, uploads)
    return {
        "key": object_.key,
        "bucket": object_.bucket.value,
        "etag": uploaded.etag if uploaded else events.ETAG,
        "version_id": uploaded.version_id if uploaded else None,
        "sequencer": sequencer(ref),
    }


def _uploaded(plan: Plan, ref: Ref, uploads: Uploads) -> Uploaded | None:
    """What S3 answered, or will answer: a message may be sent before its object exists."""
    if ref.upload is None:
        return None
    if found := uploads.get((ref.place, ref.upload)):
        return found
    return Uploaded(files.etag(plan.objects[ref.place].contents[ref.upload]), None)
