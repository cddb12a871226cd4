"""The plan of a run: what is uploaded and sent, what is done to whom, and what has to come of it.

Pure: equal seeds and sizes give equal plans. A plan is told in steps; its clock is the number of
messages sent so far, so that it means the same on a slow machine.
"""

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from tests.chaos import files
from tests.chaos.files import Content


def dice(seed: int, purpose: str) -> random.Random:
    """Repeatable randomness; each purpose has its own, so that none disturbs another."""
    return random.Random(f"{seed}/{purpose}")  # noqa: S311, it has to be repeatable


class Bucket(StrEnum):
    """The run's buckets."""

    PLAIN = "chaos-plain"
    VERSIONED = "chaos-versioned"
    NOWHERE = "chaos-nowhere"  # allowed, and does not exist
    FOREIGN = "chaos-foreign"  # exists, and is not allowed


class Envelope(StrEnum):
    """How a message says what it is about."""

    DIRECT = "direct"
    NOTIFICATION = "notification"
    EVENTBRIDGE = "eventbridge"
    SNS = "sns"
    LITERAL = "literal"


EVENTS = (Envelope.NOTIFICATION, Envelope.EVENTBRIDGE, Envelope.SNS)
ENVELOPES = (Envelope.DIRECT, *EVENTS)


@dataclass(frozen=True, slots=True)
class PlannedObject:
    """An object and its fate.

    Attributes:
        story: what kind of story it is in.
        bucket: where it lives.
        key: literal.
        contents: in the order of their upload.
        final: which content's result has to stand in the end; None: there must be no item.
    """

    story: str
    bucket: Bucket
    key: str
    contents: tuple[Content, ...] = ()
    final: int | None = None


@dataclass(frozen=True, slots=True)
class Ref:
    """What a message says about one object.

    Attributes:
        place: the object's, in the plan.
        upload: which of its contents; None: none at all, or whichever is current.
    """

    place: int
    upload: int | None = None


@dataclass(frozen=True, slots=True)
class PlannedMessage:
    """A message and its fate.

    Attributes:
        story: what kind of story it is in.
        envelope: its form.
        refs: what it is about.
        text: the body of a literal message; for others, the producer's name for the job.
        force: have it done even if it is already done.
        dies: the error codes with which it has to end in the dead-letter queue; empty: it must not.
    """

    story: str
    envelope: Envelope
    refs: tuple[Ref, ...] = ()
    text: str = ""
    force: bool = False
    dies: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Upload:
    """Put an object's next content.

    Attributes:
        place: the object's, in the plan.
        upload: which of its contents.
        apart: at least a second after the one before, so that last-modified tells them apart.
    """

    place: int
    upload: int
    apart: bool = True


@dataclass(frozen=True, slots=True)
class Remove:
    """Delete an object; where versions are kept, that hides it."""

    place: int


@dataclass(frozen=True, slots=True)
class Send:
    """Send a message, once more if it was sent before.

    Attributes:
        message: its place in the plan.
        delay_seconds: for how long the queue holds it back.
    """

    message: int
    delay_seconds: int = 0


Step = Upload | Remove | Send


class ActKind(StrEnum):
    """What is done to the processes and to the way to the services."""

    KILL = "poller killed"
    TERMINATE = "poller told to stop"
    PAUSE = "poller stopped for longer than its messages wait"
    HURRY = "visibility timeout shortened"
    OUTAGE = "connections refused"
    CHILD_KILL = "detector killed"
    CHILD_STOP = "detector stopped"
    CHILD_STARVE = "detector starved of memory"


CHILD_ACTS = (ActKind.CHILD_KILL, ActKind.CHILD_STOP, ActKind.CHILD_STARVE)


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that is done once so many messages have been sent.

    Attributes:
        at: how many messages.
        kind: what.
        choice: which poller, detector or service, 0 to 1.
        seconds: for how long.
    """

    at: int
    kind: ActKind
    choice: float
    seconds: float = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that a run does on purpose."""

    seed: int
    size: int
    objects: tuple[PlannedObject, ...]
    messages: tuple[PlannedMessage, ...]
    steps: tuple[Step, ...] = field(repr=False)
    acts: tuple[Act, ...]

    @property
    def sends(self) -> int:
        """How many messages are sent, copies included."""
        return sum(isinstance(step, Send) for step in self.steps)

    def pictures(self) -> set[str]:
        """The pictures whose landmarks have to be known."""
        finals = (
            object_.contents[object_.final].recipe
            for object_ in self.objects
            if object_.final is not None
        )
        return {files.RECIPES[recipe].picture for recipe in finals} - {""}

    def summary(self) -> Iterator[tuple[str, str]]:
        """The plan in a few lines: what, and how many of each."""
        yield "seed", str(self.seed)
        copies = Counter(step.message for step in self.steps if isinstance(step, Send))
        stories = Counter[str]()
        for place, count in copies.items():
            stories[self.messages[place].story] += count
        yield f"messages ({self.sends})", _counted(stories)
        envelopes = Counter(str(message.envelope) for message in self.messages)
        yield "envelopes", _counted(envelopes)
        expected = sum(object_.final is not None for object_ in self.objects)
        yield "objects", f"{len(self.objects)}, of which {expected} get an item"
        dead = sum(bool(message.dies) for message in self.messages)
        yield "dead letters", f"{dead} planned"
        yield "acts", _counted(Counter(str(act.kind) for act in self.acts))


def _counted(counter: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counter.items()))


def plan_acts(seed: int, sends: int) -> tuple[Act, ...]:
    """What is done to the processes and the services while so many messages are sent.

    The last fifth is left to the worker's memory: it is only measured where a poller lives long.
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
