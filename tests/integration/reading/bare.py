"""A virtual environment with only what reading results needs, and an application in it."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.integration.reading.node import ROOT

_RUN_SECONDS = 600  # ends a hung test


class BareEnvironment:
    """A virtual environment with this project, no extras, and links to its packages.

    The application's folder contains an unrelated `worker.py` and `landmarks.json`.
    """

    def __init__(self, folder: Path) -> None:
        """Create the environment in an empty folder."""
        environment, self._application = folder / "environment", folder / "application"
        command = [sys.executable, "-m", "venv", "--without-pip", "--symlinks", str(environment)]
        subprocess.run(command, check=True)
        base = {"base": str(environment), "platbase": str(environment)}
        packages = Path(sysconfig.get_path("purelib", scheme="venv", vars=base))
        self.distributions = {
            canonicalize_name(found.metadata["Name"]): found for found in _closure(_declared())
        }
        for found in self.distributions.values():
            _link(found, packages)
        for package in ("landmarks", "worker"):
            shutil.copytree(
                ROOT / package, packages / package, ignore=shutil.ignore_patterns("__pycache__")
            )
        self._python = environment / "bin" / "python"
        self._application.mkdir()
        (self._application / "worker.py").write_text('OWNER = "the application"\n')
        (self._application / "landmarks.json").write_text("[]\n")

    def run(self, code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `python app.py` in the application's folder, with this process's AWS settings."""
        (self._application / "app.py").write_text(code)
        return subprocess.run(
            [self._python, "app.py", *arguments],
            check=False,
            capture_output=True,
            text=True,
            timeout=_RUN_SECONDS,
            cwd=self._application,
            env={
                name: value
                for name, value in os.environ.items()
                if name.startswith("AWS_") or name == "no_proxy"
            },
        )


def _declared() -> Iterator[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return map(Requirement, project["dependencies"])


def _closure(requirements: Iterable[Requirement]) -> Iterator[Distribution]:
    """Yield all distributions that pip would install for these, in the installed versions."""
    waiting, seen = list(requirements), set[tuple[str, str]]()
    while waiting:
        requirement = waiting.pop()
        for extra in ("", *requirement.extras):
            wish = canonicalize_name(requirement.name), extra
            if wish in seen:
                continue
            seen.add(wish)
            found = distribution(requirement.name)
            if not extra:
                yield found
            waiting += [
                needed
                for needed in map(Requirement, found.requires or [])
                if needed.marker is None or needed.marker.evaluate({"extra": extra})
            ]


def _link(found: Distribution, packages: Path) -> None:
    """Link all files of a distribution except its commands and compiled cache."""
    for file in found.files or []:
        source = Path(str(found.locate_file(file)))
        if ".." in file.parts or file.suffix == ".pyc" or not source.exists():
            continue
        target = packages / file
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(source.resolve())
