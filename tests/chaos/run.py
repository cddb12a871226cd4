"""One run: everything is started, let loose, waited for, ended, and judged."""

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

# How innocents are kept out of the dead-letter queue: the worker's delay after the n-th failure is
# the base times 4 to the power of n - 1, of 10 at the most. With this base the first eight retries
# follow at once, the ninth and tenth within seconds, and every further one after 5 to 10 s. An
# outage lasts at most 6 s and so takes 11 receives at most; of the others each fails for a fault of
# ours about one time in four, so that all of the remaining 11 fail in one of four million cases.
# The report tells the highest receive count that was needed. A planned dead letter takes 90 s.
MAX_RECEIVE_COUNT: Final = 22
RETRY_BASE_SECONDS: Final = 0.00001

# An image that hangs twice, and two starts of a detector, fit into the time that messages give.
_DETECT_SECONDS: Final = 3

# Detectors of each poller: two pollers compete, and one of them has a pool.
_DETECTORS: Final = (2, 1)

_TICK_SECONDS: Final = 0.1
_TICKS_A_SAMPLE: Final = 5
_TICKS_A_LINE: Final = 100
_CHILDREN_END_SECONDS: Final = 15  # a detector whose parent was killed ends by its own alarm

# After so long a run is broken off: a quiet machine takes a third of it.
_LIMIT_SECONDS: Final = 300
_LIMIT_SECONDS_PER_MESSAGE: Final = 0.4


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a run.

    Attributes:
        verdict: of the independent check.
        pollers: with their deaths, lives and samples.
        leftovers: processes and files that were still there in the end.
        seconds: how long it took.
        finished: whether the queue ran empty before the limit.
        done: what was done to processes and services.
        planned_acts: how much of that was planned; the run may be over sooner.
        in_mid_batch: how many of the pollers that were disturbed had messages in hand.
        requests: that went through the proxy.
        faults: that they met there.
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
    """What a run is made of, running."""

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
        max_receive_count: int = MAX_RECEIVE_COUNT,
    ) -> None:
        """Make a folder for it."""
        self._plan = plan
        self._complexity = complexity
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
        """Do it all. Whatever was started is ended, whatever happens."""
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
                item_promises(self._plan, stage.producer.uploads, truths),
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
        """Start everything but the producer; the stack ends it, the last first."""
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
        """Until all is sent, done, and the queue empty; whether that was so before the limit."""
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
        self._say("all sent: the faults end, and the queue has to run empty")

    def _leftovers(self) -> list[str]:
        """What the pollers left behind: processes of whatever life, temporary files."""
        deadline = time.monotonic() + _CHILDREN_END_SECONDS
        while any(processes.marked(self._mark)) and time.monotonic() < deadline:
            time.sleep(_TICK_SECONDS)
        left = [processes.describe(pid) for pid in processes.marked(self._mark)]
        return left + [str(path.relative_to(self.folder)) for path in self._temporary.rglob("*")]


def _end(pollers: Sequence[Poller]) -> None:
    """Have the pollers stop by themselves."""
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
