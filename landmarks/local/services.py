"""moto's server: one request at a time, and empty at the start."""

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


_LOOK_SECONDS: Final = 0.05


_Environ = dict[str, Any]


_StartResponse = Callable[..., Any]


_Application = Callable[[_Environ, _StartResponse], Iterable[bytes]]


class AddressError(LandmarkError):
    """Raised when the services can't listen where they should."""

    code = "ADDRESS_UNAVAILABLE"


@contextmanager
def moto_server(host: str, port: int) -> Iterator[int]:
    """Serve as long as the block runs; yields the port, which is a free one for 0.

    All that moto keeps is kept once a process: what another server of it held is gone.

    Raises:
        AddressError: somebody else listens there, or it is no address of this machine.
    """
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # not a line a request
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
        reason = str(error.strerror).partition(" (while")[0]  # the address is said already
        raise AddressError(f"{host}:{port}: {reason}") from error


def one_at_a_time(application: _Application) -> _Application:
    """The application, never entered by two threads.

    moto's queues lose a message that is sent while another is deleted, and its tables check a
    condition and write in two steps. A long poll waits outside of the lock.
    """
    lock = threading.Lock()

    def answer(environ: _Environ, start_response: _StartResponse) -> Iterable[bytes]:
        said: list[Any] = []
        with lock:
            content = b"".join(application(environ, lambda *words: said.extend(words)))
        start_response(*said)
        return [content]

    def serve(environ: _Environ, start_response: _StartResponse) -> Iterable[bytes]:
        if environ.get("HTTP_X_AMZ_TARGET") == _RECEIVE:
            return long_poll(environ, start_response)
        return answer(environ, start_response)

    def long_poll(environ: _Environ, start_response: _StartResponse) -> Iterable[bytes]:
        fields = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
        end = time.monotonic() + fields.get("WaitTimeSeconds", 0)
        body = json.dumps({**fields, "WaitTimeSeconds": 0}).encode()
        while True:
            said: list[Any] = []
            once = {**environ, "wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body))}
            (content,) = answer(once, lambda *words, to=said: to.extend(words))
            if b'"Messages"' in content or time.monotonic() >= end:
                start_response(*said)
                return [content]
            time.sleep(_LOOK_SECONDS)

    return serve
