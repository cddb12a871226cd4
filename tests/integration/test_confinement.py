"""A running detector process as seen from outside, and its system call filter from inside."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from errno import ENOSYS, ENXIO, EPERM
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.fuzz.images import MEMORY_BYTES, OPTIONS
from tests.pictures import photo
from worker.detector import confinement
from worker.detector.process import DetectorProcess

NUMBERS = confinement._ARCHITECTURES[os.uname().machine].numbers


@pytest.fixture(scope="module")
def child() -> Iterator[Path]:
    """The /proc folder of a process that has answered an image."""
    deadline = time.monotonic() + 60
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_SECRET_ACCESS_KEY", "well-kept")
        started = DetectorProcess(OPTIONS)
    with closing(started) as process:
        process.wait_until_ready(deadline)
        process.detect(photo("JPEG"), deadline)
        yield Path(f"/proc/{process.pid}")


def status_of(process: Path) -> dict[str, str]:
    """Return what the kernel says about a process or thread."""
    lines = (process / "status").read_text(encoding="ascii").splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def process(script: str) -> subprocess.CompletedProcess[str]:
    """Run Python code in a new process."""
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=False, text=True, timeout=60
    )


def run(script: str) -> str:
    """Run Python code in a new process and return its output."""
    done = process(script)
    assert done.returncode == 0, done.stderr
    return done.stdout


class TestProcess:
    """What a running detector process has and lacks."""

    def test_the_environment_holds_no_secrets(self, child: Path) -> None:
        """The child inherits only harmless environment variables."""
        names = {
            entry.partition(b"=")[0].decode()
            for entry in (child / "environ").read_bytes().split(b"\0")
            if entry
        }

        assert "PATH" in names
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

    def test_limits_are_set(self, child: Path) -> None:
        """Memory is limited; files and core dumps are forbidden."""
        lines = (child / "limits").read_text(encoding="ascii").splitlines()[1:]
        limits = {line[:26].strip(): line[26:].split()[:2] for line in lines}

        assert limits["Max address space"] == [str(MEMORY_BYTES)] * 2
        assert limits["Max core file size"] == ["0", "0"]
        assert limits["Max file size"] == ["0", "0"]

    def test_new_privileges_are_refused(self, child: Path) -> None:
        """Programs started by the child can't gain privileges."""
        assert status_of(child)["NoNewPrivs"] == "1"

    def test_system_calls_are_filtered_in_every_thread(self, child: Path) -> None:
        """The filter also applies to MediaPipe's threads, which started before it."""
        threads = list((child / "task").iterdir())

        assert len(threads) > 1
        assert {status_of(thread)["Seccomp"] for thread in threads} == {"2"}

    def test_the_working_directory_takes_no_files(self, child: Path) -> None:
        """Not even root can create a file in the working directory."""
        folder = (child / "cwd").readlink()

        with pytest.raises(OSError, match="file"):
            (folder / "loot").write_bytes(b"")


# A second filter makes all system calls with a certain sixth argument fail with ENOSYS instead of
# running them. Of two filters' answers, EPERM wins over this one, and this one over "allow". This
# shows the first filter's verdict on any system call without its effects.
VERDICTS = """
import ctypes, json, os, sys
from worker.detector import confinement as c

TRACE, MAGIC = 0x7FF00000, 0x5EC0DE
seccomp = c._ARCHITECTURES[os.uname().machine].numbers["seccomp"]
c.limit_resources(1 << 33)
c._install(b"".join((
    c._instruction(c._LOAD, c._ARGUMENTS + 5 * 8),
    c._instruction(c._IF_EQUAL, MAGIC, 0, 1),
    c._instruction(c._RETURN, TRACE),
    c._instruction(c._RETURN, c._ALLOW),
)), seccomp)
c.refuse_system_calls()
libc = ctypes.CDLL(None, use_errno=True)

def verdict(number, *arguments):
    padded = [ctypes.c_ulong(value) for value in (*arguments, 0, 0, 0, 0, 0)[:5]]
    assert libc.syscall(ctypes.c_long(number), *padded, ctypes.c_ulong(MAGIC)) == -1
    return ctypes.get_errno()
"""


def verdicts(calls: list[tuple[int, ...]]) -> list[int]:
    """Return the filter's answers: EPERM for forbidden calls, ENOSYS for allowed ones.

    Args:
        calls: the number of a system call and up to five arguments, for each call.
    """
    answers: list[int] = json.loads(
        run(f"{VERDICTS}\nprint(json.dumps([verdict(*call) for call in {calls!r}]))")
    )
    return answers


