"""Node projects whose locked packages are installed once, in `build/node`."""

import hashlib
import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, cast

import pytest

ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = ROOT / "examples" / "read-landmarks"
TESTS = ROOT / "tests" / "node"

_CACHE = ROOT / "build" / "node"
_OLDEST_NODE = 20  # of the AWS SDK
# End a hung test.
_INSTALL_SECONDS = 600
_RUN_SECONDS = 600


def require_node() -> None:
    """Skip the test without Node."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    version = subprocess.run(["node", "--version"], check=True, capture_output=True, text=True)
    if int(version.stdout.removeprefix("v").partition(".")[0]) < _OLDEST_NODE:
        pytest.skip(f"Node {version.stdout.strip()} is older than {_OLDEST_NODE}")


def install(project: Path) -> Path:
    """Return a copy of a Node project with its packages."""
    lock = (project / "package-lock.json").read_bytes()
    folder = _CACHE / f"{project.name}-{hashlib.sha256(lock).hexdigest()[:12]}"
    if not folder.exists():
        _install(project, folder)
    for source in project.glob("*.mjs"):
        shutil.copy(source, folder)
    return folder


def _install(project: Path, folder: Path) -> None:
    """Install completely or not at all, even if another process does the same."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as name:
        draft = Path(name) / project.name
        draft.mkdir()
        for file in ("package.json", "package-lock.json"):
            shutil.copy(project / file, draft)
        command = ["npm", "ci", "--ignore-scripts", "--omit=optional", "--no-audit", "--no-fund"]
        try:
            subprocess.run(command, cwd=draft, check=True, timeout=_INSTALL_SECONDS)
        except subprocess.SubprocessError as error:
            pytest.skip(f"npm does not install the packages: {error}")
        with suppress(FileExistsError, OSError):
            draft.rename(folder)


@contextmanager
def dynalite() -> Iterator[str]:
    """Run an embedded DynamoDB that shares no code with moto, and yield its address."""
    program = install(TESTS) / "dynalite.mjs"
    with subprocess.Popen(
        ["node", str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            port = cast("IO[str]", server.stdout).readline().strip()
            yield f"http://127.0.0.1:{port}"
        finally:
            cast("IO[str]", server.stdin).close()


def run_node(program: Path, *arguments: str) -> str:
    """Run a program and return its output."""
    ran = try_node(program, *arguments)
    ran.check_returncode()
    return ran.stdout


def try_node(program: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program, without Node's own warnings, and return how it ended."""
    command = ["node", "--no-warnings", str(program), *arguments]
    return subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=_RUN_SECONDS
    )


def read_in_node(table: str, key: str) -> list[dict[str, Any]]:
    """Return what the example reads: groups of landmarks as doubles in hexadecimal."""
    program = install(TESTS) / "print-landmarks.mjs"
    items: list[dict[str, Any]] = json.loads(
        run_node(program, install(EXAMPLE).as_uri(), table, key)
    )
    return items
