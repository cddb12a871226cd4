"""The function with the runtime interface emulator and client, without a container."""

import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from emulator import Emulator
from lambda_like import FUNCTION_ENVIRONMENT, aws_environment
from tests.e2e.conftest import Note
from tests.e2e.sam import EMULATOR, ROOT, runtime_folder
from tests.fakes import Cloud, person
from tests.shims import compile_refusal, compile_shim

WARM_INVOCATIONS = 10
CRASH_AFTER = 5


@dataclass(frozen=True)
class Function:
    """A running function."""

    emulator: Emulator
    process: subprocess.Popen[bytes]
    log_file: Path

    def log(self) -> str:
        """Its output so far."""
        return self.log_file.read_text(encoding="utf-8", errors="replace")

    def kill_detector(self) -> None:
        """Send SIGKILL to the detector's process, as the kernel does when memory runs out."""
        (detector,) = [pid for pid in descendants(self.process.pid) if "detector" in command(pid)]
        os.kill(detector, signal.SIGKILL)


def descendants(pid: int) -> Iterator[int]:
    """A process's children, and theirs."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        for child in map(int, (thread / "children").read_text(encoding="ascii").split()):
            yield child
            yield from descendants(child)


def command(pid: int) -> str:
    """A process's command line."""
    return Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8", errors="replace")


def free_address() -> str:
    """An unused address of the loopback interface."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


@contextmanager
def running(cloud: Cloud, folder: Path, preload: Sequence[Path] = ()) -> Iterator[Function]:
    """Run the worker's function in the emulator, on a stack."""
    door = free_address()
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{ROOT}:{runtime_folder()}",
        "LD_PRELOAD": ":".join(map(str, preload)),
        **FUNCTION_ENVIRONMENT,
        **aws_environment(),
        **cloud.stack.environment,
        "QUEUE_URL": "",  # the events are made up, they have no receipts
    }
    arguments = (
        *(str(EMULATOR), "--runtime-interface-emulator-address", door),
        *("--runtime-api-address", free_address()),
        *(sys.executable, "-m", "awslambdaric", "worker.lambda_function.lambda_handler"),
    )
    log_file = folder / "log"
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            arguments,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield Function(Emulator(door), process, log_file)
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End the emulator and its descendants; detectors end by themselves."""
    group = [process.pid, *descendants(process.pid)]
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(5)
    for pid in group:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()


def test_cold_warm_and_after_a_crash(module_cloud: Cloud, tmp_path: Path, note: Note) -> None:
    """All invocations return landmarks, although the detector is killed in between."""
    module_cloud.put("photo.jpg", person())
    event = {"bucket": module_cloud.stack.bucket, "key": "photo.jpg", "force": True}
    started = time.monotonic()
    with running(module_cloud, tmp_path) as function:
        answers = [function.emulator.first_answer(event)]
        cold_seconds = time.monotonic() - started
        warm_seconds = []
        for number in range(WARM_INVOCATIONS):
            if number == CRASH_AFTER:
                function.kill_detector()
            before = time.monotonic()
            answers.append(function.emulator.invoke(event))
            warm_seconds.append(time.monotonic() - before)
        log = function.log()

    crash_seconds = warm_seconds.pop(CRASH_AFTER)
    note("emulator without Docker, cold", f"{cold_seconds:.2f} s to the first landmarks")
    note("  warm, median of 9", f"{statistics.median(warm_seconds) * 1000:.0f} ms")
    note("  after the detector's crash", f"{crash_seconds * 1000:.0f} ms")
    assert [answer["statusCode"] for answer in answers] == [200] * 11
    assert all(answer == answers[0] for answer in answers)
    assert re.findall(r'"DetectorRestarts":\[1\.0\]', log) == ['"DetectorRestarts":[1.0]']


@pytest.mark.parametrize("shimmed", [True, False])
def test_thread_names(module_cloud: Cloud, tmp_path: Path, shimmed: bool) -> None:  # noqa: FBT001
    """Where threads cannot be named, only the shim keeps errors out of the log."""
    module_cloud.put("photo.jpg", person())
    preload = [compile_shim(tmp_path)] if shimmed else []
    with running(module_cloud, tmp_path, [*preload, compile_refusal(tmp_path)]) as function:
        event = {"bucket": module_cloud.stack.bucket, "key": "photo.jpg", "force": True}
        answer = function.emulator.first_answer(event)
        time.sleep(0.5)  # for what the detector has printed to reach the log
        log = function.log()

    assert answer["statusCode"] == 200
    assert ("detector said" in log) is not shimmed
