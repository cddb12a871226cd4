"""A measured program: its wall time, and CPU time and memory of its processes."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

ROOT: Final = Path(__file__).parents[1]

_STOP_SECONDS: Final = 20
_PEAK: Final = re.compile(r"VmHWM:\s+(\d+) kB")

# CPUCLOCK_SCHED in linux/posix-timers.h: all threads of a process, in nanoseconds.
_PROCESS_CPU_CLOCK: Final = 2


@dataclass(frozen=True, slots=True)
class Usage:
    """Time used.

    Attributes:
        wall_ms: wall time.
        cpu_ms: CPU time of all processes of the program.
        parent_cpu_ms: CPU time of the first of them.
    """

    wall_ms: float
    cpu_ms: float
    parent_cpu_ms: float

    def per(self, images: int) -> "Usage":
        """The share of one image."""
        return Usage(self.wall_ms / images, self.cpu_ms / images, self.parent_cpu_ms / images)


class Program:
    """Runs one of `bench.programs` for the duration of the block."""

    def __init__(
        self,
        name: str,
        environment: Mapping[str, str],
        *,
        cores: Collection[int],
        log: Path,
        python: Path = Path(sys.executable),
    ) -> None:
        """Start the program on these processors, with its output in `log`.

        `start_ms` is set by `wait_until_ready`.
        """
        self._started = time.monotonic()
        source, sink = os.pipe()
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [str(python), "-m", f"bench.programs.{name}", str(sink)],
                cwd=ROOT,
                env={**os.environ, **environment},
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                pass_fds=[sink],
                text=True,
                bufsize=1,
                preexec_fn=lambda: os.sched_setaffinity(0, cores),  # noqa: PLW1509, no threads here
            )
        os.close(sink)
        self._answers = os.fdopen(source, encoding="utf-8")
        self._name = name
        self.start_ms = 0.0

    def __enter__(self) -> Self:
        """The constructor has started it."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close its input, and kill it if it does not end."""
        if self._process.stdin:
            self._process.stdin.close()
        try:
            self._process.wait(_STOP_SECONDS)
        finally:
            self._process.kill()
            self._process.wait()
            self._answers.close()

    def wait_until_ready(self) -> Self:
        """Wait until it is ready."""
        self._read()
        self.start_ms = (time.monotonic() - self._started) * 1000
        return self

    def ask(self, request: object) -> tuple[Any, Usage]:
        """Send a request; returns the answer and the time used.

        Raises:
            RuntimeError: the program has ended.
        """
        stdin = self._process.stdin
        if stdin is None:
            raise TypeError("no pipe")
        line = f"{json.dumps(request)}\n"
        cpu, parent, wall = self._cpu_ms(), self._parent_cpu_ms(), time.monotonic()
        stdin.write(line)
        answer = self._read()
        wall_ms = (time.monotonic() - wall) * 1000
        return answer, Usage(wall_ms, self._cpu_ms() - cpu, self._parent_cpu_ms() - parent)

    def peak_mb(self) -> float:
        """The sum of its processes' peak memory, in 10⁶ bytes."""
        statuses = (Path(f"/proc/{pid}/status").read_text() for pid in self._pids())
        peaks = (_PEAK.search(status) for status in statuses)
        return sum(int(peak[1]) * 1024 for peak in peaks if peak) / 1e6

    def _read(self) -> Any:  # noqa: ANN401, any JSON
        line = self._answers.readline()
        if not line:
            raise RuntimeError(f"{self._name} ended with status {self._process.wait()}")
        return json.loads(line)

    def _pids(self) -> Iterator[int]:
        """The program and its children."""
        yield self._process.pid
        for path in Path(f"/proc/{self._process.pid}/task").glob("*/children"):
            yield from map(int, path.read_text().split())

    def _cpu_ms(self) -> float:
        return sum(map(_cpu_ms, self._pids()))

    def _parent_cpu_ms(self) -> float:
        return _cpu_ms(self._process.pid)


def _cpu_ms(pid: int) -> float:
    """CPU time of another process, by the clock that `clock_getcpuclockid` returns for it."""
    return time.clock_gettime((~pid << 3) | _PROCESS_CPU_CLOCK) * 1000
