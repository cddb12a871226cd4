"""Malformed messages; a number makes each unique."""

import json
from collections.abc import Callable, Mapping
from typing import Final

from tests import events

_Make = Callable[[int], str]


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
}
