"""Processes seen through /proc.

Every process of a run carries the run's mark: pollers as an option of Python, because they hide
their environment, and their children in PYTHONPATH, which they inherit.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

_PROC: Final = Path("/proc")
_DETECTOR: Final = b"worker.detector.child"


class Usage(NamedTuple):
    """Resource usage of a process."""

    rss_kib: int
    descriptors: int
    threads: int


def marked(mark: str) -> Iterator[int]:
    """The processes that carry a mark."""
    for folder in _PROC.iterdir():
        if folder.name.isdigit() and _carries(folder, mark.encode()):
            yield int(folder.name)


def detectors_of(parent: int, mark: str) -> list[int]:
    """The detector processes of a worker, oldest first."""
    return sorted(
        pid
        for pid in marked(mark)
        if _DETECTOR in _read(_PROC / str(pid) / "cmdline") and _stat(pid)[1:2] == [str(parent)]
    )


def usage(pid: int) -> Usage | None:
    """The resource usage of a process; None if it is gone."""
    folder = _PROC / str(pid)
    lines = _read(folder / "status").decode().splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    if "VmRSS" not in fields:
        return None
    descriptors = 0
    with suppress(OSError):  # hidden from all but root
        descriptors = len(list((folder / "fd").iterdir()))
    return Usage(int(fields["VmRSS"].split()[0]), descriptors, int(fields["Threads"]))


def exists(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    return _stat(pid)[:1] not in ([], ["Z"], ["X"])


def describe(pid: int) -> str:
    """Describe a process in one line."""
    command = _read(_PROC / str(pid) / "cmdline").replace(b"\0", b" ").decode(errors="replace")
    return f"process {pid} {_stat(pid)[:1]}: {command[:120]}"


def kill_marked(mark: str) -> None:
    """Kill every process that carries a mark."""
    for pid in marked(mark):
        signal_to(pid, signal.SIGKILL)


def signal_to(pid: int, number: signal.Signals) -> bool:
    """Send a signal; returns whether the process exists."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def _carries(process: Path, mark: bytes) -> bool:
    if b"\0-X\0%b\0" % mark in _read(process / "cmdline"):
        return True
    variables = _read(process / "environ").split(b"\0")
    return any(line.startswith(b"PYTHONPATH=") and mark in line for line in variables)


def _read(path: Path) -> bytes:
    """Read a file of /proc; empty if it is gone or not readable."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _stat(pid: int) -> list[str]:
    """State, parent and so on: the fields after the name, which may contain anything."""
    return _read(_PROC / str(pid) / "stat").decode(errors="replace").rpartition(")")[2].split()
