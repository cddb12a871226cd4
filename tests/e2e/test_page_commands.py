"""The commands that pages give for Docker, run as they stand there, in a copy of this checkout."""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import pytest

import build_image
from build_image import DEFAULT_TAG
from tests.e2e import sam
from tests.e2e.base import debian_image
from tests.e2e.conftest import SAM_TAG, Note, tag_kept
from tests.e2e.sam import ROOT
from tests.fakes import Cloud
from tests.integration.docs.pages import blocks
from tests.integration.test_local import cloud_of
from tests.integration.test_poller import wait_until

SERVICES_PORT = 5000  # of `landmarks local` and infra-sam/env.json
FUNCTION_PORT = 9000
KEY = "photos/astronaut.jpg"
_COMMAND_SECONDS = 900


def commands(page: str, heading: str) -> list[str]:
    """A section's commands."""
    found = [
        command
        for block in blocks(ROOT / "docs" / page, "console")
        if block.said.startswith(f"## {heading}\n")
        for command in block.commands
    ]
    assert found, heading
    return found


class Checkout:
    """A copy of this checkout's files, and shells in it."""

    def __init__(self, folder: Path, **environment: str) -> None:
        """Copy the files.

        Args:
            folder: where to.
            environment: variables for the commands.
        """
        self.folder = folder
        for name in build_image.git("ls-files").splitlines():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / name).exists():  # it may just have been deleted
                shutil.copy2(ROOT / name, folder / name)
        programs = [ROOT / ".venv" / "bin", sam.ENVIRONMENT / "bin"]
        self._environment = {
            **{name: text for name, text in os.environ.items() if not name.startswith("AWS_")},
            **sam.quiet(),
            "PATH": os.pathsep.join([*map(str, programs), os.environ["PATH"]]),
            **environment,
        }

    def change(self, name: str, old: str, new: str) -> None:
        """Change a text in a file of the copy."""
        text = (self.folder / name).read_text("utf-8")
        assert old in text, name
        (self.folder / name).write_text(text.replace(old, new), "utf-8")

    def run(self, command: str) -> str:
        """Run a command to its end; returns what it prints."""
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_COMMAND_SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"$ {command}\n{done.stdout}{done.stderr}"
        return done.stdout

    @contextmanager
    def running(self, command: str) -> Iterator["Running"]:
        """Run a command for the duration of the block."""
        log = self.folder / f"{command.split(maxsplit=1)[0]}.log"
        with log.open("wb") as file:
            process = subprocess.Popen(
                ["bash", "-c", f"exec {command}"],
                cwd=self.folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
            )
        started = Running(process, log)
        try:
            yield started
        finally:
            started.stop()


class Running:
    """A command that runs until it is stopped."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self._process = process
        self._log = log

    def log(self) -> str:
        """Its output so far."""
        return self._log.read_text("utf-8", errors="replace")

    def stop(self) -> int:
        """Do what Ctrl-C does; returns the exit status."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            return self._process.wait(30)
        self._process.kill()
        return self._process.wait()

    def wait_until(self, text: str) -> None:
        """Wait until its output has a text."""

        def said() -> bool:
            assert self._process.poll() is None, self.log()
            return text in self.log()

        wait_until(said)


def require_free(port: int) -> None:
    """Skip the test if somebody uses the port: the pages' commands name it."""
    try:
        socket.create_server(("0.0.0.0", port)).close()  # noqa: S104, as the commands do
    except OSError as error:
        pytest.skip(f"port {port}, which the pages use: {error.strerror}")


def answers(port: int) -> bool:
    """Whether an HTTP server answers on the port."""
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/")
        connection.getresponse().read()
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
    return True


@pytest.fixture(scope="module")
def checkout(
    base: str,
    images: dict[int, str],  # noqa: ARG001, their layers
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Checkout]:
    """A copy of this checkout that builds on the base image. `landmarks local` runs in it."""
    require_free(SERVICES_PORT)
    copy = Checkout(tmp_path_factory.mktemp("checkout"), BASE_IMAGE=base)
    shutil.copytree(build_image.MODEL_CACHE, copy.folder / "image/model-cache", dirs_exist_ok=True)
    (copy.folder / ".venv").symlink_to(ROOT / ".venv")
    override = f'[default.build.parameters]\nparameter_overrides = "BaseImage={base}"\n\n'
    copy.change("samconfig.toml", "[default.validate.", f"{override}[default.validate.")
    services = commands("deploy.md", "With SAM on your machine")[0]
    with tag_kept(DEFAULT_TAG), tag_kept(SAM_TAG), copy.running(services) as local:
        local.wait_until("Ctrl-C")
        yield copy


@pytest.fixture(scope="module")
def stack(checkout: Checkout) -> Cloud:
    """The stack that runs in it."""
    lines = (checkout.folder / "build/local/container.env").read_text("utf-8").splitlines()
    variables = dict(line.split("=", 1) for line in lines)
    endpoint = variables["AWS_ENDPOINT_URL"].replace("host.docker.internal", "127.0.0.1")
    return cloud_of({**variables, "AWS_ENDPOINT_URL": endpoint})


def test_sam_invokes_the_function(checkout: Checkout, stack: Cloud) -> None:
    """With the services of `landmarks local`, under the name that env.json has."""
    _, build, invoke = commands("deploy.md", "With SAM on your machine")

    checkout.run(build)
    printed = checkout.run(invoke)

    assert json.loads(printed.splitlines()[-1])["statusCode"] == 200
    assert stack.statuses() == {KEY: "detected"}


def test_docker_runs_the_function(checkout: Checkout) -> None:
    """With the file that `landmarks local` writes, filled in by nobody."""
    require_free(FUNCTION_PORT)
    make, serve, ask = commands("deploy.md", "Without SAM")

    said = checkout.run(make)
    with checkout.running(serve):
        wait_until(lambda: answers(FUNCTION_PORT))
        answer = json.loads(checkout.run(ask))

    assert f"image        {DEFAULT_TAG}, " in said
    assert answer["statusCode"] == 200
    assert len(answer["body"]["data"]["pose_landmarks"]["landmark"]) == 33


def test_docker_runs_the_poller(checkout: Checkout, stack: Cloud) -> None:
    """The same image and the same file."""
    *_, poll = commands("containers.md", "Locally, with compose")
    key = "photos/polled.jpg"
    stack.put(
        key, stack.clients["s3"].get_object(Bucket=stack.stack.bucket, Key=KEY)["Body"].read()
    )

    with checkout.running(poll) as poller:
        poller.wait_until('"polling"')
        stack.send({"key": key})
        poller.wait_until('"job finished"')
        status = poller.stop()

    assert status == 0
    assert stack.statuses()[key] == "detected"


def test_the_development_container_makes_the_demo(
    base: str,  # noqa: ARG001, its engine
    tmp_path: Path,
    note: Note,
) -> None:
    """From nothing but a checkout, and the report is in it."""
    build, make = commands("containers.md", "Without Linux")
    checkout = Checkout(tmp_path)
    if debian := debian_image():
        checkout.change(
            ".devcontainer/Dockerfile", "ARG BASE=debian:bookworm-slim", f"ARG BASE={debian}"
        )
    started = time.monotonic()

    with tag_kept("landmark-dev:latest"):
        checkout.run(build)
        built = time.monotonic()
        printed = checkout.run(make)

    note("development container, docker build", f"{built - started:.0f} s")
    note("  make demo in it, from nothing", f"{time.monotonic() - built:.0f} s")
    assert "4 photos and 6 messages, done in" in printed
    assert (tmp_path / "build/demo/report.html").stat().st_size > 100_000
