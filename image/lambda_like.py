"""Containers with Lambda's limits.

One vCPU and its memory, an unprivileged user, a read-only file system except `/tmp`, no
`/dev/shm`, no thread names, and no network: only a loopback interface, on which a gateway
stands in for the AWS endpoints.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from docker_cli import Container, DockerError, container
from emulator import Emulator

MEMORY_MEGABYTES = 1769  # one vCPU
TIMEOUT_SECONDS = 60

_FOLDER = Path(__file__).resolve().parent
_RELAY = _FOLDER / "relay.py"

LIMITS = (
    "--read-only",
    "--tmpfs=/tmp:rw,size=512m",  # Lambda's default
    "--user=993:990",
    "--cpus=1",
    f"--memory={MEMORY_MEGABYTES}m",
    f"--memory-swap={MEMORY_MEGABYTES}m",
    "--pids-limit=1024",  # Lambda's limit of processes and threads
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    f"--security-opt=seccomp={_FOLDER / 'lambda_seccomp.json'}",
    "--ipc=none",  # no /dev/shm
)

# Set by Lambda.
FUNCTION_ENVIRONMENT = {
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(MEMORY_MEGABYTES),
    "AWS_LAMBDA_FUNCTION_TIMEOUT": str(TIMEOUT_SECONDS),
}
# Passed on from this process: where the embedded services are.
_AWS_VARIABLES = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
)

_GATEWAY_SECONDS = 30


def aws_environment() -> Mapping[str, str]:
    """The variables that point AWS's clients to the embedded services."""
    return {name: os.environ[name] for name in _AWS_VARIABLES if name in os.environ}


def services_address() -> str:
    """The address of the embedded services, `host:port`."""
    return os.environ["AWS_ENDPOINT_URL"].removeprefix("http://")


@dataclass(frozen=True)
class Gateway:
    """A container that connects its network to this machine.

    Attributes:
        container: the owner of the network.
        emulator: of the worker in that network.
    """

    container: Container
    emulator: Emulator

    @property
    def network(self) -> str:
        """The network as an argument of `docker run`."""
        return f"container:{self.container.name}"


@contextmanager
def gateway(image: str, *, network: str = "none", listen: str | None = None) -> Iterator[Gateway]:
    """Make the embedded services reachable in a network, and the emulator from this machine.

    It opens no port on this machine and reaches nothing else.

    Args:
        image: any image that has Python.
        network: name of a Docker network; "none" is one with only a loopback interface.
        listen: the services' address in that network (default: the same as on this machine).
    """
    with tempfile.TemporaryDirectory(prefix="landmark-") as name:
        folder = Path(name)
        options = (
            f"--network={network}",
            f"--volume={folder}:/sockets",
            f"--user={os.getuid()}:{os.getgid()}",
            "--entrypoint=python3",
            "--env=LD_PRELOAD=",
        )
        command = (
            *("-c", _RELAY.read_text(encoding="utf-8"), "/sockets/ready"),
            f"{listen or services_address()}=/sockets/services",
            "/sockets/emulator=127.0.0.1:8080",
        )
        with _way_out(folder / "services"), container(image, *command, options=options) as carrier:
            _wait_for(folder / "ready", carrier)
            yield Gateway(carrier, Emulator(str(folder / "emulator")))


@contextmanager
def worker(
    image: str,
    *command: str,
    environment: Mapping[str, str],
    network: str,
    options: tuple[str, ...] = LIMITS,
) -> Iterator[Container]:
    """Run the worker in the network of a gateway."""
    variables = {**FUNCTION_ENVIRONMENT, **aws_environment(), **environment}
    options = (*options, f"--network={network}")
    with container(image, *command, options=options, environment=variables) as started:
        yield started


@contextmanager
def _way_out(path: Path) -> Iterator[None]:
    """Connect a Unix socket to the embedded services."""
    command = [sys.executable, str(_RELAY), f"{path}.ready", f"{path}={services_address()}"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as relay:
        try:
            yield
        finally:
            relay.terminate()


def _wait_for(ready: Path, carrier: Container) -> None:
    deadline = time.monotonic() + _GATEWAY_SECONDS
    while not (ready.exists() and ready.with_name("services.ready").exists()):
        if time.monotonic() > deadline:
            raise DockerError(f"the gateway does not start: {carrier.logs()}")
        time.sleep(0.01)
