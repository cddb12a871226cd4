"""Performs the plan's acts on pollers, detectors and services."""

import heapq
import resource
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import count
from typing import Final

from tests.chaos import processes
from tests.chaos.ambush import Ambush
from tests.chaos.faults import Service
from tests.chaos.plan import CHILD_ACTS, Act, ActKind
from tests.chaos.pollers import Poller
from tests.chaos.proxy import FaultProxy
from tests.chaos.world import World

VISIBILITY_SECONDS: Final = 12
_HURRIED_SECONDS: Final = 5

# An image gets two tries. To harm no image twice, a detector is harmed only this long after the
# last harmed one is gone or has recovered, and after the last image that misbehaved.
_RESPITE_SECONDS: Final = 8
_STOPPED_SECONDS: Final = 5
_STARVED_SECONDS: Final = 10  # most images need no more memory than the last one left

_AGAIN_SECONDS: Final = 0.5


class Conductor:
    """Performs acts; call `tick` a few times a second."""

    def __init__(
        self,
        acts: Sequence[Act],
        pollers: Sequence[Poller],
        proxy: FaultProxy,
        world: World,
        ambush: Ambush,
        mark: str,
    ) -> None:
        self._waiting = list(acts)
        self._pollers = pollers
        self._proxy = proxy
        self._world = world
        self._ambush = ambush
        self._mark = mark
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()
        self._harmed: int | None = None
        self._well_since = 0.0
        self.done = Counter[ActKind]()
        self.in_mid_batch = 0

    @property
    def finished(self) -> bool:
        """Whether every act is done and undone."""
        return not self._waiting and not self._later

    def tick(self, sent: int) -> None:
        """Do what is due after this many messages."""
        while self._later and self._later[0][0] <= time.monotonic():
            heapq.heappop(self._later)[2]()
        due = [act for act in self._waiting if act.at <= sent]
        for act in due:
            if self._do(act):
                self._waiting.remove(act)
                self.done[act.kind] += 1

    def stop(self) -> None:
        """Cancel the remaining acts, and undo those in progress."""
        self._waiting.clear()
        while self._later:
            heapq.heappop(self._later)[2]()

    def _after(self, seconds: float, then: Callable[[], None]) -> None:
        heapq.heappush(self._later, (time.monotonic() + seconds, next(self._numbers), then))

    def _do(self, act: Act) -> bool:
        """Returns whether it could be done; otherwise it is retried."""
        if act.kind in CHILD_ACTS:
            return self._harm(act)
        if act.kind is ActKind.OUTAGE:
            service = list(Service)[int(act.choice * len(Service))]
            self._proxy.refuse(service)
            self._after(act.seconds, lambda: self._proxy.accept(service))
            return True
        if not all(poller.ready for poller in self._pollers):
            return False
        if act.kind is ActKind.HURRY:
            self._set_visibility(_HURRIED_SECONDS)
            self._after(act.seconds, lambda: self._set_visibility(VISIBILITY_SECONDS))
            return True
        self._disturb(self._pollers[int(act.choice * len(self._pollers))], act.kind)
        return True

    def _disturb(self, poller: Poller, kind: ActKind) -> None:
        self.in_mid_batch += self._world.in_queue()[1] > 0
        if kind is ActKind.PAUSE:
            poller.pause()
            self._after(VISIBILITY_SECONDS + 2, poller.resume)
        elif kind is ActKind.TERMINATE:
            poller.terminate()
        else:
            poller.kill()

    def _set_visibility(self, seconds: int) -> None:
        """Pollers read the visibility timeout when they start, so restart them."""
        self._world.show_messages_after(seconds)
        for poller in self._pollers:
            if poller.ready:
                poller.terminate()

    def _harm(self, act: Act) -> bool:
        if not self._may_harm():
            return False
        poller = self._pollers[int(act.choice * len(self._pollers))]
        detectors = processes.detectors_of(poller.pid, self._mark)
        if not detectors:
            return False
        pid = detectors[int(act.choice * 1000) % len(detectors)]
        self._ambush.note_harm()
        self._harmed = pid
        if act.kind is ActKind.CHILD_KILL:
            processes.signal_to(pid, signal.SIGKILL)
        elif act.kind is ActKind.CHILD_STOP:
            processes.signal_to(pid, signal.SIGSTOP)
            self._after(_STOPPED_SECONDS, lambda: self._heal(pid))
        else:
            _starve(pid)
            self._after(_STARVED_SECONDS, lambda: self._heal(pid))
        return True

    def _may_harm(self) -> bool:
        now = time.monotonic()
        if self._harmed is not None:
            if processes.exists(self._harmed):
                return False
            self._harmed, self._well_since = None, now
        return min(now - self._well_since, self._ambush.quiet_seconds()) > _RESPITE_SECONDS

    def _heal(self, pid: int) -> None:
        """Give a detector that was not replaced its memory back, and let it continue."""
        if self._harmed == pid:
            self._harmed, self._well_since = None, time.monotonic()
            _feed(pid)
            processes.signal_to(pid, signal.SIGCONT)


def _starve(pid: int) -> None:
    """Let a process allocate no more memory."""
    with suppress(OSError):
        _, hard = resource.prlimit(pid, resource.RLIMIT_AS)
        resource.prlimit(pid, resource.RLIMIT_AS, (2**20, hard))


def _feed(pid: int) -> None:
    with suppress(OSError):
        _, hard = resource.prlimit(pid, resource.RLIMIT_AS)
        resource.prlimit(pid, resource.RLIMIT_AS, (hard, hard))
