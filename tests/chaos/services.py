"""S3, SQS and DynamoDB by moto, in a process of their own that ends with the harness.

Run as `python -m tests.chaos.services`. It reads the run's mark from its standard input and says
its port on standard output. When its input ends, the harness is gone, however it went: then it
kills what carries the mark, and ends.
"""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from io import BytesIO
from typing import Any, Final

from tests.chaos.faults import Service
from tests.chaos.processes import kill_marked

_POLL_SECONDS: Final = 0.05
_START_TIMEOUT_SECONDS: Final = 60

_Environ = dict[str, Any]
_StartResponse = Callable[..., Any]
_Application = Callable[[_Environ, _StartResponse], Iterable[bytes]]


class ServicesProcess:
    """The services, from start to close."""

    def __init__(self, mark: str) -> None:
        """Start them and wait until they listen.

        Raises:
            RuntimeError: they don't.
        """
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.services"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        source, sink = self._process.stdout, self._process.stdin
        if source is None or sink is None:
            raise TypeError("pipes were asked for")
        sink.write(mark.encode() + b"\n")
        sink.flush()
        line = source.readline()
        if not line.strip().isdigit():
            self.close()
            raise RuntimeError("the embedded services do not start")
        self.port = int(line)

    @property
    def endpoint(self) -> str:
        """Their address."""
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        """End them, and whatever else of the run is left."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()
        try:
            self._process.wait(_START_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def one_at_a_time(application: _Application) -> _Application:
    """The application, never entered by two threads.

    moto's queues lose a message that is sent while another is deleted, and its tables check a
    condition and write in two steps. A long poll waits outside of the lock.
    """
    lock = threading.Lock()

    def serve(environ: _Environ, start_response: _StartResponse) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        wait_seconds = 0.0
        if environ.get("HTTP_X_AMZ_TARGET") == "AmazonSQS.ReceiveMessage":
            fields = json.loads(body)
            wait_seconds = fields.get("WaitTimeSeconds", 0)
            body = json.dumps({**fields, "WaitTimeSeconds": 0}).encode()
        deadline = time.monotonic() + wait_seconds
        while True:
            said: list[Any] = []
            request = {**environ, "wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body))}
            with lock:
                content = b"".join(application(request, lambda *words, to=said: to.extend(words)))
            if not wait_seconds or b'"Messages"' in content or time.monotonic() > deadline:
                start_response(*said)
                return [content]
            time.sleep(_POLL_SECONDS)

    return serve


def environment(endpoints: Mapping[Service, str]) -> dict[str, str]:
    """The variables that send AWS's clients to these addresses, one a service."""
    return {
        "AWS_ACCESS_KEY_ID": "chaos",
        "AWS_SECRET_ACCESS_KEY": "chaos",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        **{f"AWS_ENDPOINT_URL_{name.upper()}": url for name, url in endpoints.items()},
    }


def main() -> None:
    """Serve until standard input ends."""
    import logging  # noqa: PLC0415, only in the process of its own

    from moto.moto_server.werkzeug_app import (  # noqa: PLC0415
        DomainDispatcherApplication,
        MotoRequestHandler,
        create_backend_app,
    )
    from werkzeug.serving import make_server  # noqa: PLC0415

    mark = sys.stdin.buffer.readline().decode().strip()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # not a line a request
    application = one_at_a_time(DomainDispatcherApplication(create_backend_app))
    server = make_server(
        "127.0.0.1", 0, application, threaded=True, request_handler=MotoRequestHandler
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    sys.stdin.buffer.read()
    kill_marked(mark)


if __name__ == "__main__":
    main()
