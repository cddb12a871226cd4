"""The worker's own processes: started, watched, measured, killed and started again."""

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

# A poller that was told to stop finishes its batch: the visibility timeout, and what a hanging SQS
# may cost its client.
_STOP_SECONDS: Final = 60

# Of a log, in bytes: where it says that it polls, and why it has died.
_FIRST_WORDS: Final = 20_000
_LAST_WORDS: Final = 400


@dataclass
class Life:
    """One poller process, from its start to its end.

    Attributes:
        log: where its output goes.
        samples: what it held, in the order of time.
    """

    log: Path
    started: float = field(default_factory=time.monotonic)
    samples: list[tuple[float, Usage]] = field(default_factory=list)


class Poller:
    """One of the worker's processes; when it ends, another takes its place."""

    def __init__(self, name: str, environment: Mapping[str, str], folder: Path, mark: str) -> None:
        """Start the first; all carry the mark on their command line."""
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
        """The present process."""
        return self._process.pid

    @property
    def ready(self) -> bool:
        """Whether it polls, and nothing is being done to it."""
        undisturbed = not (self._expected or self._paused) and self._process.poll() is None
        return undisturbed and self._polls

    def kill(self) -> None:
        """Kill it, whatever it is doing."""
        self._expected = (-signal.SIGKILL,)
        self._process.kill()

    def terminate(self) -> None:
        """Ask it to stop; while it starts, it may just die."""
        self._expected = (0,) if self._polls else (0, -signal.SIGTERM)
        self._stop_by = time.monotonic() + _STOP_SECONDS
        self._process.terminate()

    def pause(self) -> None:
        """Stop it in its tracks."""
        self._paused = True
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._process.send_signal(signal.SIGCONT)
        self._paused = False

    def close(self) -> None:
        """Ask it to stop, and start no other."""
        self._closing = True
        if self._process.poll() is None:
            self.terminate()

    def watch(self) -> None:
        """See whether it lives; note an end that nobody planned; start the next."""
        status = self._process.poll()
        if self.gone or status is None:
            self._hurry()
            return
        if status not in self._expected:
            words = self.lives[-1].log.read_text(errors="replace")[-_LAST_WORDS:]
            self.deaths.append(f"{self.name} ended with status {status}: …{words}")
        self._expected, self._stop_by = (), None
        if self._closing:
            self.gone = True
        else:
            self._start()

    def measure(self) -> None:
        """Take a sample of what it holds."""
        life = self.lives[-1]
        sample = processes.usage(self.pid)
        if sample and not self._paused:
            life.samples.append((time.monotonic() - life.started, sample))

    @property
    def _polls(self) -> bool:
        """Whether it has come as far as that."""
        with self.lives[-1].log.open("rb") as log:
            return b'"polling"' in log.read(_FIRST_WORDS)

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
