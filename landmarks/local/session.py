"""The local stack for as long as somebody works with it: services, photos, and the worker."""

import os
import shlex
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import boto3
from PIL import Image

from landmarks.errors import LandmarkError
from landmarks.local.samples import Photo
from landmarks.local.stack import LocalStack, create_stack, embedded_services
from landmarks.local.worker_process import PollerProcess

# The photographs that infra-sam/events name.
SAMPLE_KEYS: Final = ("photos/astronaut.jpg", "photos/café 1+1.jpg")


# All that a client has to know of AWS to come here.
_CLIENT_VARIABLES: Final = (
    "AWS_ENDPOINT_URL",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
)


@dataclass(frozen=True, slots=True)
class LocalFiles:
    """The files that the local stack writes.

    Attributes:
        folder: of both.
    """

    folder: Path

    @property
    def environment(self) -> Path:
        """What a shell sources to work with the stack."""
        return self.folder / "environment"

    @property
    def log(self) -> Path:
        """What the worker said."""
        return self.folder / "worker.log"


@dataclass(frozen=True, slots=True)
class Served:
    """A local stack that runs.

    Attributes:
        stack: the names of its parts.
        variables: by which clients find it.
        worker: None where it was left out.
    """

    stack: LocalStack
    variables: Mapping[str, str]
    worker: PollerProcess | None


def sample_photos() -> Sequence[Photo]:
    """The photographs of the sample events, made of the one that scikit-image carries."""
    file = BytesIO()
    with Image.open(str(files("skimage") / "data" / "astronaut.png")) as picture:
        picture.convert("RGB").save(file, "JPEG")
    return [Photo(key, file.getvalue()) for key in SAMPLE_KEYS]


@contextmanager
def serve(
    photos: Sequence[Photo], output: LocalFiles, *, host: str, port: int, with_worker: bool
) -> Iterator[Served]:
    """Run the stack as long as the block runs; whatever was started has ended after it.

    Args:
        photos: to upload; no message asks for them.
        output: where the worker's log goes, and the variables as a file to source, which
            is removed at the end.
        host: where the services listen.
        port: the same; 0 takes a free one.
        with_worker: whether the worker runs too.

    Raises:
        AddressError: the services can't listen there.
    """
    with embedded_services(host, port):
        stack = create_stack()
        _upload(photos, stack)
        clients = {name: os.environ[name] for name in _CLIENT_VARIABLES}
        variables = {**clients, **stack.environment}
        output.folder.mkdir(parents=True, exist_ok=True)
        output.environment.write_text(export_lines(variables), encoding="utf-8")
        try:
            if with_worker:
                with PollerProcess(output.log, stack.environment) as worker:
                    yield Served(stack, variables, worker)
            else:
                yield Served(stack, variables, None)
        finally:
            output.environment.unlink(missing_ok=True)


def export_lines(variables: Mapping[str, str]) -> str:
    """Lines for a POSIX shell."""
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())


def _upload(photos: Sequence[Photo], stack: LocalStack) -> None:
    s3 = boto3.client("s3")
    for photo in photos:
        s3.put_object(Bucket=stack.bucket, Key=photo.key, Body=photo.read())


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
