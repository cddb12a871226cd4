"""The plan of a run: uploads, messages, acts, and the expected results.

Equal seeds and sizes give equal plans. The clock of a plan is the number of messages sent so far,
so that it means the same on a slow machine.
"""

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from tests.chaos import files
from tests.chaos.files import Content


def dice(seed: int, purpose: str) -> random.Random:
    """Repeatable randomness, independent for each purpose."""
    return random.Random(f"{seed}/{purpose}")  # noqa: S311, it has to be repeatable


class Bucket(StrEnum):
    """The run's buckets."""

    PLAIN = "chaos-plain"
    VERSIONED = "chaos-versioned"
    NOWHERE = "chaos-nowhere"  # allowed, but does not exist
    FOREIGN = "chaos-foreign"  # exists, but is not allowed


class Form(StrEnum):
    """The form of a message, without its envelopes."""

    DIRECT = "direct"
    NOTIFICATION = "notification"
    EVENTBRIDGE = "eventbridge"
    LITERAL = "literal"


EVENTS = (Form.NOTIFICATION, Form.EVENTBRIDGE)
FORMS = (Form.DIRECT, *EVENTS)


class Envelope(StrEnum):
    """What a message is wrapped in."""

    SNS = "sns"
    SQS = "sqs"
    CUSTOM_EVENT = "custom event"
    TEXT = "text"  # a JSON string that contains JSON
    BYTE_ORDER_MARK = "byte order mark"
    POINTER = "pointer"  # of the SQS extended client


# From the inside out.
ENVELOPES = (
    (Envelope.SNS,),
    (Envelope.CUSTOM_EVENT,),
    (Envelope.TEXT,),
    (Envelope.BYTE_ORDER_MARK,),
    (Envelope.POINTER,),
    (Envelope.SNS, Envelope.SQS),
    (Envelope.BYTE_ORDER_MARK, Envelope.POINTER, Envelope.SNS, Envelope.TEXT),
)


@dataclass(frozen=True, slots=True)
class PlannedObject:
    """An object and its expected result.

    Attributes:
        story: the kind of story that it is part of.
        bucket: where it is.
        key: literal.
        contents: in the order of upload.
        final: the content whose result has to be stored in the end; None: no item.
    """

    story: str
    bucket: Bucket
    key: str
    contents: tuple[Content, ...] = ()
    final: int | None = None


@dataclass(frozen=True, slots=True)
class Ref:
    """A reference of a message to an object.

    Attributes:
        place: of the object in the plan.
        upload: the content; None: the current one, if any.
    """

    place: int
    upload: int | None = None


@dataclass(frozen=True, slots=True)
class PlannedMessage:
    """A message and its expected end.

    Attributes:
        story: the kind of story that it is part of.
        form: its form.
        refs: the objects that it names.
        text: the body of a literal message; otherwise the job's id.
        force: process the object even if it is done.
        dies: the error codes of its dead letter; empty: it must not become one.
        envelopes: what it is wrapped in, from the inside out.
    """

    story: str
    form: Form
    refs: tuple[Ref, ...] = ()
    text: str = ""
    force: bool = False
    dies: frozenset[str] = frozenset()
    envelopes: tuple[Envelope, ...] = ()


@dataclass(frozen=True, slots=True)
class Upload:
    """Upload an object's next content.

    Attributes:
        place: of the object in the plan.
        upload: the content.
        apart: at least a second after the one before, so that their last-modified times differ.
    """

    place: int
    upload: int
    apart: bool = True


@dataclass(frozen=True, slots=True)
class Remove:
    """Delete an object; with versioning, this adds a delete marker."""

    place: int


@dataclass(frozen=True, slots=True)
class Send:
    """Send a message, or send it again.

    Attributes:
        message: its place in the plan.
        delay_seconds: the message's delay.
    """

    message: int
    delay_seconds: int = 0


Step = Upload | Remove | Send


class ActKind(StrEnum):
    """What is done to processes, and to the connections to the services."""

    KILL = "poller killed"
    TERMINATE = "poller terminated"
    PAUSE = "poller stopped for longer than the visibility timeout"
    HURRY = "visibility timeout shortened"
    OUTAGE = "connections refused"
    CHILD_KILL = "detector killed"
    CHILD_STOP = "detector stopped"
    CHILD_STARVE = "detector starved of memory"


CHILD_ACTS = (ActKind.CHILD_KILL, ActKind.CHILD_STOP, ActKind.CHILD_STARVE)


@dataclass(frozen=True, slots=True)
class Act:
    """Something done once a number of messages have been sent.

    Attributes:
        at: the number of messages.
        kind: what.
        choice: which poller, detector or service, from 0 to 1.
        seconds: for how long.
    """

    at: int
    kind: ActKind
    choice: float
    seconds: float = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that a run does."""

    seed: int
    size: int
    objects: tuple[PlannedObject, ...]
    messages: tuple[PlannedMessage, ...]
    steps: tuple[Step, ...] = field(repr=False)
    acts: tuple[Act, ...]

    @property
    def sends(self) -> int:
        """The number of messages sent, copies included."""
        return sum(isinstance(step, Send) for step in self.steps)

    def pictures(self) -> set[str]:
        """The pictures whose landmarks are needed."""
        finals = (
            object_.contents[object_.final].recipe
            for object_ in self.objects
            if object_.final is not None
        )
        return {files.RECIPES[recipe].picture for recipe in finals} - {""}

    def summary(self) -> Iterator[tuple[str, str]]:
        """The plan in a few lines."""
        yield "seed", str(self.seed)
        copies = Counter(step.message for step in self.steps if isinstance(step, Send))
        stories = Counter[str]()
        for place, count in copies.items():
            stories[self.messages[place].story] += count
        yield f"messages ({self.sends})", _counted(stories)
        yield "forms", _counted(Counter(str(message.form) for message in self.messages))
        envelopes = (" in ".join(message.envelopes) or "none" for message in self.messages)
        yield "envelopes", _counted(Counter(envelopes))
        expected = sum(object_.final is not None for object_ in self.objects)
        yield "objects", f"{len(self.objects)}, of which {expected} get an item"
        dead = sum(bool(message.dies) for message in self.messages)
        yield "dead letters", f"{dead} planned"
        yield "acts", _counted(Counter(str(act.kind) for act in self.acts))


def _counted(counter: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counter.items()))


def plan_acts(seed: int, sends: int) -> tuple[Act, ...]:
    """The acts of a run with this many messages.

    In the last part no poller is killed: memory is only measured in a long-lived poller.
    """
    random_ = dice(seed, "acts")
    hundreds = sends / 100

    def some(kind: ActKind, each_hundred: float, seconds: tuple[float, float] = (0, 0)) -> None:
        for _ in range(max(1, round(hundreds * each_hundred))):
            end = 0.95 if kind in (*CHILD_ACTS, ActKind.OUTAGE) else 0.6
            at = random_.uniform(0.05, end) * sends
            acts.append(Act(int(at), kind, random_.random(), random_.uniform(*seconds)))

    acts: list[Act] = []
    some(ActKind.KILL, 0.2)
    some(ActKind.TERMINATE, 0.15)
    some(ActKind.PAUSE, 0.15)
    some(ActKind.HURRY, 0.05, (10, 15))
    some(ActKind.OUTAGE, 0.4, (2, 6))
    for kind in CHILD_ACTS:
        some(kind, 0.6)
    return tuple(sorted(acts, key=lambda act: (act.at, act.kind)))
