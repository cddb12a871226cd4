"""Client of the runtime interface emulator, over TCP or a Unix socket."""

import json
import socket
import time
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any

INVOCATIONS = "/2015-03-31/functions/function/invocations"


class _UnixConnection(HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


@dataclass(frozen=True)
class Emulator:
    """A function to invoke.

    Attributes:
        address: `host:port`, or the path of a Unix socket.
    """

    address: str

    def invoke(self, event: object, timeout_seconds: float = 60) -> Any:  # noqa: ANN401, it is JSON
        """Invoke the function; returns its answer, or Lambda's description of its error."""
        with closing(self._connection(timeout_seconds)) as connection:
            connection.request("POST", INVOCATIONS, json.dumps(event))
            with connection.getresponse() as response:
                return json.loads(response.read())

    def first_answer(self, event: object, timeout_seconds: float = 60) -> Any:  # noqa: ANN401
        """Invoke the function as soon as the emulator listens.

        Args:
            event: the function's argument.
            timeout_seconds: how long to wait for the emulator, and then for the answer.

        Raises:
            TimeoutError: the emulator did not start.
        """
        deadline = time.monotonic() + timeout_seconds
        while time.monotonic() < deadline:
            try:
                return self.invoke(event, timeout_seconds)
            except (ConnectionError, FileNotFoundError):
                time.sleep(0.01)
        raise TimeoutError(f"no emulator at {self.address}")

    def _connection(self, timeout_seconds: float) -> HTTPConnection:
        if "/" in self.address:
            return _UnixConnection(self.address, timeout_seconds)
        return HTTPConnection(self.address, timeout=timeout_seconds)
