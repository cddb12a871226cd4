"""Lock files have packages, versions and hashes, but no addresses."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
LOCKS = [
    *ROOT.glob("requirements*.txt"),
    *ROOT.glob("image/requirements*.txt"),
    *ROOT.glob("examples/*/package-lock.json"),
    *ROOT.glob("tests/*/package-lock.json"),
    ROOT / "lint" / "package-lock.json",
]


def test_no_lock_file_is_missing() -> None:
    """Seven of Python, four of Node."""
    assert len(LOCKS) == 11


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: str(lock.relative_to(ROOT)))
def test_a_lock_has_no_address(lock: Path) -> None:
    """The index is configured where it is used."""
    assert "://" not in lock.read_text(encoding="utf-8")


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: str(lock.relative_to(ROOT)))
def test_every_package_has_a_hash(lock: Path) -> None:
    """Only what was locked can be installed."""
    text = lock.read_text(encoding="utf-8")
    if lock.suffix == ".json":
        packages = [package for path, package in json.loads(text)["packages"].items() if path]
        assert packages
        # A bundled package is part of another's archive.
        assert all("integrity" in package or package.get("inBundle") for package in packages)
    else:
        pins = [block for block in text.split("\n") if "==" in block and block[0].isalnum()]
        assert pins
        assert all(pin.endswith("\\") for pin in pins)
        assert text.count("--hash=sha256:") >= len(pins)


def pins(name: str, machine: str) -> dict[str, str]:
    """The packages that a lock file installs on a processor, and their versions."""
    text = (ROOT / name).read_text(encoding="utf-8")
    environment = {"platform_machine": machine, "python_version": "3.12"}
    lines = re.findall(r"^[a-z].*==.*(?= \\$)", text, re.MULTILINE)
    chosen = [
        requirement
        for requirement in map(Requirement, lines)
        if requirement.marker is None or requirement.marker.evaluate(environment)
    ]
    assert max(Counter(requirement.name for requirement in chosen).values()) == 1
    return {requirement.name: str(requirement.specifier) for requirement in chosen}


@pytest.mark.parametrize(
    "name", ["image/requirements.txt", "requirements-bench.txt", "requirements-dev.txt"]
)
def test_processors_differ_only_in_mediapipe(name: str) -> None:
    """A lock holds for both."""
    x86_64, arm64 = (pins(name, machine) for machine in ("x86_64", "aarch64"))

    assert x86_64.pop("mediapipe") == "==0.10.21"
    assert arm64.pop("mediapipe") == "==0.10.18"
    assert x86_64 == arm64


def test_processors_convert_with_one_tensorflow() -> None:
    """The lean package has no wheels for arm64; both make the same bytes."""
    x86_64, arm64 = (
        pins("image/requirements-convert.txt", machine) for machine in ("x86_64", "aarch64")
    )

    assert x86_64.pop("tensorflow-cpu") == arm64.pop("tensorflow") == "==2.18.1"
    assert x86_64 == arm64
