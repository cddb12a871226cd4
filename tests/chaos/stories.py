"""The stories of a plan: some objects, their messages, and the expected results."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from tests import events
from tests.chaos.files import Content
from tests.chaos.plan import (
    EVENTS,
    FORMS,
    Bucket,
    Form,
    Plan,
    Ref,
    Remove,
    Upload,
)
from tests.chaos.writer import NEAR, Writer

# The last attempt may fail by an injected fault.
_NOT_FOUND: Final = frozenset({"OBJECT_NOT_FOUND", "SERVICE_UNAVAILABLE", "DEADLINE_EXCEEDED"})
_INVALID: Final = frozenset({"INVALID_MESSAGE"})


def _simple(writer: Writer, content: Content) -> tuple[float, int]:
    """One object, one message."""
    moment = writer.when()
    place = writer.new_object(content)
    message = writer.new_message(Ref(place, 0))
    writer.add(moment, Upload(place, 0))
    writer.send(moment, message)
    return moment, message


def _plain(writer: Writer) -> None:
    _simple(writer, writer.good())


def _hostile(writer: Writer) -> None:
    _simple(writer, writer.next_of("hostile-"))


def _provoking(writer: Writer) -> None:
    _simple(writer, writer.next_of("provoke-"))


def _flaky(writer: Writer) -> None:
    _simple(writer, writer.next_of("flaky-"))


def _twice(writer: Writer) -> None:
    """The same message, delivered more than once."""
    moment, message = _simple(writer, writer.any_content())
    for _ in range(writer.random.randint(1, 3)):
        writer.send(writer.near(moment), message)


def _forced(writer: Writer) -> None:
    """Processed again with `force`."""
    moment = writer.when()
    place = writer.new_object(writer.good())
    writer.add(moment, Upload(place, 0))
    for force in (False, True):
        message = writer.new_message(Ref(place, 0), form=Form.DIRECT, force=force)
        writer.send(writer.near(moment), message)


def _several(writer: Writer) -> None:
    """One message about a few objects."""
    moment = writer.when()
    places = [writer.new_object(writer.any_content()) for _ in range(writer.random.randint(2, 4))]
    for place in places:
        writer.add(moment, Upload(place, 0))
    writer.send(moment, writer.new_message(*(Ref(place, 0) for place in places)))


def _versions(
    writer: Writer,
    contents: Sequence[Content],
    bucket: Bucket,
    forms: Sequence[Form],
    *,
    apart: bool,
) -> None:
    """Contents of one object, and a message or two about each, in any order."""
    moment = writer.when(0, 0.9)
    place = writer.new_object(*contents, bucket=bucket)
    for upload in range(len(contents)):
        if upload:
            moment = writer.near(moment) if apart else moment + 1e-6
        writer.add(moment, Upload(place, upload, apart))
        message = writer.new_message(Ref(place, upload), form=writer.random.choice(forms))
        for _ in range(writer.random.randint(1, 2)):
            writer.send(writer.near(moment), message)


def _overwritten(writer: Writer) -> None:
    """An object that is replaced while its messages are in the queue."""
    contents = [writer.any_content() for _ in range(writer.random.randint(2, 3))]
    _versions(writer, contents, Bucket.PLAIN, FORMS, apart=True)


def _overwritten_at_once(writer: Writer) -> None:
    """Replaced within a second: only sequencers tell the order."""
    _versions(writer, [writer.good(), writer.good()], Bucket.PLAIN, EVENTS, apart=False)


def _versions_by_time(writer: Writer) -> None:
    contents = [writer.any_content() for _ in range(writer.random.randint(2, 4))]
    _versions(writer, contents, Bucket.VERSIONED, FORMS, apart=True)


def _versions_by_sequencer(writer: Writer) -> None:
    """All within a second: only sequencers tell the order."""
    contents = [writer.any_content() for _ in range(writer.random.randint(2, 4))]
    _versions(writer, contents, Bucket.VERSIONED, EVENTS, apart=False)


def _there_and_back(writer: Writer) -> None:
    """A content, another, and the first again."""
    first, second = writer.good(), writer.good()
    _versions(writer, [first, second, first], Bucket.VERSIONED, FORMS, apart=True)


def _same_key(writer: Writer) -> None:
    """One key in both buckets: two items."""
    moment, key = writer.when(), ""
    for bucket in (Bucket.PLAIN, Bucket.VERSIONED):
        place = writer.new_object(writer.good(), bucket=bucket, key=key)
        key = writer.objects[place].key
        writer.add(moment, Upload(place, 0))
        writer.send(moment, writer.new_message(Ref(place, 0)))


def _late_object(writer: Writer) -> None:
    """The message is sent before the object exists."""
    moment = writer.when(0, 0.85)
    place = writer.new_object(writer.good(), bucket=Bucket.PLAIN)
    writer.send(moment, writer.new_message(Ref(place, 0)))
    writer.add(writer.near(moment, NEAR / 2), Upload(place, 0))


def _missing(writer: Writer) -> None:
    """Sent early, because it takes every attempt until such a message is a dead letter."""
    moment = writer.when(0, 0.2)
    bucket = writer.random.choice((Bucket.PLAIN, Bucket.VERSIONED, Bucket.NOWHERE))
    place = writer.new_object(bucket=bucket)
    writer.send(moment, writer.new_message(Ref(place), dies=_NOT_FOUND))


def _removed(writer: Writer) -> None:
    """Deleted before its message is sent."""
    moment = writer.when(0, 0.2)
    place = writer.new_object(writer.good(), expected=False)
    writer.add(moment, Upload(place, 0))
    writer.add(moment, Remove(place))
    message = writer.new_message(Ref(place), form=Form.DIRECT, dies=_NOT_FOUND)
    writer.send(moment, message)


def _half_missing(writer: Writer) -> None:
    """A message about two objects, one of them missing: the other is processed."""
    moment = writer.when(0, 0.2)
    there, missing = writer.new_object(writer.good()), writer.new_object()
    writer.add(moment, Upload(there, 0))
    writer.send(moment, writer.new_message(Ref(there, 0), Ref(missing), dies=_NOT_FOUND))


def _foreign(writer: Writer) -> None:
    """A message about a bucket that is not allowed."""
    moment = writer.when()
    place = writer.new_object(writer.good(), bucket=Bucket.FOREIGN, expected=False)
    writer.add(moment, Upload(place, 0))
    writer.send(moment, writer.new_message(Ref(place, 0), dies=_INVALID))


def _missing_payload(writer: Writer) -> None:
    """The extended client's payload was deleted."""
    text = events.payload_pointer(Bucket.PLAIN, f"payloads/deleted {len(writer.messages)}")
    message = writer.new_message(form=Form.LITERAL, text=text, dies=_NOT_FOUND)
    writer.send(writer.when(0, 0.2), message)


