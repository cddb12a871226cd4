"""One run: everything is started, disturbed, waited for, stopped, and judged."""

import itertools
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.chaos import files, processes, services
from tests.chaos.ambush import Ambush
from tests.chaos.check import Verdict, judge
from tests.chaos.conductor import VISIBILITY_SECONDS, Conductor
from tests.chaos.faults import RATES, FaultDice, Service
from tests.chaos.plan import ActKind, Plan
from tests.chaos.pollers import ROOT, Poller
from tests.chaos.producer import Producer
from tests.chaos.promises import dead_letter_promises, item_promises
from tests.chaos.proxy import FaultProxy
from tests.chaos.services import ServicesProcess
from tests.chaos.truth import TruthProcess
from tests.chaos.world import World

# Enough receives to keep good messages out of the dead-letter queue. The worker's delay after the
# n-th failure is the base times 4 ** (n - 1), with n at most 10: with this base eight retries
# follow at once, two within seconds, and each further one after 5 to 10 s. An outage lasts at most
# 6 s and takes at most 11 receives; each of the others fails by a fault about one time in four, so
# that the remaining 11 all fail in one of four million cases. A planned dead letter takes 90 s.
MAX_RECEIVE_COUNT: Final = 22
RETRY_BASE_SECONDS: Final = 0.00001

# Two timeouts of an image and two starts of a detector fit into the visibility timeout.
_DETECT_SECONDS: Final = 3

# The detectors of each of the two pollers.
_DETECTORS: Final = (2, 1)

_TICK_SECONDS: Final = 0.1
_TICKS_A_SAMPLE: Final = 5
_TICKS_A_LINE: Final = 100
_CHILDREN_END_SECONDS: Final = 15  # a detector ends by its own alarm after its parent is killed

