"""Collects the objects, messages and steps of stories into a plan."""

from itertools import count, cycle
from typing import TYPE_CHECKING, Final

from tests.chaos import files
from tests.chaos.files import Content
from tests.chaos.malformed import MALFORMED
from tests.chaos.plan import (
    ENVELOPES,
    FORMS,
    Bucket,
    Form,
    Plan,
    PlannedMessage,
    PlannedObject,
    Ref,
    Send,
    Step,
    dice,
    plan_acts,
)

if TYPE_CHECKING:
    import random

# Parts of keys that one encoding or another would change.
_FLOURISHES: Final = ("", " b", "+c", "%20d", "ü", "日本", "&e=f", "#g?h", "'i\"", "/../j", "~k*")

# The maximum distance between the parts of a story, in messages.
NEAR: Final = 40


class Writer:
    """Collects a plan."""

    def __init__(self, seed: int, size: int) -> None:
        """Start a plan of about `size` messages."""
        self.seed, self.size = seed, size
        self.random: random.Random = dice(seed, "stories")
        self.objects: list[PlannedObject] = []
        self.messages: list[PlannedMessage] = []
        self._steps: list[tuple[float, int, Step]] = []
        self._numbers = count(1)
        people = min(files.PEOPLE, max(4, size // 40))
        self._good = [f"person-{number}" for number in range(people)] + files.names("nobody-")
        self._turns = {
            prefix: cycle(self.random.sample(names, len(names)))
            for prefix in ("hostile-", "provoke-", "flaky-")
            if (names := files.names(prefix))
        }
        self._malformed = cycle(self.random.sample(tuple(MALFORMED), len(MALFORMED)))
        self.story = ""

    @property
    def sends(self) -> int:
        """The number of messages so far."""
        return sum(isinstance(step, Send) for _, _, step in self._steps)

    def plan(self) -> Plan:
        """The finished plan."""
        steps = tuple(step for _, _, step in sorted(self._steps, key=lambda entry: entry[:2]))
        return Plan(
            seed=self.seed,
            size=self.size,
            objects=tuple(self.objects),
            messages=tuple(self.messages),
            steps=steps,
            acts=plan_acts(self.seed, self.sends),
        )

    def when(self, low: float = 0.0, high: float = 0.95) -> float:
        """A random moment of the run, in messages."""
        return self.random.uniform(low, high) * self.size

    def near(self, moment: float, least: float = 0) -> float:
        """A moment soon after another."""
        return moment + self.random.uniform(least, NEAR)

    def good(self) -> Content:
        """A valid photograph, mostly a small one."""
        odd = ("padded", "trailed", "heic", *files.ODD)
        kinds = (self._good, files.names("large-"), files.names("group-"), odd)
        (kind,) = self.random.choices(kinds, (80, 8, 10, 2))
        return Content(self.random.choice(kind), next(self._numbers))

    def next_of(self, prefix: str) -> Content:
        """The next file of a kind; all are used equally often."""
        return Content(next(self._turns[prefix]), next(self._numbers))

    def any_content(self) -> Content:
        """Mostly a valid photograph, sometimes a hostile file."""
        return self.next_of("hostile-") if self.random.random() < 0.2 else self.good()

    def new_object(
        self,
        *contents: Content,
        bucket: Bucket | None = None,
        key: str = "",
        expected: bool = True,
    ) -> int:
        """Add an object; the result of its last content has to be stored."""
        where = bucket or self.random.choice((Bucket.PLAIN, Bucket.VERSIONED))
        flourish = self.random.choice(_FLOURISHES)
        name = key or f"{self.story}/{next(self._numbers):06}{flourish}.jpg"
        final = len(contents) - 1 if expected and contents else None
        self.objects.append(PlannedObject(self.story, where, name, contents, final))
        return len(self.objects) - 1

    def new_message(
        self,
        *refs: Ref,
        form: Form | None = None,
        force: bool = False,
        dies: frozenset[str] = frozenset(),
        text: str = "",
    ) -> int:
        """Add a message, half of them in envelopes."""
        chosen = form or self.random.choice((Form.NOTIFICATION,) if len(refs) > 1 else FORMS)
        wrapped = chosen is not Form.LITERAL and self.random.random() < 0.5
        envelopes = self.random.choice(ENVELOPES) if wrapped else ()
        name = text or f"job {next(self._numbers)}"
        message = PlannedMessage(self.story, chosen, refs, name, force, dies, envelopes)
        self.messages.append(message)
        return len(self.messages) - 1

    def add(self, moment: float, step: Step) -> None:
        """Add a step at a moment; steps at the same moment keep their order."""
        self._steps.append((moment, len(self._steps), step))

    def send(self, moment: float, message: int) -> None:
        """Send a message, sometimes with a delay."""
        late = self.random.random() < 0.15
        self.add(moment, Send(message, self.random.randint(1, 6) if late else 0))

    def malformed(self) -> str:
        """The next malformed message."""
        return MALFORMED[next(self._malformed)](next(self._numbers))
