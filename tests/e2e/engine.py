"""A Docker engine: one that runs already, or one started for the tests.

The latter keeps its images in a folder of its own. Only one can use that folder and the machine's
bridge network at a time. Nothing is installed here; `.ci/run` does that.
"""

import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from docker_cli import DockerError, docker

KEPT_VARIABLE = "LANDMARK_E2E_CACHE"

_ANSWER_SECONDS = 15
_START_SECONDS = 60
_STOP_SECONDS = 60
_LOCK_SECONDS = 900
# Only root can start a daemon, and so write here.
_MACHINE_LOCK = Path("/run/landmark-e2e.lock")
# Older images are removed, the base included.
_IMAGES_KEPT_HOURS = 14 * 24


class NoEngineError(Exception):
    """Raised when there is no Docker engine and none can be started."""


def kept_folder() -> Path:
    """Folder for the engine's images, kept between runs, and for large temporary files."""
    if configured := os.environ.get(KEPT_VARIABLE):
        folder = Path(configured).resolve()
    else:
        caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        folder = caches / "landmark-worker" / "e2e"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def engine() -> Iterator[None]:
    """Run an engine for the Docker clients of this process and its children."""
    if address := _running():
        with _docker_host(address):
            yield
        return
    _require_means()
    with (
        _only_one(_MACHINE_LOCK),
        _only_one(kept_folder() / "lock"),
        tempfile.TemporaryDirectory(prefix="landmark-docker-") as folder,
        _daemon(Path(folder)) as address,
        _docker_host(address),
    ):
        yield
        docker("image", "prune", "--all", "--force", f"--filter=until={_IMAGES_KEPT_HOURS}h")


def _running() -> str | None:
    """The address of a running engine, which SAM's client needs."""
    try:
        docker("version", "--format={{.Server.Version}}", timeout_seconds=_ANSWER_SECONDS)
        if configured := os.environ.get("DOCKER_HOST"):
            return configured
        return docker("context", "inspect", "--format={{.Endpoints.docker.Host}}")
    except DockerError as error:
        if configured := os.environ.get("DOCKER_HOST"):
            raise NoEngineError(f"no engine answers at DOCKER_HOST={configured}") from error
        return None


def _require_means() -> None:
    missing = [name for name in ("docker", "dockerd", "setpriv") if shutil.which(name) is None]
    if missing:
        raise NoEngineError(
            f"no Docker engine answers, and there is no {' and no '.join(missing)} to start one"
        )
    if os.geteuid() != 0:
        raise NoEngineError("no Docker engine answers, and only root can start one")


@contextmanager
def _daemon(folder: Path) -> Iterator[str]:
    """Run dockerd; yields its address."""
    kept = kept_folder()
    address = f"unix://{folder}/docker.sock"
    command = [
        *("setpriv", "--pdeathsig=TERM"),  # end with this process
        "dockerd",
        f"--host={address}",
        f"--data-root={kept / 'docker'}",
        f"--exec-root={folder / 'exec'}",
        f"--pidfile={folder / 'pid'}",
    ]
    with (kept / "dockerd.log").open("wb") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C must not end it before its containers
        )
    try:
        _wait_for(address, process, kept / "dockerd.log")
        yield address
    finally:
        _stop(process)


def _wait_for(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            docker("--host", address, "version", timeout_seconds=_ANSWER_SECONDS)
        except DockerError:
            time.sleep(0.2)
        else:
            return
    last = log.read_text(errors="replace").strip().splitlines()[-1:] or ["no message"]
    raise NoEngineError(f"no Docker engine answers, and dockerd does not come up: {last[0]}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the daemon, and what it has left."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(_STOP_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@contextmanager
def _docker_host(address: str) -> Iterator[None]:
    before = os.environ.get("DOCKER_HOST")
    os.environ["DOCKER_HOST"] = address
    try:
        yield
    finally:
        os.environ.pop("DOCKER_HOST")
        if before is not None:
            os.environ["DOCKER_HOST"] = before


@contextmanager
def _only_one(path: Path) -> Iterator[None]:
    """Wait until no other run holds the lock."""
    deadline = time.monotonic() + _LOCK_SECONDS
    with path.open("w") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise NoEngineError(f"another run holds {path}") from None
                time.sleep(1)
        yield
