"""Whether the poller is healthy, told to an orchestrator by a file or over HTTP.

It is healthy while polls succeed, or a batch within its time is being worked on, and detectors
start.
"""

import logging
import socket
import threading
import time
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import TCPServer
from typing import Final

from landmarks.errors import SettingsError

_LOG = logging.getLogger(__name__)

HEALTH_PATH: Final = "/healthz"

_TOUCH_SECONDS: Final = 1.0
_STALE_SECONDS: Final = 30.0
_ASK_SECONDS: Final = 5.0
_MAX_ANSWER_BYTES: Final = 200

# Addresses to listen on that nobody can connect to, and the loopback address behind each.
_LOOPBACK: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104, asked for by --health-host


class Health:
    """What the poller last reported. Thread-safe."""

    def __init__(self, patience_seconds: float, file: Path | None = None) -> None:
        """Unhealthy before the first poll.

        Args:
            patience_seconds: how long the poller stays healthy without a successful poll.
            file: touched by `tick` while the poller is healthy; one that is there is removed.

        Raises:
            SettingsError: the file can't be created.
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
        self._due: list[float] = []  # when the batches at work are overdue
        self._touched = 0.0
        self._detectors_failing = False
        self._lock = threading.Lock()

    @property
    def complaint(self) -> str | None:
        """What is wrong; None while the poller is healthy."""
        if self._detectors_failing:
            return "no detector starts"
        with self._lock:
            good_until = min(self._due, default=self._good_until)
        if not good_until:
            return "no successful poll yet"
        if time.monotonic() > good_until:
            return f"no successful poll, or a batch overdue, for {self._patience_seconds:g} s"
        return None

    def polled(self) -> None:
        """SQS has answered."""
        with self._lock:
            self._good_until = max(self._good_until, time.monotonic() + self._patience_seconds)

    def began(self, seconds: float) -> float:
        """A batch has begun that may take this long; returns what `ended` needs."""
        due = time.monotonic() + seconds + self._patience_seconds
        with self._lock:
            self._due.append(due)
        return due

    def ended(self, due: float, *, detectors_failing: bool) -> None:
        """A batch has ended."""
        self._detectors_failing = detectors_failing
        with self._lock:
            self._due.remove(due)
            self._good_until = time.monotonic() + self._patience_seconds

    def tick(self) -> None:
        """Touch the file if the poller is healthy; call it often, from one thread."""
        now = time.monotonic()
        if self._file and now - self._touched >= _TOUCH_SECONDS and self.complaint is None:
            self._touched = now
            try:
                self._file.touch()
            except OSError as error:  # the orchestrator will notice
                _LOG.warning("health file not touched", extra={"error_message": str(error)})


def file_complaint(file: Path) -> str | None:
    """What is wrong with a running poller, by its health file; None if it is healthy."""
    try:
        age_seconds = time.time() - file.stat().st_mtime
    except OSError as error:
        return f"{file}: {error.strerror}"
    if age_seconds > _STALE_SECONDS:
        return f"{file} was last touched {age_seconds:.0f} s ago"
    return None


def port_complaint(host: str, port: int) -> str | None:
    """What is wrong with a running poller, by its health port; None if it is healthy."""
    host = _LOOPBACK.get(host, host)
    connection = HTTPConnection(host, port, timeout=_ASK_SECONDS)
    try:
        connection.request("GET", HEALTH_PATH)
        answer = connection.getresponse()
        words = answer.read(_MAX_ANSWER_BYTES).decode(errors="replace").strip()
    except (OSError, HTTPException) as error:
        return f"{_address(host, port)}: {error}"
    finally:
        connection.close()
    return None if answer.status == HTTPStatus.OK else words


def serve_health(health: Health, host: str, port: int) -> ThreadingHTTPServer:
    """Answer GET /healthz with 200 or 503, in a thread that ends with the process.

    Args:
        health: what to report.
        host: the address to listen on. `::` accepts IPv4 connections too, where the system can.
        port: 0 takes a free one.

    Raises:
        SettingsError: the address is not this machine's, or is in use.
    """

    class Handler(BaseHTTPRequestHandler):
        timeout = 5  # a silent client must not keep its thread

        def do_GET(self) -> None:
            if self.path != HEALTH_PATH:
                self._answer(HTTPStatus.NOT_FOUND, HEALTH_PATH)
            elif complaint := health.complaint:
                self._answer(HTTPStatus.SERVICE_UNAVAILABLE, complaint)
            else:
                self._answer(HTTPStatus.OK, "ok")

        def log_message(self, *_: object) -> None:
            """A probe every few seconds is not worth a line."""

        def _answer(self, status: HTTPStatus, words: str) -> None:
            content = f"{words}\n".encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/plain; charset=utf-8")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    try:
        server = _Server(host, port, Handler)
    except OSError as error:
        raise SettingsError(f"--health-port: {_address(host, port)}: {error.strerror}") from error
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
    return server


class _Server(ThreadingHTTPServer):
    """Listens on IPv4 or IPv6, whichever the host is; on IPv4 where its name has both."""

    def __init__(self, host: str, port: int, handler: type[BaseHTTPRequestHandler]) -> None:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        self.address_family = min(family for family, *_ in found)  # IPv4 has the lower number
        super().__init__((host, port), handler)

    def server_bind(self) -> None:
        if self.address_family == socket.AF_INET6 and socket.has_dualstack_ipv6():
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        TCPServer.server_bind(self)  # HTTPServer's own looks its name up, which can take a while


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
