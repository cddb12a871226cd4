"""Malformed messages; a number makes each unique."""

import json
from collections.abc import Callable, Mapping
from typing import Final

from tests import events

_Make = Callable[[int], str]
_Envelope = Callable[[Mapping[str, object]], Mapping[str, object]]


def _json(**fields: object) -> _Make:
    return lambda number: json.dumps({**fields, "number": number})


def _text(text: str) -> _Make:
    return lambda number: text.replace("NUMBER", str(number))


def _notification(**changes: object) -> _Make:
    """An S3 event with a changed record."""

    def make(number: int) -> str:
        (record,) = events.s3_notification(f"malformed {number}")["Records"]
        return json.dumps({"Records": [{**record, **changes, "number": number}]})

    return make


def _bad_eventbridge(number: int) -> str:
    event = events.eventbridge_created(f"malformed {number}")
    return json.dumps({**event, "detail": {"bucket": {}, "object": {}, "number": number}})


def _bad_sns(number: int) -> str:
    return json.dumps(events.sns_envelope(f"Hello, this is alarm {number}."))


def _enveloped(*envelopes: _Envelope, **fields: object) -> _Make:
    """A form in envelopes, from the inside out."""

    def make(number: int) -> str:
        value: Mapping[str, object] = {**fields, "number": number}
        for envelope in envelopes:
            value = envelope(value)
        return json.dumps(value)

    return make


def _pointer(bucket: str) -> _Make:
    return lambda number: events.payload_pointer(bucket, f"payloads/{number}")


def _half_bad(number: int) -> str:
    """One valid and one malformed record: the whole message is refused."""
    records = events.s3_notification(f"malformed {number}")["Records"]
    return json.dumps({"Records": [*records, {"number": number}]})


MALFORMED: Final[Mapping[str, _Make]] = {
    "not json": _text("photo-NUMBER.jpg"),
    "cut json": _text('{"key": "photo-NUMBER.jpg'),
    "a list": _text('["photo-NUMBER.jpg"]'),
    "a number": _text("NUMBER"),
    "a string": _text('"photo-NUMBER.jpg"'),
    "deep": _text("[" * 5_000 + "NUMBER" + "]" * 5_000),
    "not a number": _text('{"key": "photo-NUMBER.jpg", "size": NaN}'),
    "key twice": _text('{"key": "photo-NUMBER.jpg", "key": "other.jpg"}'),
    "half a character": _text('{"key": "photo-NUMBER-\\ud83d.jpg"}'),
    "empty": _json(),
    "no key": _json(bucket="chaos-plain"),
    "empty key": _json(key=""),
    "null key": _json(key=None),
    "wrong key": _json(key=["photo.jpg"]),
    "long key": _json(key="k" * 1025),
    "wrong bucket": _json(key="photo.jpg", bucket="../../etc"),
    "no records": _json(Records=[]),
    "wrong records": _json(Records={"key": "photo.jpg"}),
    "unknown event": _notification(eventName="ObjectConjured:Put"),
    "no object": _notification(s3={"bucket": {"name": "chaos-plain"}}),
    "no s3": _notification(s3=None),
    "half bad": _half_bad,
    "bad eventbridge": _bad_eventbridge,
    "bad sns": _bad_sns,
    "marked not json": _text("\ufeffphoto-NUMBER.jpg"),
    "text in text": _text('"\\"photo-NUMBER.jpg\\""'),
    "no key in sns": _enveloped(events.sns_envelope, bucket="chaos-plain"),
    "no key in custom event": _enveloped(events.custom_event, Key="photo.jpg"),
    "wrong key in sqs": _enveloped(events.sns_envelope, events.sqs_event, key=7),
    "too many envelopes": _enveloped(*[events.sns_envelope] * 5, key="photo.jpg"),
    "foreign pointer": _pointer("chaos-foreign"),
    "pointer to no bucket": _pointer("../../etc"),
}
