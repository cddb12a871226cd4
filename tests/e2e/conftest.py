"""Fixtures of the e2e tests: Docker engine, base image, images; and the figures at the end."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NoReturn

import pytest

import build_image
import fetch_models
from docker_cli import docker
from landmarks.local.stack import create_stack
from tests.e2e import sam
from tests.e2e.base import REMEDY, NoBaseError, base_image
from tests.e2e.engine import NoEngineError, engine
from tests.fakes import Cloud

Note = Callable[[str, str], None]

_IMAGE = "landmark-worker:e2e"
SAM_TAG = "worker:built"
_FIGURES = pytest.StashKey[list[tuple[str, str]]]()
_SKIPPED = pytest.StashKey[str]()


@pytest.fixture(scope="session", autouse=True)
def prepared() -> None:
    """SAM's command line and the default model are installed."""
    if not sam.EMULATOR.exists():
        pytest.fail(f"{sam.ENVIRONMENT} is missing: `make e2e` creates it", pytrace=False)
    assert fetch_models.main(["--complexity", "2"]) == 0


@pytest.fixture(scope="session")
def base(prepared: None, request: pytest.FixtureRequest) -> Iterator[str]:  # noqa: ARG001
    """A base image, and the engine that has it; without one, tests that need it are skipped."""
    try:
        with engine():
            yield base_image()
    except (NoEngineError, NoBaseError) as error:
        skip_all(request.config, error)


def skip_all(config: pytest.Config, error: Exception) -> NoReturn:
    """Skip every test that needs the fixture; the summary says why, once."""
    config.stash[_SKIPPED] = str(error)
    pytest.skip(str(error))


@contextmanager
def tag_kept(tag: str) -> Iterator[None]:
    """Restore a tag after the block."""
    before = docker("images", "--quiet", tag)
    try:
        yield
    finally:
        if before:
            docker("tag", before, tag)
        elif docker("images", "--quiet", tag):
            docker("rmi", "--no-prune", tag)


@pytest.fixture(scope="session")
def built(base: str) -> Iterator[tuple[str, ...]]:
    """Run `sam build`; the options by which SAM's other commands find the result.

    SAM's tag is restored, so that the stand-in is not deployed by accident.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOCKER_BUILDKIT", "0")  # SAM and the docker command share a cache
        build_image.add_models()
        with tag_kept(SAM_TAG):
            options = tuple(sam.build(base))
            docker("tag", SAM_TAG, _IMAGE)
            yield options


@pytest.fixture(scope="session")
def image(built: tuple[str, ...]) -> str:  # noqa: ARG001, it has to run
    """The image for Lambda, of complexity 2."""
    return _IMAGE


@pytest.fixture(scope="session")
def images(base: str, built: tuple[str, ...]) -> dict[int, str]:  # noqa: ARG001, its layers
    """The images for other containers, as `make image` builds them, by complexity."""
    variants = {complexity: f"{_IMAGE}-{complexity}" for complexity in (0, 1, 2)}
    for complexity, tag in variants.items():
        build_image.build(tag, base_image=base, complexity=complexity)
    return variants


@pytest.fixture(scope="module")
def module_cloud(services: Mapping[str, Any], request: pytest.FixtureRequest) -> Cloud:
    """A stack for the tests of one module."""
    name = request.module.__name__.rpartition(".")[2].replace("_", "-")
    return Cloud(create_stack(name), services)


@pytest.fixture(scope="session")
def note(request: pytest.FixtureRequest) -> Note:
    """Notes a figure to print at the end."""
    figures = request.config.stash.setdefault(_FIGURES, [])

    def take(name: str, value: str) -> None:
        figures.append((name, value))

    return take


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> Iterator[None]:  # noqa: ANN401
    """Print the figures, and what was skipped: once, and not a line for each test."""
    reason = config.stash.get(_SKIPPED, "")
    if reason:
        terminalreporter.reportchars = terminalreporter.reportchars.replace("s", "")
    yield
    for name, value in config.stash.get(_FIGURES, []):
        terminalreporter.write_line(f"{name:40}{value}")
    if reason:
        terminalreporter.write_line(f"SKIPPED everything that needs Docker: {reason}", yellow=True)
        terminalreporter.write_line(REMEDY, yellow=True)
