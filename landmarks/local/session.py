"""The file `environment` of `landmarks local`, by which other commands find its stack."""

import fcntl
import os
import shlex
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from landmarks.errors import LandmarkError

# A profile could name other endpoints, and a proxy would not find this machine's.
ISOLATION: Final = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "no_proxy": "127.0.0.1",
}

_FILE: Final = "environment"
_CONTAINER_FILE: Final = "container.env"
_LOCK: Final = "lock"
_CONNECT_SECONDS: Final = 2.0


class NoLocalStackError(LandmarkError):
    """Raised when no local stack is running."""

    code = "NO_LOCAL_STACK"


class LocalStackRunningError(LandmarkError):
    """Raised when another process runs a local stack in the same folder."""

    code = "LOCAL_STACK_RUNNING"


def export_lines(variables: Mapping[str, str]) -> str:
    """Lines for a POSIX shell."""
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())


@contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """Reserve a folder for this process's stack; create it if it is missing.

    The lock ends with the process, so the files of a killed one are in nobody's way.

    Raises:
        LocalStackRunningError: another process has reserved it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / _LOCK).open("a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            raise _running(folder, process=lock.read()) from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        for name in (_FILE, _CONTAINER_FILE):
            (folder / name).unlink(missing_ok=True)
        yield


@contextmanager
def environment_files(folder: Path, variables: Mapping[str, str]) -> Iterator[Path]:
    """Write the variables into a locked folder, twice; removes both files after the block.

    One file is for shells. The other is for `docker run --env-file`, which takes values without
    quotes; in a container, this machine is called `host.docker.internal`.

    Yields:
        The file for shells.
    """
    file, for_containers = folder / _FILE, folder / _CONTAINER_FILE
    lines = "".join(f"{name}={value}\n" for name, value in variables.items())
    for_containers.write_text(lines.replace("127.0.0.1", "host.docker.internal"), encoding="utf-8")
    part = file.with_suffix(".part")  # so that nobody reads half of it
    part.write_text(export_lines(variables), encoding="utf-8")
    part.replace(file)
    try:
        yield file
    finally:
        file.unlink(missing_ok=True)
        for_containers.unlink(missing_ok=True)


def isolated(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without AWS settings, in which clients read no configuration files."""
    others = {name: value for name, value in environment.items() if not name.startswith("AWS_")}
    return others | ISOLATION


def running_stack(folder: Path) -> dict[str, str]:
    """Return the variables by which clients find the stack that runs in a folder.

    Raises:
        NoLocalStackError: none is running.
    """
    stack = _read(folder / _FILE)
    address = urlsplit(stack["AWS_ENDPOINT_URL"])
    try:
        socket.create_connection((address.hostname, address.port), _CONNECT_SECONDS).close()
    except OSError as error:
        raise _none(f"nothing answers at {address.geturl()}") from error
    return stack


def _read(file: Path) -> dict[str, str]:
    try:
        lines = file.read_text("utf-8").splitlines()
    except FileNotFoundError as error:
        raise _none(f"there is no {file}") from error
    assignments = (shlex.split(line)[1] for line in lines if line.startswith("export "))
    return dict(assignment.split("=", 1) for assignment in assignments)


def _running(folder: Path, process: str) -> LocalStackRunningError:
    try:
        address = f" at {_read(folder / _FILE)['AWS_ENDPOINT_URL']}"
    except NoLocalStackError:  # it is still starting
        address = ""
    return LocalStackRunningError(
        f"a local stack is already running in {folder}{address} (process {process}): "
        "stop it, or start this one in another folder"
    )


def _none(reason: str) -> NoLocalStackError:
    return NoLocalStackError(
        f"no local stack is running ({reason}): start one with: landmarks local"
    )
