"""SAM's command line and what comes with it, from the environment of `make e2e`."""

import json
import os
import re
import subprocess
import time
from collections.abc import Sequence
from importlib.metadata import Distribution
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = ROOT / ".venv-e2e"
BUILT = ROOT / "build" / "e2e"

_PACKAGES = next(ENVIRONMENT.glob("lib/python3*/site-packages"), ENVIRONMENT)
_EMULATORS = _PACKAGES / "samcli/local/rapid"

# The runtime interface client, and what it needs.
RUNTIME_PACKAGES = ("awslambdaric", "simplejson", "snapshot-restore-py")

_SAM_SECONDS = 900


def emulator(machine: str) -> Path:
    """The runtime interface emulator for a processor, by the kernel's name."""
    return _EMULATORS / f"aws-lambda-rie-{'arm64' if machine == 'aarch64' else machine}"


EMULATOR = emulator(os.uname().machine)


class SamError(Exception):
    """Raised when `sam` fails; the message is its output."""


def locked(*packages: str) -> str:
    """The lines of `requirements-e2e.txt` for these packages, with their hashes."""
    text = (ROOT / "requirements-e2e.txt").read_text(encoding="utf-8")
    entries = re.findall(r"^[a-z].*?(?=^[a-z]|\Z)", text, re.DOTALL | re.MULTILINE)
    by_name = {entry.partition("==")[0]: entry for entry in entries}
    return "".join(by_name[package] for package in packages)


def runtime_folder() -> Path:
    """A folder with the runtime interface client alone, for a Python with other packages."""
    folder = BUILT / "runtime"
    folder.mkdir(parents=True, exist_ok=True)
    for package in RUNTIME_PACKAGES:
        (distribution,) = Distribution.discover(name=package, path=[str(_PACKAGES)])
        for name in {file.parts[0] for file in distribution.files or ()} - {"..", "__pycache__"}:
            link = folder / name
            link.unlink(missing_ok=True)
            link.symlink_to(_PACKAGES / name)
    return folder


def sam(*arguments: str, timeout_seconds: float = _SAM_SECONDS) -> tuple[str, str]:
    """Run a command of SAM's at the root; returns what it printed to either stream."""
    done = subprocess.run(
        [str(ENVIRONMENT / "bin" / "sam"), *arguments],
        cwd=ROOT,
        env={**os.environ, **quiet()},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout_seconds,
        check=False,
    )
    if done.returncode:
        command = " ".join(arguments[:2])
        raise SamError(f"sam {command}: status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout, done.stderr


def quiet() -> dict[str, str]:
    """The environment in which SAM sends no telemetry and looks for no newer version."""
    folder = BUILT / "sam-settings"
    folder.mkdir(parents=True, exist_ok=True)
    settings = {"lastVersionCheck": time.time(), "telemetryEnabled": False}
    (folder / "metadata.json").write_text(json.dumps(settings), encoding="utf-8")
    return {"SAM_CLI_TELEMETRY": "0", "__SAM_CLI_APP_DIR": str(folder)}


def build(base: str, *options: str) -> Sequence[str]:
    """Run `sam build` on a base; returns the options by which other commands find the result."""
    folder = BUILT / "sam"
    sam("build", f"--build-dir={folder}", "--parameter-overrides", f"BaseImage={base}", *options)
    return (f"--template={folder / 'template.yaml'}",)
