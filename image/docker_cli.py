"""The `docker` command, and containers as context managers."""

import secrets
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass


class DockerError(Exception):
    """Raised when the docker command fails; the message is its output."""


def docker(*arguments: str, timeout_seconds: float = 60, errors_too: bool = False) -> str:
    """Run a docker command.

    Args:
        arguments: the command.
        timeout_seconds: how long it may take.
        errors_too: return standard error as well.

    Returns:
        Its output.
    """
    try:
        done = subprocess.run(
            ["docker", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if errors_too else subprocess.PIPE,
            text=True,
            errors="replace",
            timeout=timeout_seconds,
            check=False,
        )
    except FileNotFoundError:
        raise DockerError("there is no docker command on PATH") from None
    except subprocess.TimeoutExpired:
        raise DockerError(f"docker {arguments[0]}: no end after {timeout_seconds:g} s") from None
    if done.returncode:
        output = "\n".join(filter(None, (done.stdout, done.stderr)))
        raise DockerError(f"docker {arguments[0]}: {output.strip()}")
    return done.stdout.strip()


@dataclass(frozen=True)
class Container:
    """A running container."""

    name: str

    def inspect(self, template: str) -> str:
        """Run `docker inspect` with a Go template."""
        return docker("inspect", "--format", template, self.name)

    def logs(self) -> str:
        """Its output so far, of both streams."""
        return docker("logs", self.name, errors_too=True)

    def execute(self, *command: str, options: Sequence[str] = (), errors_too: bool = False) -> str:
        """Run a command in it; returns the output."""
        return docker("exec", *options, self.name, *command, errors_too=errors_too)

    def address_of(self, port: int) -> str:
        """The address of a published port on this machine."""
        return docker("port", self.name, str(port)).splitlines()[0]

    def stop(self, grace_seconds: int = 10) -> int:
        """Stop it, by SIGKILL after the grace period; returns the exit status."""
        docker("stop", "--time", str(grace_seconds), self.name, timeout_seconds=grace_seconds + 30)
        return int(self.inspect("{{.State.ExitCode}}"))


@contextmanager
def container(
    image: str,
    *command: str,
    options: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> Iterator[Container]:
    """Run a container for the duration of the block."""
    name = f"landmark-{secrets.token_hex(6)}"
    variables = [f"--env={key}={value}" for key, value in (environment or {}).items()]
    try:
        docker("run", "--detach", "--name", name, *variables, *options, image, *command)
        yield Container(name)
    finally:
        docker("rm", "--force", "--volumes", name)
