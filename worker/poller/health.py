"""Whether the poller is well, for whoever would start it anew: by a file, or over HTTP.

It is well while polls succeed, or a batch is worked on that is not overdue, and as long as
detectors come up.
"""

import logging
import threading
import time
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

from landmarks.errors import SettingsError

_LOG = logging.getLogger(__name__)


HEALTH_PATH: Final = "/healthz"


# While all is well the file is touched every second.
_TOUCH_SECONDS: Final = 1.0


_STALE_SECONDS: Final = 30.0


_ASK_SECONDS: Final = 5.0


_MOST_WORDS: Final = 200


class Health:
    """What the poller last said of itself; used by many threads."""

    def __init__(self, patience_seconds: float, file: Path | None = None) -> None:
        """Not be well before the first poll.

        Args:
            patience_seconds: how long without a successful poll is still well.
            file: is touched by `tick` while all is well; an earlier process's is removed.

        Raises:
            SettingsError: there can be no such file.
        """
        try:
            if file:
                file.touch()
                file.unlink()
        except OSError as error:
            raise SettingsError(f"--health-file: {file}: {error.strerror}") from error
        self._patience_seconds = patience_seconds
        self._file = file
        self._good_until = 0.0
        self._touched = 0.0
        self._detectors_fail = False
        self._lock = threading.Lock()

    @property
    def complaint(self) -> str | None:
        """What is wrong; None while all is well."""
        if self._detectors_fail:
            return "no detector comes up"
        if not self._good_until:
            return "no successful poll yet"
        if time.monotonic() > self._good_until:
            return f"no successful poll, or a batch overdue, for {self._patience_seconds:g} s"
        return None

    def polled(self) -> None:
        """SQS has answered."""
        with self._lock:
            self._good_until = max(self._good_until, time.monotonic() + self._patience_seconds)

    def began(self, seconds: float) -> None:
        """A batch is worked on that may take so long."""
        with self._lock:
            self._good_until = time.monotonic() + seconds + self._patience_seconds

    def ended(self, *, detectors_failing: bool) -> None:
        """The batch is done; detectors come up, or not."""
        self._detectors_fail = detectors_failing
        with self._lock:
            self._good_until = time.monotonic() + self._patience_seconds

    def tick(self) -> None:
        """Touch the file if all is well; to be called often, by the thread that leads."""
        now = time.monotonic()
        if self._file and now - self._touched >= _TOUCH_SECONDS and self.complaint is None:
            self._touched = now
            try:
                self._file.touch()
            except OSError as error:  # whoever looks at it will see
                _LOG.warning("health file not touched", extra={"error_message": str(error)})


def file_complaint(file: Path) -> str | None:
    """What is wrong by the file of another process's `Health`; None while all is well."""
    try:
        age_seconds = time.time() - file.stat().st_mtime
    except OSError as error:
        return f"{file}: {error.strerror}"
    if age_seconds > _STALE_SECONDS:
        return f"{file} was last touched {age_seconds:.0f} s ago"
    return None


def port_complaint(host: str, port: int) -> str | None:
    """What is wrong by the port of another process's `Health`; None while all is well."""
    connection = HTTPConnection(host, port, timeout=_ASK_SECONDS)
    try:
        connection.request("GET", HEALTH_PATH)
        answer = connection.getresponse()
        words = answer.read(_MOST_WORDS).decode(errors="replace").strip()
    except (OSError, HTTPException) as error:
        return f"{host}:{port}: {error}"
    finally:
        connection.close()
    return None if answer.status == HTTPStatus.OK else words


def serve_health(health: Health, host: str, port: int) -> ThreadingHTTPServer:
    """Answer GET /healthz with 200 or 503, in a thread that ends with the process.

    Raises:
        SettingsError: the address can't be listened at.
    """

    class Answer(BaseHTTPRequestHandler):
        timeout = 5  # nobody holds a thread by saying nothing

        def do_GET(self) -> None:
            if self.path != HEALTH_PATH:
                self._say(HTTPStatus.NOT_FOUND, HEALTH_PATH)
            elif complaint := health.complaint:
                self._say(HTTPStatus.SERVICE_UNAVAILABLE, complaint)
            else:
                self._say(HTTPStatus.OK, "ok")

        def log_message(self, *_: object) -> None:
            """A probe every few seconds is no news."""

        def _say(self, status: HTTPStatus, words: str) -> None:
            content = f"{words}\n".encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/plain; charset=utf-8")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    try:
        server = ThreadingHTTPServer((host, port), Answer)
    except OSError as error:
        raise SettingsError(f"--health-port: {host}:{port}: {error.strerror}") from error
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
    return server