# The time limit of a run; a quiet machine takes a third of it.
_LIMIT_SECONDS: Final = 300
_LIMIT_SECONDS_PER_MESSAGE: Final = 0.4


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a run.

    Attributes:
        verdict: of the independent check.
        pollers: with their deaths, lives and samples.
        leftovers: processes and files that remain.
        seconds: how long it took.
        finished: whether the queue was empty before the limit.
        done: the acts performed.
        planned_acts: the number of acts planned; the run may end before some of them.
        in_mid_batch: how many pollers were disturbed while messages were in flight.
        requests: number of requests through the proxy.
        faults: number of faults injected.
        folder: where the logs are.
    """

    verdict: Verdict
    pollers: Sequence[Poller]
    leftovers: Sequence[str]
    seconds: float
    finished: bool
    done: Mapping[ActKind, int]
    planned_acts: int
    in_mid_batch: int
    requests: Mapping[Service, int]
    faults: Mapping[tuple[Service, str], int]
    folder: Path


@dataclass(frozen=True, slots=True)
class _Stage:
    """The running parts of a run."""

    world: World
    proxy: FaultProxy
    producer: Producer
    pollers: Sequence[Poller]
    conductor: Conductor


class Run:
    """One run of one plan; use it once."""

    def __init__(
        self,
        plan: Plan,
        complexity: int,
        say: Callable[[str], None],
        *,
        max_people: int = 1,
        max_receive_count: int = MAX_RECEIVE_COUNT,
    ) -> None:
        """Create its folder."""
        self._plan = plan
        self._complexity = complexity
        self._max_people = max_people
        self._max_receive_count = max_receive_count
        self._say = say
        build = ROOT / "build"
        build.mkdir(exist_ok=True)
        self.folder = Path(tempfile.mkdtemp(prefix=f"chaos-{plan.seed}-", dir=build))
        self._mark = self.folder.name
        self._temporary = self.folder / "tmp"
        self._temporary.mkdir()
        self._ambush = Ambush(self.folder / "ambush")

    def execute(self) -> Outcome:
        """Run it. Everything started is stopped again, whatever happens."""
        start = time.monotonic()
        limit = start + _LIMIT_SECONDS + _LIMIT_SECONDS_PER_MESSAGE * self._plan.sends
        with ExitStack() as stack:
            truth = TruthProcess(self._plan.pictures(), self._complexity)
            stack.callback(truth.close)
            stage = self._set_up(stack)
            truths = truth.result()
            stage.producer.start()
            finished = self._play(stage, limit)
            _end(stage.pollers)
            leftovers = self._leftovers()
            verdict = judge(
                item_promises(self._plan, stage.producer.uploads, truths, self._max_people),
                dead_letter_promises(self._plan, stage.producer.bodies),
                stage.world.evidence(),
            )
        return Outcome(
            verdict=verdict,
            pollers=stage.pollers,
            leftovers=leftovers,
            seconds=time.monotonic() - start,
            finished=finished,
            done=stage.conductor.done,
            planned_acts=len(self._plan.acts),
            in_mid_batch=stage.conductor.in_mid_batch,
            requests=stage.proxy.requests,
            faults=stage.proxy.faults,
            folder=self.folder,
        )

    def tidy(self) -> None:
        """Remove the run's folder."""
        self._ambush.close()
        shutil.rmtree(self.folder)

    def _set_up(self, stack: ExitStack) -> _Stage:
        """Start everything but the producer; the stack stops it in reverse order."""
        embedded = ServicesProcess(self._mark)
        stack.callback(embedded.close)
        stack.callback(processes.kill_marked, self._mark)
        proxy = FaultProxy(embedded.port, FaultDice(self._plan.seed, RATES))
        stack.callback(proxy.close)
        proxy.start()
        world = World(embedded.endpoint, VISIBILITY_SECONDS, self._max_receive_count)
        stack.callback(world.close)
        producer = Producer(self._plan, world)
        stack.callback(producer.close)
        pollers = self._start_pollers(world, proxy)
        conductor = Conductor(self._plan.acts, pollers, proxy, world, self._ambush, self._mark)
        return _Stage(world, proxy, producer, pollers, conductor)

    def _start_pollers(self, world: World, proxy: FaultProxy) -> list[Poller]:
        endpoints = {service: proxy.endpoint(service) for service in Service}
        environment = {
            "PATH": str(Path(sys.executable).parent),
            "PYTHONPATH": str(self._ambush.folder),
            "TMPDIR": str(self._temporary),
            **services.environment(endpoints),
            **world.settings(proxy.endpoint(Service.SQS)),
            "MODEL_COMPLEXITY": str(self._complexity),
            "MAX_PEOPLE": str(self._max_people),
            "MAX_IMAGE_BYTES": str(files.MAX_IMAGE_BYTES),
            "DETECT_TIMEOUT_SECONDS": str(_DETECT_SECONDS),
            "MAX_RECEIVE_COUNT": str(self._max_receive_count),
            "RETRY_BASE_SECONDS": str(RETRY_BASE_SECONDS),
        }
        return [
            Poller(name, {**environment, "DETECTORS": str(detectors)}, self.folder, self._mark)
            for name, detectors in zip("AB", _DETECTORS, strict=True)
        ]

    def _play(self, stage: _Stage, limit: float) -> bool:
        """Run until all is sent and the queue is empty; returns False at the time limit."""
        calm = False
        for ticks in _ticks(limit):
            stage.conductor.tick(stage.producer.sent)
            for poller in stage.pollers:
                poller.watch()
            if stage.producer.error:
                raise stage.producer.error
            if ticks % _TICKS_A_LINE == 0:
                self._say(_progress(self._plan, stage))
            if ticks % _TICKS_A_SAMPLE == 0:
                for poller in stage.pollers:
                    poller.measure()
                idle = stage.producer.done and not any(stage.world.in_queue())
                if calm and idle:
                    return True
                if not calm and (idle or (stage.producer.done and stage.conductor.finished)):
                    calm = True
                    self._calm_down(stage)
        stage.conductor.stop()
        return False

    def _calm_down(self, stage: _Stage) -> None:
        stage.conductor.stop()
        stage.proxy.calm()
        self._say("all sent: no more faults, waiting for the queue to become empty")

    def _leftovers(self) -> list[str]:
        """Processes and temporary files that the pollers left behind."""
        deadline = time.monotonic() + _CHILDREN_END_SECONDS
        while any(processes.marked(self._mark)) and time.monotonic() < deadline:
            time.sleep(_TICK_SECONDS)
        left = [processes.describe(pid) for pid in processes.marked(self._mark)]
        return left + [str(path.relative_to(self.folder)) for path in self._temporary.rglob("*")]


def _end(pollers: Sequence[Poller]) -> None:
    """Stop the pollers."""
    for poller in pollers:
        poller.close()
    while not all(poller.gone for poller in pollers):
        for poller in pollers:
            poller.watch()
        time.sleep(_TICK_SECONDS)


def _ticks(limit: float) -> Iterator[int]:
    """Count, a few times a second, until the limit."""
    for ticks in itertools.count():
        if time.monotonic() > limit:
            return
        yield ticks
        time.sleep(_TICK_SECONDS)


def _progress(plan: Plan, stage: _Stage) -> str:
    visible, in_flight, delayed = stage.world.in_queue()
    deaths = sum(len(poller.deaths) for poller in stage.pollers)
    return (
        f"sent {stage.producer.sent} of {plan.sends}; queue: {visible} waiting, "
        f"{in_flight} in flight, {delayed} delayed; dead letters: {stage.world.dead()}; "
        f"worker deaths: {deaths}"
    )
