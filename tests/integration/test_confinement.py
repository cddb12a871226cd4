"""A running detector process, looked at from outside, and from inside by its own means."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.fuzz.images import MEMORY_BYTES, OPTIONS
from tests.pictures import photo
from worker.detector.process import DetectorProcess


@pytest.fixture(scope="module")
def child() -> Iterator[Path]:
    """The /proc folder of a process that has answered an image."""
    with closing(DetectorProcess(OPTIONS)) as process:
        process.wait_until_ready(_deadline())
        process.detect(photo("JPEG"), _deadline())
        yield Path(f"/proc/{process.pid}")


def _deadline() -> float:
    return time.monotonic() + 60


def _status(child: Path) -> dict[str, str]:
    lines = (child / "status").read_text(encoding="ascii").splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def _limits(child: Path) -> dict[str, str]:
    lines = (child / "limits").read_text(encoding="ascii").splitlines()[1:]
    return {line[:26].strip(): line[26:].split()[1] for line in lines}


def test_the_environment_holds_no_secrets(child: Path) -> None:
    """Of the parent's environment only harmless variables reach the child."""
    names = {
        entry.partition(b"=")[0].decode()
        for entry in (child / "environ").read_bytes().split(b"\0")
        if entry
    }

    assert "PATH" in names
    assert not {name for name in names if name.startswith("AWS")}
    assert names <= {
        "LANG",
        "LC_ALL",
        "LD_LIBRARY_PATH",
        "LD_PRELOAD",
        "MALLOC_ARENA_MAX",
        "MALLOC_MMAP_MAX_",
        "MALLOC_TRIM_THRESHOLD_",
        "OPENBLAS_NUM_THREADS",
        "OPENCV_IO_MAX_IMAGE_PIXELS",
        "PATH",
        "PYTHONDONTWRITEBYTECODE",
        "PYTHONPATH",
    }


def test_limits_hold_for_good(child: Path) -> None:
    """Memory is bounded, files and core dumps are forbidden, and no limit can be raised."""
    limits = _limits(child)

    assert limits["Max address space"] == str(MEMORY_BYTES)
    assert limits["Max core file size"] == "0"
    assert limits["Max file size"] == "0"


def test_new_privileges_are_refused(child: Path) -> None:
    """No program that it might start could gain privileges."""
    assert _status(child)["NoNewPrivs"] == "1"


def test_system_calls_are_filtered_in_every_thread(child: Path) -> None:
    """The filter holds for MediaPipe's threads, too, which are older than it."""
    threads = list((child / "task").iterdir())

    assert len(threads) > 1
    assert {_status(thread)["Seccomp"] for thread in threads} == {"2"}


def test_the_working_directory_takes_no_files(child: Path) -> None:
    """Nobody, not even root, can make a file where it works."""
    folder = (child / "cwd").readlink()

    with pytest.raises(OSError, match="file"):
        (folder / "loot").write_bytes(b"")


_ATTEMPTS = {
    "open": "open('/etc/passwd')",
    "write": "open(os.devnull, 'w')",
    "fork": "os.fork()",
    "run": "subprocess.run(['true'])",
    "socket": "socket.socket()",
    "kill": "os.kill(os.getppid(), 0)",
    "list": "os.listdir('/')",
}


@pytest.mark.parametrize("attempt", _ATTEMPTS.values(), ids=_ATTEMPTS.keys())
def test_code_in_a_detector_gets_nothing(attempt: str) -> None:
    """Code that runs behind the filter is refused files, processes and sockets."""
    script = (
        "import os, socket, subprocess\n"
        "from worker.detector.confinement import refuse_system_calls\n"
        "refuse_system_calls()\n"
        f"try:\n    {attempt}\n"
        "except PermissionError:\n    os.write(1, b'refused')\n"
        "else:\n    os.write(1, b'allowed')\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=True, timeout=60
    )

    assert done.stdout == b"refused"


def test_the_same_code_is_free_without_the_filter() -> None:
    """The attempts fail for the filter's sake and no other."""
    script = "import os, socket, subprocess\n" + "\n".join(
        attempt for attempt in _ATTEMPTS.values() if "fork" not in attempt
    )

    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def test_threads_and_memory_are_still_to_be_had() -> None:
    """What MediaPipe needs goes on behind the filter."""
    script = (
        "import os, threading\n"
        "from worker.detector.confinement import refuse_system_calls\n"
        "refuse_system_calls()\n"
        "thread = threading.Thread(target=lambda: bytearray(50_000_000))\n"
        "thread.start(); thread.join(); os.write(1, b'done')\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=True, timeout=60
    )

    assert done.stdout == b"done"


def test_the_worker_is_hidden_from_its_children() -> None:
    """A process of the same user, without root's powers, can't read the parent's environment."""
    script = (
        "import os, subprocess, sys\n"
        "from worker.detector.confinement import hide_from_children\n"
        "if os.getuid() == 0:\n    os.setgid(65534); os.setuid(65534)\n"
        "peek = ['cat', f'/proc/{os.getpid()}/environ']\n"
        "import ctypes; ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)\n"
        "before = subprocess.run(peek, capture_output=True).returncode\n"
        "hide_from_children()\n"
        "after = subprocess.run(peek, capture_output=True).returncode\n"
        "print(before, after)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=True, text=True, timeout=60
    )

    assert done.stdout == "0 1\n"
