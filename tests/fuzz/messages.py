"""Damaged messages: the decoder has to return jobs or raise `MessageError`."""

import json
import logging
import random
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from landmarks.errors import MessageError
from tests.events import (
    custom_event,
    eventbridge_created,
    payload_pointer,
    s3_notification,
    s3_test_event,
    sns_envelope,
    sns_event,
    sqs_event,
)
from worker.jobs import decode_message

Json = dict[str, Any] | list[Any]

BUCKET = "fuzzed-bucket"

# Without a handler, Python prints each warning about a field that is left out.
logging.getLogger("worker.jobs").addHandler(logging.NullHandler())

_ODD_VALUES: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    10**400,
    1e308,
    "",
    "\x00",
    "\ud800",
    "%FF",
    "a" * 1025,
    "null",
    [],
    [[]],
    {},
    {"key": "a"},
    {"Records": [{}]},
    [{"s3": "x"}],
)
_ODD_TEXTS = ("{", "}", "[", "]", '"', "\\u0000", "\\ud800", "1e999", "NaN", "%", "[" * 2000, ",")


def seeds() -> list[str]:
    """A valid message of every form."""
    notification = s3_notification("photos/a b+c%é.jpg", "second.png")
    direct = {"key": "a.jpg", "bucket": "photos", "version_id": "v", "job_id": "j", "force": True}
    envelopes = [
        direct,
        notification,
        s3_test_event(),
        eventbridge_created("a+b.jpg"),
        sns_envelope(notification),
        sns_event(custom_event(direct)),
        sqs_event(sns_envelope(sns_envelope(direct))),
        json.dumps(eventbridge_created("a+b.jpg")),
    ]
    texts = [json.dumps(envelope) for envelope in envelopes]
    return [*texts, "\ufeff" + texts[0], payload_pointer("payloads", "k")]


def mutants(seed: int) -> Iterator[str]:
    """Endless damaged messages: values are replaced, then the text is damaged."""
    rng = random.Random(seed)  # noqa: S311, not a secret
    sound = seeds()
    while True:
        text = rng.choice(sound)
        if rng.random() < 0.7:
            text = _exchange(rng, text)
        for _ in range(rng.randrange(3)):
            text = _damage(rng, text)
        yield text


def _exchange(rng: random.Random, text: str) -> str:
    value = json.loads(text.removeprefix("\ufeff"))
    if isinstance(value, str):
        return json.dumps(_exchange(rng, value))
    holder, name = rng.choice(list(_places(value)))
    if rng.random() < 0.3 and isinstance(holder, dict):
        del holder[name]
    else:
        holder[name] = rng.choice(_ODD_VALUES)
    return json.dumps(value)


def _places(value: Json) -> Iterator[tuple[Any, Any]]:
    """Every nested container, with each of its names."""
    names: Iterable[Any] = value if isinstance(value, dict) else range(len(value))
    for name in names:
        yield value, name
        inner = value[name]
        if isinstance(inner, dict | list):
            yield from _places(inner)


def _damage(rng: random.Random, text: str) -> str:
    at = rng.randrange(len(text) + 1)
    size = rng.randrange(8)
    match rng.randrange(4):
        case 0:
            return text[:at] + text[at + size :]
        case 1:
            return text[:at] + text[at : at + size] * 2 + text[at + size :]
        case 2:
            return text[:at] + chr(rng.randrange(0x110000)) + text[at + 1 :]
        case _:
            return text[:at] + rng.choice(_ODD_TEXTS) + text[at + size :]


def _payload(_bucket: str, key: str) -> str:
    return json.dumps({"key": key})


def judge(text: str) -> str:
    """Name what the decoder does.

    Raises:
        Exception: the decoder raised something else, or returned invalid jobs.
    """
    try:
        jobs = decode_message(text, default_bucket=BUCKET, read_payload=_payload)
    except MessageError as error:
        if len(str(error)) > 300 or not str(error).isprintable():
            raise AssertionError(f"an error that cannot be an attribute: {error!r}") from error
        return "MessageError"
    for job in jobs:
        if not job.bucket or not 0 < len(job.key.encode()) <= 1024:
            raise AssertionError(f"no job: {job!r}")
    return "jobs" if jobs else "ignored"


def count(texts: Iterator[str], number: int) -> Counter[str]:
    """Judge a number of messages."""
    return Counter(judge(next(texts)) for _ in range(number))
