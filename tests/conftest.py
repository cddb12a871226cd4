"""Fixtures: the embedded services, a stack for each test, shared detectors."""

import functools
import itertools
import signal
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

import boto3
import pytest
from botocore.loaders import create_loader
from hypothesis import settings

from landmarks.errors import ObjectDeletedError, SettingsError
from landmarks.job import Job
from landmarks.local.stack import create_stack, embedded_services
from tests.fakes import Cloud, start_detectors
from worker.composition import build_handler
from worker.detector.pool import DetectorPool
from worker.handler import Handler
from worker.model import ModelOptions, require_model
from worker.s3 import ObjectReader, OpenObject
from worker.settings import Settings

_NUMBERS = itertools.count(1)


def _finds_several_people() -> bool:
    try:
        require_model(ModelOptions(model_complexity=1, max_people=2))
    except SettingsError:
        return False
    return True


needs_people_models = pytest.mark.skipif(
    not _finds_several_people(),
    reason="the models for several people are missing: image/fetch_models.py --people says why",
)


# A busy machine is not a fault.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


def pytest_configure() -> None:
    """Enable Ctrl-C here and in child processes: background jobs of a shell ignore it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


class MakeHandler(Protocol):
    """Builds a worker on the test's stack. Keywords are environment variables; "" unsets one.

    It has no queue: the receipt handles of made-up events are invalid.
    """

    def __call__(self, detectors: DetectorPool | None = None, **environment: str) -> Handler:
        """Build it, with the shared detectors by default."""
        ...


@pytest.fixture(scope="session", autouse=True)
def readable() -> Iterator[None]:
    """Leave this process readable when it decodes photographs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("landmarks.photograph.hide_from_children", lambda: None)
        yield


@pytest.fixture(scope="session")
def services() -> Iterator[Mapping[str, Any]]:
    """S3, SQS and DynamoDB for this process and its children; a client of each."""
    with pytest.MonkeyPatch.context() as patch, embedded_services():
        # botocore reads its service descriptions once, not for every worker: 0.3 s of CPU.
        patch.setattr("botocore.session.create_loader", functools.cache(create_loader))
        yield {name: boto3.client(name) for name in ("s3", "sqs", "dynamodb")}


@pytest.fixture(scope="session")
def detectors() -> Iterator[DetectorPool]:
    """Two detector processes with the model in MediaPipe's wheel."""
    model = ModelOptions(model_complexity=1)
    pool = start_detectors(Settings(results_table="unused", model=model, detectors=2))
    yield pool
    pool.close()


@pytest.fixture
def cloud(services: Mapping[str, Any]) -> Cloud:
    """A stack for the test."""
    return Cloud(create_stack(f"test-{next(_NUMBERS)}"), services)


@pytest.fixture
def make_handler(cloud: Cloud, detectors: DetectorPool) -> Iterator[MakeHandler]:
    """Builds workers on the test's stack, as in production."""
    handlers: list[Handler] = []
    shared = detectors

    def make(detectors: DetectorPool | None = None, **environment: str) -> Handler:
        usual = {**cloud.stack.environment, "QUEUE_URL": "", "MODEL_COMPLEXITY": "1"}
        settings = Settings.from_environment(usual | environment)
        handlers.append(build_handler(settings, detectors or shared))
        return handlers[-1]

    yield make
    for handler in handlers:
        handler._pipeline.close()  # not `handler.close`: the detectors are shared


@pytest.fixture
def deleted(monkeypatch: pytest.MonkeyPatch) -> str:
    """The key of an object with a delete marker, which the embedded S3 does not tell."""
    open_object = ObjectReader.open

    def opened(
        reader: ObjectReader, job: Job, *, unless_etag: str | None = None
    ) -> AbstractContextManager[OpenObject | None]:
        if job.key == "gone.png":
            raise ObjectDeletedError("gone")
        return open_object(reader, job, unless_etag=unless_etag)

    monkeypatch.setattr(ObjectReader, "open", opened)
    return "gone.png"


@pytest.fixture
def handler(make_handler: MakeHandler) -> Handler:
    """A worker on the test's stack."""
    return make_handler()
