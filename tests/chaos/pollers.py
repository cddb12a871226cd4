"""The worker's processes: started, monitored, killed and restarted."""

import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.chaos import processes
from tests.chaos.processes import Usage

ROOT: Final = Path(__file__).parents[2]

# A terminated poller finishes its batch: at most the visibility timeout and the timeouts of SQS's
# client.
_STOP_SECONDS: Final = 60

# Bytes of a log: where "polling" is found, and what is shown of a death.
_LOG_HEAD: Final = 20_000
_LOG_TAIL: Final = 400


@dataclass
class Life:
    """One poller process, from its start to its end.

    Attributes:
        log: its output.
        samples: its resource usage over time.
    """

    log: Path
    started: float = field(default_factory=time.monotonic)
    samples: list[tuple[float, Usage]] = field(default_factory=list)


class Poller:
    """One of the worker's processes; restarted whenever it ends."""

    def __init__(self, name: str, environment: Mapping[str, str], folder: Path, mark: str) -> None:
        """Start it, with the run's mark on its command line."""
        self.name = name
        self._environment = dict(environment)
        self._folder = folder
        self._mark = mark
        self._expected: tuple[int, ...] = ()
        self._stop_by: float | None = None
        self._closing = False
        self._paused = False
        self.gone = False
        self.lives: list[Life] = []
        self.deaths: list[str] = []
        self._start()

    @property
    def pid(self) -> int:
        """The current process."""
        return self._process.pid

    @property
    def ready(self) -> bool:
        """Whether it polls and is not being disturbed."""
        undisturbed = not (self._expected or self._paused) and self._process.poll() is None
        return undisturbed and self._polls

    def kill(self) -> None:
        """Send SIGKILL."""
        self._expected = (-signal.SIGKILL,)
        self._process.kill()

    def terminate(self) -> None:
        """Send SIGTERM; while it starts, this may kill it."""
        self._expected = (0,) if self._polls else (0, -signal.SIGTERM)
        self._stop_by = time.monotonic() + _STOP_SECONDS
        self._process.terminate()

    def pause(self) -> None:
        """Send SIGSTOP."""
        self._paused = True
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Send SIGCONT."""
        self._process.send_signal(signal.SIGCONT)
        self._paused = False

    def close(self) -> None:
        """Stop it for good."""
        self._closing = True
        if self._process.poll() is None:
            self.terminate()

    def watch(self) -> None:
        """Note an unplanned end, and restart it."""
        status = self._process.poll()
        if self.gone or status is None:
            self._hurry()
            return
        if status not in self._expected:
            tail = self.lives[-1].log.read_text(errors="replace")[-_LOG_TAIL:]
            self.deaths.append(f"{self.name} ended with status {status}: …{tail}")
        self._expected, self._stop_by = (), None
        if self._closing:
            self.gone = True
        else:
            self._start()

    def measure(self) -> None:
        """Sample its resource usage."""
        life = self.lives[-1]
        sample = processes.usage(self.pid)
        if sample and not self._paused:
            life.samples.append((time.monotonic() - life.started, sample))

    @property
    def _polls(self) -> bool:
        """Whether it has begun to poll."""
        with self.lives[-1].log.open("rb") as log:
            return b'"polling"' in log.read(_LOG_HEAD)

    def _hurry(self) -> None:
        """Kill it if it takes too long to stop."""
        if self._stop_by and time.monotonic() > self._stop_by:
            self.deaths.append(f"{self.name} did not stop within {_STOP_SECONDS} s")
            self.kill()
            self._stop_by = None

    def _start(self) -> None:
        log = self._folder / f"poller-{self.name}-{len(self.lives) + 1}.log"
        self.lives.append(Life(log))
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-X", self._mark, "-m", "worker.poller", "--wait-seconds", "1"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self._environment,
                cwd=ROOT,
                start_new_session=True,
            )
