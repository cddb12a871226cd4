"""moto's server in this process: starts empty, and does one request at a time."""

import errno
import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any, Final

from moto.core.base_backend import BackendDict
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import make_server

from landmarks.errors import LandmarkError

_RECEIVE: Final = "AmazonSQS.ReceiveMessage"
_POLL_SECONDS: Final = 0.05

_Environ = dict[str, Any]
_StartResponse = Callable[..., Any]
_Application = Callable[[_Environ, _StartResponse], Iterable[bytes]]


class AddressError(LandmarkError):
    """Raised when the services can't listen on an address."""

    code = "ADDRESS_UNAVAILABLE"


@contextmanager
def moto_server(host: str, port: int) -> Iterator[int]:
    """Serve for as long as the block runs; yields the port.

    moto keeps its state per process: starting a server resets it for any other one.

    Args:
        host: the address to listen on.
        port: 0 takes a free one.

    Raises:
        AddressError: the address is in use, or not this machine's.
    """
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # no line per request
    BackendDict.reset()
    with _listening(host, port) as listener:
        actual_port = listener.getsockname()[1]
        server = make_server(
            host,
            actual_port,
            one_at_a_time(DomainDispatcherApplication(create_backend_app)),
            threaded=True,
            request_handler=MotoRequestHandler,
            fd=listener.fileno(),
        )
        thread = threading.Thread(target=server.serve_forever, name="moto", daemon=True)
        thread.start()
        try:
            yield actual_port
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


def _listening(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port))
    except OSError as error:
        reason = str(error.strerror).partition(" (while")[0]  # the address again
        by_port = error.errno in {errno.EADDRINUSE, errno.EACCES}
        other = "--port (0 takes a free one)" if by_port else "--host"
        raise AddressError(f"{host}:{port}: {reason}: choose another {other}") from error


def one_at_a_time(application: _Application) -> _Application:
    """An application that no two threads enter at once; long polls wait outside.

    moto's queues lose a message that is sent while another is deleted, and its tables check a
    condition and write in two steps.
    """
    lock = threading.Lock()

    def answer(environ: _Environ, start_response: _StartResponse) -> list[bytes]:
        head: list[Any] = []
        with lock:
            content = b"".join(application(environ, lambda *words: head.extend(words)))
        start_response(*head)
        return [content]

    def long_poll(environ: _Environ, start_response: _StartResponse) -> list[bytes]:
        fields = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
        end = time.monotonic() + fields.get("WaitTimeSeconds", 0)
        body = json.dumps({**fields, "WaitTimeSeconds": 0}).encode()
        while True:
            head: list[Any] = []
            once = {**environ, "wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body))}
            content = answer(once, lambda *words, head=head: head.extend(words))
            if b'"Messages"' in content[0] or time.monotonic() >= end:
                start_response(*head)
                return content
            time.sleep(_POLL_SECONDS)

    def serve(environ: _Environ, start_response: _StartResponse) -> list[bytes]:
        polls = environ.get("HTTP_X_AMZ_TARGET") == _RECEIVE
        return (long_poll if polls else answer)(environ, start_response)

    return serve