ALL_BITS = (2**64 - 1,) * 5  # arguments that fail all checks
THREAD = 0x3D0F00  # the flags of pthread_create
READ_WRITE, EXECUTE = 3, 4
PRIVATE, ANONYMOUS = 2, 0x20
FORK = 17  # SIGCHLD

# On x86-64, system calls of the kernel's probe trampolines, which bypass all filters (seen on Linux
# 6.18). Called from anywhere else, they kill the caller or fail.
UPROBES = {335, 336}


class TestFilter:
    """The detector's filter, tried with all system calls."""

    def test_only_what_is_listed_gets_through(self) -> None:
        """Of all numbers, including unused ones, exactly the listed ones are allowed."""
        numbers = set(range(501)) - UPROBES
        tried = [*numbers, *(0x40000000 + number for number in numbers), 2**31, 2**32 - 1]
        allowed = {NUMBERS.get(name) for name in (*confinement._SEEN, *confinement._UNSEEN)} - {
            None
        }

        answers = dict(zip(tried, verdicts([(number, *ALL_BITS) for number in tried]), strict=True))

        assert set(answers.values()) == {EPERM, ENOSYS}
        passed = {number for number, answer in answers.items() if answer == ENOSYS}
        assert passed == {*allowed, NUMBERS["clone3"]}

    @pytest.mark.parametrize("number", UPROBES)
    def test_what_no_filter_stops_is_of_no_use(self, number: int) -> None:
        """The two calls that bypass filters give the caller nothing."""
        done = process(f"{VERDICTS}\nprint(verdict({number}))")

        assert done.returncode == -signal.SIGILL or int(done.stdout) in {EPERM, ENXIO}

    def test_clone3_does_not_exist(self) -> None:
        """The filter answers it; the kernel would reject its argument."""
        script = f"{VERDICTS}\nprint(libc.syscall({NUMBERS['clone3']}, 0, 0), ctypes.get_errno())"

        assert run(script) == f"-1 {ENOSYS}\n"

    @pytest.mark.parametrize(
        ("name", "arguments", "answer"),
        [
            ("mmap", (0, 4096, READ_WRITE, PRIVATE | ANONYMOUS), ENOSYS),
            ("mmap", (0, 4096, READ_WRITE, PRIVATE, 0), EPERM),
            ("mmap", (0, 4096, READ_WRITE | EXECUTE, PRIVATE | ANONYMOUS), EPERM),
            ("mprotect", (0, 4096, READ_WRITE), ENOSYS),
            ("mprotect", (0, 4096, READ_WRITE | EXECUTE), EPERM),
            ("clone", (THREAD,), ENOSYS),
            ("clone", (FORK,), EPERM),
            ("clone", (THREAD | 0x00020000,), EPERM),  # a new mount namespace
            ("tgkill", (1, 1, 0), EPERM),
        ],
    )
    def test_arguments_are_checked(
        self, name: str, arguments: tuple[int, ...], answer: int
    ) -> None:
        """No mapped files, no new executable memory, and clone only creates threads."""
        assert verdicts([(NUMBERS[name], *arguments)]) == [answer]

    def test_a_process_may_signal_itself(self) -> None:
        """A process may signal itself, as abort() does."""
        script = f"{VERDICTS}\nprint(verdict({NUMBERS['tgkill']}, os.getpid(), os.getpid(), 6))"

        assert run(script) == f"{ENOSYS}\n"

    def test_an_unknown_processor_is_reported(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """An unknown processor raises an error, which the detector logs."""
        monkeypatch.setattr(os, "uname", lambda: SimpleNamespace(machine="m68k"))

        with pytest.raises(OSError, match="m68k"):
            confinement.refuse_system_calls()

    @pytest.mark.skipif(os.uname().machine != "x86_64", reason="its machine code is for x86-64")
    def test_numbers_of_another_architecture_are_refused(self) -> None:
        """32-bit system calls are forbidden: their numbers differ, 20 is getpid, not writev."""
        script = """
import ctypes, mmap
from worker.detector.confinement import limit_resources, refuse_system_calls
code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
code.write(bytes.fromhex("b814000000 cd80 c3"))  # mov eax, 20; int 0x80; ret
getpid = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))
limit_resources(1 << 33)
refuse_system_calls()
print(getpid())
"""
        done = process(script)

        no_such_calls = done.returncode == -signal.SIGSEGV  # the kernel has no 32-bit calls
        assert no_such_calls or done.stdout == f"{-EPERM}\n"


# Numbers of forbidden system calls that Python has no function for.
FORBIDDEN = {
    "x86_64": {
        "fchmodat": 268,
        "mq_open": 240,
        "msgget": 68,
        "rt_sigqueueinfo": 129,
        "prctl": 157,
    },
    "aarch64": {
        "fchmodat": 53,
        "mq_open": 180,
        "msgget": 186,
        "rt_sigqueueinfo": 138,
        "prctl": 167,
    },
}[os.uname().machine]

# Attacks to try. `FOLDER` contains `FILE` and an empty folder.
ATTEMPTS = {
    "read a file": "open(FILE)",
    "write a file": "open(os.devnull, 'w')",
    "truncate": "os.truncate(FILE, 0)",
    "rmdir": "os.rmdir(FOLDER + '/empty')",
    "mknod": "os.mknod(FOLDER + '/node')",
    "fchmodat": f"call({FORBIDDEN['fchmodat']}, -100, FILE.encode(), 0o777)",
    "chown": "os.chown(FILE, os.getuid(), os.getgid())",
    "setxattr": "os.setxattr(FILE, 'user.loot', b'')",
    "list a folder": "os.listdir('/')",
    "mq_open": f"call({FORBIDDEN['mq_open']}, b'loot', 0o101, 0o600, None)",
    "msgget": f"call({FORBIDDEN['msgget']}, 0, 0o1600)",
    "socket": "socket.socket()",
    "fork": "os.fork()",
    "run a program": "subprocess.run(['true'])",
    "kill the parent": "os.kill(PARENT, 0)",
    "tgkill the parent": f"call({NUMBERS['tgkill']}, PARENT, PARENT, 0)",
    "rt_sigqueueinfo to the parent": (
        f"call({FORBIDDEN['rt_sigqueueinfo']}, PARENT, 18, struct.pack('iii116x', 18, 0, -1))"
    ),
    "setpriority of the parent": "os.setpriority(os.PRIO_PROCESS, PARENT, NICE)",
    "name a thread": f"call({FORBIDDEN['prctl']}, 15, b'loot', 0, 0, 0)",
}


def attempt(code: str, folder: Path, *, confined: bool) -> str:
    """Run an attack with or without the filter, and return its outcome."""
    (folder / "file").write_text("content")
    (folder / "empty").mkdir(exist_ok=True)
    return run(
        f"""
import ctypes, os, socket, struct, subprocess
from worker.detector.confinement import limit_resources, refuse_system_calls
FOLDER, FILE, PARENT = {str(folder)!r}, {str(folder / "file")!r}, os.getppid()
NICE = os.getpriority(os.PRIO_PROCESS, PARENT)
libc = ctypes.CDLL(None, use_errno=True)
def call(*arguments):
    if libc.syscall(*arguments) == -1:
        raise OSError(ctypes.get_errno(), "refused")
if {confined}:
    limit_resources(1 << 33)
    refuse_system_calls()
try:
    {code}
except PermissionError:
    os.write(1, b"refused")
except OSError as error:
    os.write(1, str(error).encode())
else:
    os.write(1, b"done")
os._exit(0)
"""
    )


class TestAttempts:
    """What an image could try after taking over a detector."""

    @pytest.mark.parametrize("code", ATTEMPTS.values(), ids=ATTEMPTS.keys())
    def test_behind_the_filter_nothing_succeeds(self, code: str, tmp_path: Path) -> None:
        """Files, sockets, queues and other processes are out of reach."""
        assert attempt(code, tmp_path, confined=True) == "refused"
        assert (tmp_path / "file").read_text() == "content"
        assert (tmp_path / "empty").is_dir()

    @pytest.mark.parametrize(
        "name", ["truncate", "rmdir", "mknod", "fchmodat", "tgkill the parent"]
    )
    def test_without_the_filter_they_succeed(self, name: str, tmp_path: Path) -> None:
        """Without the filter, the same attacks succeed."""
        assert attempt(ATTEMPTS[name], tmp_path, confined=False) == "done"

    def test_threads_and_memory_are_still_available(self) -> None:
        """What MediaPipe needs still works with the filter."""
        script = """
import os, threading
from worker.detector.confinement import limit_resources, refuse_system_calls
limit_resources(1 << 33)
refuse_system_calls()
thread = threading.Thread(target=lambda: os.write(1, b"%d" % len(bytearray(50_000_000))))
thread.start()
thread.join()
"""
        assert run(script) == "50000000"


def test_the_worker_is_hidden_from_its_children() -> None:
    """Without root, a process of the same user can't read the parent's environment."""
    script = """
import ctypes, os, subprocess
from worker.detector.confinement import hide_from_children
if os.getuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
peek = ["cat", f"/proc/{os.getpid()}/environ"]
ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)
before = subprocess.run(peek, capture_output=True).returncode
hide_from_children()
after = subprocess.run(peek, capture_output=True).returncode
print(before, after)
"""
    assert run(script) == "0 1\n"
