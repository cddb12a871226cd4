"""The stack that `landmarks local` runs, as other commands find it."""

import os
import shlex
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from worker.errors import LandmarkError

# What `landmarks local` writes: lines for a shell.
_FILE: Final = "environment"
_EXPORT: Final = "export"
_CONNECT_SECONDS: Final = 2.0


class NoLocalStackError(LandmarkError):
    """Raised when there is no local stack to work with."""

    code = "NO_LOCAL_STACK"


def local_environment(folder: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """An environment in which every client goes to the local stack, and nowhere else.

    Args:
        folder: of the local stack's files.
        environment: what to take over; what it says of AWS is left out.

    Raises:
        NoLocalStackError: none is running.
    """
    stack = _read(folder / _FILE)
    _refuse_unless_up(stack["AWS_ENDPOINT_URL"])
    return {
        **{name: value for name, value in environment.items() if not name.startswith("AWS_")},
        # Profiles can name other endpoints, and so can proxies.
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "no_proxy": "127.0.0.1",
        **stack,
    }


def _read(file: Path) -> dict[str, str]:
    try:
        lines = file.read_text("utf-8").splitlines()
    except FileNotFoundError as error:
        raise _none(f"there is no {file}") from error
    exports = [shlex.split(line) for line in lines]
    return dict(assignment.split("=", 1) for command, assignment in exports if command == _EXPORT)


def _refuse_unless_up(endpoint: str) -> None:
    address = urlsplit(endpoint)
    try:
        socket.create_connection((address.hostname, address.port), _CONNECT_SECONDS).close()
    except OSError as error:
        raise _none(f"nobody answers at {endpoint}") from error


def _none(because: str) -> NoLocalStackError:
    return NoLocalStackError(
        f"no local stack is running ({because}): start one with: landmarks local"
    )
