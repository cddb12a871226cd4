"""Completion in real shells: what is typed, a Tab, and what the command is then called with.

zsh and fish are optional: `apt-get install zsh fish`.
"""

import os
import pty
import shlex
import shutil
import subprocess
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final

import pytest

from tests.integration.test_poller import ROOT, wait_until

# What is typed before the Tab, and what it becomes.
EXPECTED: Final = {
    "dead-letters re": "dead-letters redrive",
    "list --status fai": "list --status failed",
    "detect por": "detect portrait.jpg",
    "detect album/": "detect album/only.jpg",
    "detect a.jpg --overlay alb": "detect a.jpg --overlay album",
    "get a.jpg --output por": "get a.jpg --output portrait.jpg",
    "demo --images ": "demo --images album",
    "enqueue alb": "enqueue album",
    "enqueue --resume por": "enqueue --resume portrait.jpg",
}
SET_UP: Final = {
    "bash": 'eval "$(landmarks completion bash)"',
    "zsh": 'autoload -Uz compinit; compinit -u -D; eval "$(landmarks completion zsh)"',
}
START: Final = {"bash": ("bash", "--norc", "--noprofile", "-i"), "zsh": ("zsh", "-f", "-i")}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a `landmarks` on PATH that only completes, and notes calls."""
    programs = tmp_path / "programs"
    programs.mkdir()
    command = programs / "landmarks"
    command.write_text(
        "#!/bin/sh\n"
        'case "$_LANDMARKS_COMPLETE$1" in\n'
        f'*_complete*|completion) exec {shlex.quote(sys.executable)} -m landmarks "$@" ;;\n'
        f'*) echo "$@" >> {shlex.quote(str(tmp_path / "calls"))} ;;\n'
        "esac\n",
        encoding="utf-8",
    )
    command.chmod(0o700)
    home = tmp_path / "home"
    (home / "album").mkdir(parents=True)
    (home / "portrait.jpg").touch()
    (home / "album" / "only.jpg").touch()
    monkeypatch.chdir(home)
    for name, value in {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "HOME": str(home),
        "TERM": "dumb",
    }.items():
        monkeypatch.setenv(name, value)
    return tmp_path


def require(shell: str) -> None:
    """Skip the test without this shell."""
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")


def has_lines(file: Path, count: int, screen: int) -> bool:
    """Return whether a file has this many lines, and empty the screen, so that it never is full."""
    with suppress(OSError):
        os.read(screen, 1 << 16)
    return file.exists() and file.read_text().count("\n") == count


@pytest.mark.parametrize("shell", SET_UP)
def test_tab_completes(folder: Path, shell: str) -> None:
    """Commands, choices, files and folders, in an interactive shell on a terminal."""
    require(shell)
    calls = folder / "calls"
    keyboard, terminal = pty.openpty()
    os.set_blocking(keyboard, False)
    with subprocess.Popen(
        START[shell], stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True
    ) as process:
        os.close(terminal)
        os.write(keyboard, f"{SET_UP[shell]}\n".encode())
        for number, typed in enumerate(EXPECTED, 1):
            os.write(keyboard, f"landmarks {typed}\t\n".encode())
            wait_until(partial(has_lines, calls, number, keyboard))
        process.kill()
    os.close(keyboard)

    called = [line.rstrip("/") for line in calls.read_text().splitlines()]
    assert called == list(EXPECTED.values())


@pytest.mark.usefixtures("folder")
def test_fish_completes() -> None:
    """Without a terminal, because it can be asked."""
    require("fish")
    asked = "\n".join(f"complete -C 'landmarks {typed}'; echo =" for typed in EXPECTED)
    ran = subprocess.run(
        ["fish", "--no-config", "-c", f"landmarks completion fish | source\n{asked}"],
        capture_output=True,
        check=True,
        text=True,
    )

    answers = [answer.split("\t")[0].strip().rstrip("/") for answer in ran.stdout.split("=\n")[:-1]]
    assert answers == [completed.split()[-1] for completed in EXPECTED.values()]


def test_an_address_is_no_file(folder: Path) -> None:
    """Nothing is completed that begins like one."""
    (folder / "home" / "s3:").mkdir()
    ran = subprocess.run(
        ["landmarks"],
        env={
            **os.environ,
            "_LANDMARKS_COMPLETE": "bash_complete",
            "COMP_WORDS": "landmarks enqueue s3:",
            "COMP_CWORD": "2",
        },
        capture_output=True,
        check=True,
        text=True,
    )
    assert ran.stdout.strip() == ""
