"""The file `environment` of `landmarks local`, by which other commands find its stack."""

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
_CONNECT_SECONDS: Final = 2.0


class NoLocalStackError(LandmarkError):
    """Raised when no local stack is running."""

    code = "NO_LOCAL_STACK"


def export_lines(variables: Mapping[str, str]) -> str:
    """Lines for a POSIX shell."""
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())


@contextmanager
def environment_file(folder: Path, variables: Mapping[str, str]) -> Iterator[Path]:
    """A file to source, in a folder that is made if it is missing; removed after the block."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / _FILE
    file.write_text(export_lines(variables), encoding="utf-8")
    try:
        yield file
    finally:
        file.unlink(missing_ok=True)


def local_environment(folder: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """An environment in which every client uses the local stack, and nothing else.

    Args:
        folder: where `landmarks local` writes.
        environment: what to start from; its AWS variables are dropped.

    Raises:
        NoLocalStackError: none is running.
    """
    stack = _read(folder / _FILE)
    address = urlsplit(stack["AWS_ENDPOINT_URL"])
    try:
        socket.create_connection((address.hostname, address.port), _CONNECT_SECONDS).close()
    except OSError as error:
        raise _none(f"nothing answers at {address.geturl()}") from error
    others = {name: value for name, value in environment.items() if not name.startswith("AWS_")}
    return others | ISOLATION | stack


def _read(file: Path) -> dict[str, str]:
    try:
        lines = file.read_text("utf-8").splitlines()
    except FileNotFoundError as error:
        raise _none(f"there is no {file}") from error
    assignments = (shlex.split(line)[1] for line in lines if line.startswith("export "))
    return dict(assignment.split("=", 1) for assignment in assignments)


def _none(reason: str) -> NoLocalStackError:
    return NoLocalStackError(
        f"no local stack is running ({reason}): start one with: landmarks local"
    )
