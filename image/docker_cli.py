"""The `docker` command, and containers that end with the block that started them."""

import secrets
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass


class DockerError(Exception):
    """Raised when the docker command fails; its text is what that said."""


def docker(*arguments: str, timeout_seconds: float = 60, errors_too: bool = False) -> str:
    """Run one command of docker's.

    Args:
        arguments: the command.
        timeout_seconds: how long it may take.
        errors_too: return what it wrote to its standard error as well, in order.

    Returns:
        What it printed.
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
        last_words = "\n".join(filter(None, (done.stdout, done.stderr)))
        raise DockerError(f"docker {arguments[0]}: {last_words.strip()}")
    return done.stdout.strip()


@dataclass(frozen=True)
class Container:
    """A container that was started, by its name."""

    name: str

    def inspect(self, template: str) -> str:
        """What docker knows of it, through a Go template."""
        return docker("inspect", "--format", template, self.name)

    def logs(self) -> str:
        """What it has written until now, to either stream."""
        return docker("logs", self.name, errors_too=True)

    def execute(self, *command: str, options: Sequence[str] = (), errors_too: bool = False) -> str:
        """Run a command in it; returns what that printed."""
        return docker("exec", *options, self.name, *command, errors_too=errors_too)

    def address_of(self, port: int) -> str:
        """Where a port that it publishes is to be reached on this machine."""
        return docker("port", self.name, str(port)).splitlines()[0]

    def stop(self, grace_seconds: int = 10) -> int:
        """Send SIGTERM, SIGKILL if that is ignored; returns the exit status."""
        docker("stop", "--time", str(grace_seconds), self.name, timeout_seconds=grace_seconds + 30)
        return int(self.inspect("{{.State.ExitCode}}"))


@contextmanager
def container(
    image: str,
    *command: str,
    options: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> Iterator[Container]:
    """Run a container as long as the block runs."""
    name = f"landmark-{secrets.token_hex(6)}"
    variables = [f"--env={key}={value}" for key, value in (environment or {}).items()]
    try:
        docker("run", "--detach", "--name", name, *variables, *options, image, *command)
        yield Container(name)
    finally:
        docker("rm", "--force", "--volumes", name)
