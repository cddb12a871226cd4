"""The local stack for as long as somebody works with it: services, photos, and the worker."""

import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from typing import Final

import boto3
from PIL import Image

from worker.local.photos import Photo
from worker.local.poller_process import PollerProcess
from worker.local.stack import LocalStack, create_stack, embedded_services

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
