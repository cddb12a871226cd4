"""The figures of a run, and whether they are good."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from statistics import median
from typing import Any, Final, NamedTuple

from tests.chaos.pollers import Life, Poller
from tests.chaos.run import Outcome

_MOST_LINES: Final = 15
_MOST_CHARACTERS: Final = 600

# The parent's memory is compared between the second and the last quarter of a long-lived poller:
# by then it has seen all kinds of jobs.
_MIN_SAMPLES: Final = 40
_MOST_GROWTH_KIB: Final = 10 * 1024
_MOST_GROWTH_DESCRIPTORS: Final = 8


class Figure(NamedTuple):
    """One line of the report."""

    name: str
    value: str
    good: bool


class Growth(NamedTuple):
    """Resource usage of a poller: medians of its second and its last quarter."""

    seconds: float
    rss_kib: tuple[float, float]
    descriptors: tuple[float, float]
    jobs: int

    @property
    def flat(self) -> bool:
        """Whether usage did not grow."""
        memory, descriptors = (after - before for before, after in (self.rss_kib, self.descriptors))
        return memory <= _MOST_GROWTH_KIB and descriptors <= _MOST_GROWTH_DESCRIPTORS


def figures(outcome: Outcome) -> list[Figure]:
    """What has to be zero or flat."""
    verdict = outcome.verdict
    deaths = [death for poller in outcome.pollers for death in poller.deaths]
    growths = [growth for poller in outcome.pollers for growth in [grown(poller)] if growth]
    counted = {
        "lost": verdict.lost,
        "wrong": verdict.wrong,
        "stale": verdict.stale,
        "innocent dead letters": verdict.innocent,
        "mislabelled dead letters": verdict.mislabelled,
        "worker deaths": deaths,
        "unforeseen errors": unforeseen(outcome),
        "leftovers": outcome.leftovers,
    }
    return [
        *(Figure(name, str(len(lines)), good=not lines) for name, lines in counted.items()),
        Figure(
            "parent memory",
            "; ".join(map(_describe, growths)) or "no poller lived long enough",
            good=all(growth.flat for growth in growths),
        ),
        Figure("queue empty in time", "yes" if outcome.finished else "no", good=outcome.finished),
    ]


def unforeseen(outcome: Outcome) -> list[str]:
    """The errors that the worker logged with a traceback."""
    lives = [life for poller in outcome.pollers for life in poller.lives]
    return [
        str(entry["exception"])[-_MOST_CHARACTERS:]
        for life in lives
        for entry in _entries(life)
        if "exception" in entry
    ]


def grown(poller: Poller) -> Growth | None:
    """The growth of a poller's longest life; None if it was too short."""
    life = max(poller.lives, key=lambda life: len(life.samples))
    size = len(life.samples)
    if size < _MIN_SAMPLES:
        return None
    second, last = life.samples[size // 4 : size // 2], life.samples[-(size // 4) :]
    rss, descriptors = (
        (median(use[at] for _, use in second), median(use[at] for _, use in last)) for at in (0, 1)
    )
    return Growth(life.samples[-1][0], rss, descriptors, _jobs(life))


def lines(outcome: Outcome) -> Iterator[str]:
    """The report."""
    table = figures(outcome)
    width = max(len(figure.name) for figure in table)
    for figure in table:
        yield f"  {'ok  ' if figure.good else 'FAIL'}  {figure.name:{width}}  {figure.value}"
    yield ""
    yield from (f"  {name}: {value}" for name, value in _facts(outcome))
    verdict = outcome.verdict
    complaints = {
        "lost": verdict.lost,
        "wrong": verdict.wrong,
        "stale": verdict.stale,
        "innocent dead letter": verdict.innocent,
        "mislabelled dead letter": verdict.mislabelled,
        "worker death": [death for poller in outcome.pollers for death in poller.deaths],
        "unforeseen error": unforeseen(outcome),
        "left over": outcome.leftovers,
    }
    for name, found in complaints.items():
        for line in found[:_MOST_LINES]:
            yield f"  {name}: {line}"
        if len(found) > _MOST_LINES:
            yield f"  {name}: … and {len(found) - _MOST_LINES} more"


def _facts(outcome: Outcome) -> Iterator[tuple[str, str]]:
    verdict = outcome.verdict
    yield "took", f"{outcome.seconds:.0f} s"
    yield "items", _counted(verdict.statuses)
    yield "most receives of a message that succeeded", str(verdict.most_attempts)
    yield (
        "dead letters",
        f"{verdict.extra_copies} extra copies, {verdict.unlabelled} without a reason",
    )
    yield "requests", _counted(outcome.requests)
    faults = Counter[str]()
    for (_, kind), count in outcome.faults.items():
        faults[kind] += count
    yield f"faults ({faults.total()})", _counted(faults)
    yield f"acts ({sum(outcome.done.values())} of {outcome.planned_acts})", _counted(outcome.done)
    yield "pollers disturbed during a batch", str(outcome.in_mid_batch)
    lives = [life for poller in outcome.pollers for life in poller.lives]
    yield "pollers started", str(len(lives))
    yield "log events", _counted(Counter(event for life in lives for event in _events(life)))


def _describe(growth: Growth) -> str:
    before, after = growth.rss_kib
    return (
        f"{before / 1024:.1f} → {after / 1024:.1f} MiB, "
        f"{growth.descriptors[0]:.0f} → {growth.descriptors[1]:.0f} descriptors "
        f"({growth.seconds:.0f} s, {growth.jobs} jobs)"
    )


def _jobs(life: Life) -> int:
    return sum(event.startswith("job finished") for event in _events(life))


def _events(life: Life) -> Iterator[str]:
    """The worker's log events, each with its outcome and error code."""
    for entry in _entries(life):
        parts = (entry["message"], entry.get("outcome"), entry.get("error_code"))
        yield " ".join(str(part) for part in parts if part)


def _entries(life: Life) -> Iterator[Mapping[str, Any]]:
    """The JSON lines of a log."""
    for line in life.log.read_text(errors="replace").splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict) and "message" in entry:
            yield entry


def _counted(counts: Mapping[Any, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
