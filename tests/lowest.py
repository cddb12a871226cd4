"""Smoke test of the lowest versions that pyproject.toml allows: `python tests/lowest.py cli-local`.

`make check-lowest` runs it in an environment with those versions of the base dependencies and the
given extras. It imports all modules that need nothing more, runs every command with `--help`, and,
if the extras are sufficient, runs what `landmarks demo` needs.
"""

import os
import pkgutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib import import_module
from typing import Final

# The packages of each extra. Modules that need an extra that is not installed are skipped.
_BROUGHT_BY: Final = {
    "cli": {"click", "PIL", "rich"},
    "local": {"moto", "PIL", "skimage", "werkzeug"},
    "parquet": {"pyarrow"},
    "worker": {"aws_lambda_powertools", "cv2", "mediapipe"},
}
_DEMO: Final = {"cli", "local", "worker"}
_PROGRAMS: Final = ("__main__", "lambda_function")  # these run on import


def import_everything(extras: set[str]) -> int:
    """Import all modules of both packages, and return their number."""
    absent = set[str]().union(*_BROUGHT_BY.values())
    absent -= {package for extra in extras for package in _BROUGHT_BY[extra]}
    imported = 0
    for name in _modules(without_command="cli" not in extras):
        try:
            import_module(name)
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] not in absent:
                raise
        else:
            imported += 1
    return imported


def _modules(*, without_command: bool) -> Iterator[str]:
    for package in ("landmarks", "worker"):
        for module in pkgutil.walk_packages(import_module(package).__path__, f"{package}."):
            if module.name.endswith(_PROGRAMS):
                continue
            if without_command and module.name.startswith("landmarks.cli"):
                continue
            yield module.name


def ask_for_help() -> None:
    """Run all commands with `--help`; a command that needs an extra must say which."""
    from click import Command, Context, Group  # noqa: PLC0415, an extra
    from click.testing import CliRunner  # noqa: PLC0415

    from landmarks.cli.main import landmarks  # noqa: PLC0415, exits without click

    def walk(command: Command, *path: str) -> Iterator[tuple[str, ...]]:
        yield path
        if isinstance(command, Group):
            context = Context(command)
            for name in command.list_commands(context):
                try:
                    found = command.get_command(context, name)
                except ModuleNotFoundError:
                    yield (*path, name)
                else:
                    yield from walk(found or sys.exit(f"no command {name}"), *path, name)

    for path in walk(landmarks):
        result = CliRunner().invoke(landmarks, [*path, "--help"], catch_exceptions=False)
        if result.exit_code and "pip install '.[" not in result.output:
            sys.exit(f"landmarks {' '.join(path)} --help: {result.output}")


def run_the_demo() -> None:
    """Detect, store and read results as `landmarks demo` does, with the model in the wheel."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "MODEL_COMPLEXITY": "1"}
        command = [sys.executable, "-m", "landmarks", "demo", "--output", folder]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: exit status {done.returncode}\n{done.stdout}{done.stderr}")


def main() -> None:
    """Test this environment."""
    extras = {extra for extra in sys.argv[1].split("-") if extra != "base"}
    imported = import_everything(extras)
    if "cli" in extras:
        ask_for_help()
    if extras >= _DEMO:
        run_the_demo()
    sys.stdout.write(f"lowest versions of {sys.argv[1]}: {imported} modules imported\n")


if __name__ == "__main__":
    main()
