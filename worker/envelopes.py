"""Unwraps messages and events, one envelope at a time.

`jobs.py` decodes the contents; nothing here knows what a job is.

Powertools' data classes can't do this: their EventBridge class form-decodes keys that are not
encoded, and unexpected shapes raise anything from KeyError to AttributeError.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NoReturn

from landmarks.errors import MessageError
from landmarks.job import Fields, excerpt, kind, required_text

# Maps bucket and key to a message body that its producer stored in S3.
ReadPayload = Callable[[str, str], str]

_MAX_DEPTH: Final = 4
_BYTE_ORDER_MARK: Final = "\ufeff"

# The SQS extended client libraries: the current one and the first one.
_POINTERS: Final = (
    "software.amazon.payloadoffloading.PayloadS3Pointer",
    "com.amazon.sqs.javamessaging.MessageS3Pointer",
)


def unwrap(value: object, name: str, read_payload: ReadPayload) -> Iterator[Fields]:
    """Yield the contents of a JSON value, without their envelopes.

    Args:
        value: a message or an event. Without an envelope, it is yielded itself.
        name: its name in error messages.
        read_payload: reads a body that was stored in S3; called at most once.

    Raises:
        MessageError: an envelope has invalid contents, or there are too many envelopes.
        TransientError: the body could not be read.
    """
    return _Unwrapping(read_payload).forms(value, name, _MAX_DEPTH)


class _Unwrapping:
    def __init__(self, read_payload: ReadPayload) -> None:
        self._read_payload: ReadPayload | None = read_payload

    def forms(self, value: object, name: str, envelopes_left: int) -> Iterator[Fields]:
        contents = self._contents(value, name)
        if contents is None:
            yield as_object(value, name)
            return
        if not envelopes_left:
            raise MessageError(f"{name}: in more than {_MAX_DEPTH} envelopes")
        for inner_name, inner in contents:
            yield from self.forms(inner, inner_name, envelopes_left - 1)

    def _contents(self, value: object, name: str) -> Sequence[tuple[str, object]] | None:
        """Return an envelope's contents with names; None if it is not an envelope."""
        contents: Sequence[tuple[str, object]] | None = None
        match value:
            case str():
                contents = [(name, parse(value, name))]
            case [pointer, place] if pointer in _POINTERS:
                payload = self._payload(as_object(place, "pointer"))
                contents = [("payload", parse(payload, "payload"))]
            case {"key": _}:
                pass  # the direct form, whatever other fields it has
            case {"Type": "Notification", **fields}:
                contents = [("Message", parse(fields.get("Message"), "Message"))]
            case {"detail-type": _, "source": source, **fields} if source != "aws.s3":
                contents = [("detail", fields.get("detail"))]
            case {"requestContext": {"condition": condition}, "requestPayload": event} if (
                condition != "Success"
            ):
                # What Lambda sends to a failure destination. A destination for successes is not
                # for trying again.
                contents = [("requestPayload", event)]
            case {"Records": [*records]} if any(map(_is_envelope, records)):
                contents = [_record_contents(as_object(record, "Records[]")) for record in records]
        return contents

    def _payload(self, place: Fields) -> str:
        # Otherwise, one message with many pointers could keep the worker reading forever.
        if self._read_payload is None:
            raise MessageError("pointer: more than one in a message")
        read, self._read_payload = self._read_payload, None
        return read(required_text(place, "s3BucketName"), required_text(place, "s3Key"))


def _is_envelope(record: object) -> bool:
    """Return whether a record is from SNS or SQS, as Lambda receives it, rather than from S3."""
    return isinstance(record, dict) and ("Sns" in record or record.get("eventSource") == "aws:sqs")


def _record_contents(record: Fields) -> tuple[str, object]:
    if "Sns" in record:
        return "Message", parse(as_object(record["Sns"], "Sns").get("Message"), "Message")
    if _is_envelope(record):
        return "body", parse(record.get("body"), "body")
    return "Records", {"Records": [record]}


def parse(value: object, name: str) -> object:
    """Parse a JSON string.

    Raises:
        MessageError: it is not a string, or not JSON.
    """
    if not isinstance(value, str):
        raise MessageError(f"{name}: expected a string of JSON, got {kind(value)}")
    try:
        return _JSON.decode(value.removeprefix(_BYTE_ORDER_MARK))
    except (ValueError, RecursionError) as error:
        raise MessageError(f"{name}: not JSON ({error}): {excerpt(value)}") from error


def as_object(value: object, name: str) -> Fields:
    """Return a JSON value that must be an object.

    Raises:
        MessageError: it is not an object.
    """
    if not isinstance(value, dict):
        raise MessageError(f"{name}: expected an object, got {kind(value)}")
    return value


def _unique_fields(pairs: list[tuple[str, object]]) -> Fields:
    """Reject duplicate keys in an object, one of which would be lost."""
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise ValueError("a field stands twice in one object")
    return fields


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


_JSON: Final = json.JSONDecoder(object_pairs_hook=_unique_fields, parse_constant=_refuse_constant)
