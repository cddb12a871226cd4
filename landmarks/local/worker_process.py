"""The real poller as a process of its own, and what its log says.

Everything the worker prints goes to one file: JSON lines, metrics, and what
Python says when it dies.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from landmarks.errors import LandmarkError

_PACKAGE_ROOT: Final = Path(__file__).parents[2]


# A long poll: how long the process may take to see that it has to stop.
_WAIT_SECONDS: Final = 1


_STOP_SECONDS: Final = 5.0


_TAIL_LINES: Final = 8


_TAIL_CHARACTERS: Final = 300


LogEvent = Mapping[str, Any]


class PollerError(LandmarkError):
    """Raised when the worker ends before its work is done."""

    code = "WORKER_ENDED"


class WorkerLog:
    """The log file, read on as it grows."""

    def __init__(self, path: Path) -> None:
        """Read `path`, from its beginning."""
        self.path = path
        self._offset = 0
        self._events: list[LogEvent] = []

    def events(self, *names: str) -> Sequence[LogEvent]:
        """What was logged until now under these names, in order."""
        self._read_on()
        return [event for event in self._events if event["message"] in names]

    def tail(self) -> str:
        """The beginnings of the last lines, indented; for a person."""
        lines = self.path.read_text(encoding="utf-8", errors="replace").splitlines()
        last = (line[:_TAIL_CHARACTERS] for line in lines[-_TAIL_LINES:])
        return "\n".join(f"  {line}" for line in last) or "  (nothing)"

    def _read_on(self) -> None:
        with self.path.open("rb") as file:
            file.seek(self._offset)
            complete, newline, _ = file.read().rpartition(b"\n")
        self._offset += len(complete) + len(newline)
        for line in complete.splitlines():
            with suppress(ValueError):
                event = json.loads(line)
                if isinstance(event, dict) and "message" in event:
                    self._events.append(event)


class PollerProcess:
    """`python -m worker.poller`, running as long as the block."""

    def __init__(self, log: Path, settings: Mapping[str, str]) -> None:
        """Run with `settings` on top of this process's environment, and write to `log`."""
        self.log = WorkerLog(log)
        self._settings = settings

    def __enter__(self) -> Self:
        """Start and return at once, while it warms up."""
        path = os.pathsep.join(filter(None, (str(_PACKAGE_ROOT), os.environ.get("PYTHONPATH"))))
        command = ["-P", "-m", "worker.poller", "--stop-with", str(os.getpid())]
        options = ["--wait-seconds", str(_WAIT_SECONDS)]
        with self.log.path.open("wb") as file:
            self._process = subprocess.Popen(
                [sys.executable, *command, *options],
                env={**os.environ, **self._settings, "PYTHONPATH": path},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for us; we tell it to stop
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Let it finish what it has in hand; be patient only so long."""
        self.stop()
        try:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_STOP_SECONDS)
        finally:
            self._process.kill()
            self._process.wait()

    def stop(self) -> None:
        """Tell it to stop, and return at once."""
        self._process.terminate()

    def check(self) -> None:
        """See that it runs.

        Raises:
            PollerError: it does not.
        """
        status = self._process.poll()
        if status is not None:
            raise PollerError(f"the worker ended with status {status}\n{self.last_words()}")

    def last_words(self) -> str:
        """Where the log is, and how it ends."""
        return f"{self.log.path} ends with:\n{self.log.tail()}"
