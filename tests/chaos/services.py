"""S3, SQS and DynamoDB by moto, in a process of their own that ends with the harness.

Run as `python -m tests.chaos.services`. It reads the run's mark from standard input and prints its
port. When standard input ends, the harness is gone: it kills what carries the mark, and exits.
"""

import subprocess
import sys
from collections.abc import Mapping
from typing import Final

from landmarks.local.services import moto_server
from tests.chaos.faults import Service
from tests.chaos.processes import kill_marked

_START_TIMEOUT_SECONDS: Final = 60


class ServicesProcess:
    """The running services."""

    def __init__(self, mark: str) -> None:
        """Start them and wait until they listen.

        Raises:
            RuntimeError: they do not start.
        """
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.services"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        source, sink = self._process.stdout, self._process.stdin
        if source is None or sink is None:
            raise TypeError("no pipes")
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
        """Stop them, and kill what else is left of the run."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()
        try:
            self._process.wait(_START_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def environment(endpoints: Mapping[Service, str]) -> dict[str, str]:
    """The variables that point AWS's clients to these addresses."""
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
    mark = sys.stdin.buffer.readline().decode().strip()
    with moto_server("127.0.0.1", 0) as port:
        sys.stdout.write(f"{port}\n")
        sys.stdout.flush()
        sys.stdin.buffer.read()
        kill_marked(mark)


if __name__ == "__main__":
    main()
