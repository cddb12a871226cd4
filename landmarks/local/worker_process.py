"""The worker as a child process: its settings are checked, it is started, its log is read.

Standard output and error go to one file: JSON lines, metrics, and the traceback of a crash.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from landmarks.errors import LandmarkError

if TYPE_CHECKING:
    from worker.settings import Settings

_PACKAGE_ROOT: Final = Path(__file__).parents[2]

_WAIT_SECONDS: Final = 1  # of a long poll: an idle worker takes as long to stop
_STOP_SECONDS: Final = 5.0

_TAIL_LINES: Final = 8
_TAIL_CHARACTERS: Final = 300

# What `LocalStack.environment` will set, whatever is set now; empty means not set.
_REPLACED: Final = {
    "RESULTS_TABLE": "local",
    "IMAGE_BUCKET": "",
    "QUEUE_URL": "",
    "DEAD_LETTER_QUEUE_URL": "",
}


class WorkerEndedError(LandmarkError):
    """Raised when the worker ends before it was told to."""

    code = "WORKER_ENDED"


def checked_settings() -> "Settings":
    """The settings that a worker started here will have, apart from the names of its stack.

    Raises:
        SettingsError: a setting is wrong, or the model is not installed.
    """
    from worker.model import require_model  # noqa: PLC0415, only to run the worker
    from worker.settings import Settings  # noqa: PLC0415, the same

    settings = Settings.from_environment({**os.environ, **_REPLACED})
    require_model(settings.model)
    return settings


class WorkerProcess:
    """`python -m worker.poller`, for as long as the block runs."""

    def __init__(self, log: Path, settings: Mapping[str, str]) -> None:
        """Nothing is started yet.

        Args:
            log: the file to write to, from its beginning.
            settings: environment variables in addition to this process's.
        """
        self._log = log
        self._settings = settings

    def __enter__(self) -> Self:
        """Start it, and do not wait for it."""
        path = os.pathsep.join(filter(None, (str(_PACKAGE_ROOT), os.environ.get("PYTHONPATH"))))
        # -P: no worker.py of the current directory is meant.
        command = [sys.executable, "-P", "-m", "worker.poller", "--stop-with", str(os.getpid())]
        with self._log.open("wb") as file:
            self._process = subprocess.Popen(
                [*command, "--wait-seconds", str(_WAIT_SECONDS)],
                env={**os.environ, **self._settings, "PYTHONPATH": path},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for this process, which stops the worker
            )
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it, and kill it if that takes too long."""
        self.stop()
        try:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_STOP_SECONDS)
        finally:
            self._process.kill()
            self._process.wait()

    def stop(self) -> None:
        """Tell it to stop, without waiting."""
        self._process.terminate()

    def check(self) -> None:
        """See whether it is running.

        Raises:
            WorkerEndedError: it is not.
        """
        status = self._process.poll()
        if status is not None:
            raise WorkerEndedError(f"the worker ended with status {status}\n{self.log_end()}")

    def events(self, name: str) -> Iterator[dict[str, Any]]:
        """The log's entries with this message."""
        for line in self._log.read_text("utf-8", errors="replace").splitlines():
            with suppress(ValueError):
                event = json.loads(line)
                if isinstance(event, dict) and event.get("message") == name:
                    yield event

    def log_end(self) -> str:
        """The log's path and last lines, for error messages."""
        lines = self._log.read_text("utf-8", errors="replace").splitlines()[-_TAIL_LINES:]
        tail = [f"  {line[:_TAIL_CHARACTERS]}" for line in lines] or ["  (nothing)"]
        return "\n".join([f"{self._log} ends with:", *tail])