def _folder_marker(writer: Writer) -> None:
    """An empty object that makes a folder visible: no item."""
    moment = writer.when()
    key = f"{writer.story}/{len(writer.objects):06}/"
    place = writer.new_object(Content("hostile-empty", 0), key=key, expected=False)
    writer.add(moment, Upload(place, 0))
    writer.send(moment, writer.new_message(Ref(place, 0)))


def _malformed(writer: Writer) -> None:
    text = writer.malformed()
    message = writer.new_message(form=Form.LITERAL, text=text, dies=_INVALID)
    writer.send(writer.when(), message)


def _idle(writer: Writer) -> None:
    """Valid messages without a job: see `envelopes.py`."""
    place = writer.new_object(expected=False)
    message = writer.new_message(Ref(place), form=writer.random.choice(EVENTS))
    writer.send(writer.when(), message)


_STORIES: Final[Mapping[str, tuple[Callable[[Writer], None], float]]] = {
    "plain": (_plain, 50),
    "hostile": (_hostile, 6),
    "provoking": (_provoking, 1),
    "flaky": (_flaky, 0.7),
    "twice": (_twice, 5),
    "forced": (_forced, 1),
    "several": (_several, 4),
    "overwritten": (_overwritten, 3),
    "overwritten-at-once": (_overwritten_at_once, 2),
    "versions-by-time": (_versions_by_time, 2),
    "versions-by-sequencer": (_versions_by_sequencer, 2),
    "there-and-back": (_there_and_back, 1),
    "same-key": (_same_key, 1),
    "late-object": (_late_object, 1.5),
    "missing": (_missing, 1),
    "removed": (_removed, 0.5),
    "half-missing": (_half_missing, 0.5),
    "missing-payload": (_missing_payload, 0.3),
    "foreign": (_foreign, 0.5),
    "folder-marker": (_folder_marker, 0.5),
    "malformed": (_malformed, 3),
    "idle": (_idle, 1.5),
}
IDLE: Final = "idle"


def make_plan(seed: int, size: int) -> Plan:
    """A plan of about `size` messages: one story of each kind, then random ones."""
    writer = Writer(seed, size)
    names = list(_STORIES)
    weights = [weight for _, weight in _STORIES.values()]
    while writer.sends < size:
        chosen = len(writer.messages) and writer.random.choices(names, weights)[0]
        for name in [chosen] if chosen else names:
            writer.story = name
            _STORIES[name][0](writer)
    return writer.plan()
