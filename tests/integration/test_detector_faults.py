"""A failing detector process costs at most its own image, and nothing waits forever.

The processes are real. To catch one in the middle of an image, tests make its decoder stop there;
to test invalid answers, a script replaces the process.
"""

import logging
import os
import select
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from landmarks.errors import (
    CorruptImageError,
    DeadlineError,
    DetectorAnswerError,
    DetectorCrashedError,
    DetectorMemoryError,
    DetectorStartError,
    DetectorTimeoutError,
    ImageError,
    NotAnImageError,
    TooManyPixelsError,
)
from landmarks.groups import Landmarks
from tests import photos, pictures
from worker.detector.launch import ChildOptions
from worker.detector.pool import DetectorPool
from worker.detector.process import DetectorProcess
from worker.detector.protocol import Kind, encode_detection, frame, max_answer_bytes
from worker.model import ModelOptions
from worker.result import Detection

PHOTO = photos.astronaut().content
ROOT = Path(__file__).parents[2]
MEMORY_BYTES = 1536 << 20
PATIENCE_SECONDS = 60.0

# All Pythons import `sitecustomize`, including detector processes. Each byte in the FIFO is a
# command: stop, or hang, in the middle of the next image. The FIFO is opened now because a process
# that is ready can't open files.
BRAKE = """
import os
import select
import signal
import time
from pathlib import Path

from worker.detector import decode

commands = os.open(Path(__file__).with_name("commands"), os.O_RDONLY | os.O_NONBLOCK)
really_decode = decode.decode_image
warm_up = Path(decode.__file__).with_name("warm_up.jpg").read_bytes()


def decode_image(content, **limits):
    if content == warm_up:
        return really_decode(content, **limits)
    try:
        command = os.read(commands, 1)
    except BlockingIOError:
        command = b""
    if command == b"S":
        signal.raise_signal(signal.SIGSTOP)
    elif command == b"H":
        time.sleep(600)
    return really_decode(content, **limits)


decode.decode_image = decode_image
"""


def options(timeout_seconds: float = 60, memory_bytes: int = MEMORY_BYTES) -> ChildOptions:
    """Return a detector process's options."""
    return ChildOptions(ModelOptions(model_complexity=1), 50_000_000, timeout_seconds, memory_bytes)


def within(seconds: float = 2 * PATIENCE_SECONDS) -> float:
    """Return a deadline."""
    return time.monotonic() + seconds


def wait_until(condition: Callable[[], object], what: str) -> None:
    """Wait for a condition, and fail after a while."""
    deadline = within(PATIENCE_SECONDS)
    while not condition():
        assert time.monotonic() < deadline, f"no {what}"
        time.sleep(0.005)


def state_of(pid: int) -> str:
    """Return a process's state from /proc: T for stopped, Z for a zombie, empty for none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return stat.rpartition(")")[2].split()[0]


def wait_for_the_end_of(pids: list[int]) -> None:
    """Wait until processes have ended; kill them and fail if they don't."""

    def alive() -> list[int]:
        return [pid for pid in pids if state_of(pid) not in {"Z", ""}]

    try:
        wait_until(lambda: not alive(), f"the end of {pids}")
    finally:
        for pid in alive():
            os.kill(pid, signal.SIGKILL)


def children() -> set[int]:
    """Return the child processes that have not been reaped."""
    tasks = Path("/proc/self/task").glob("*/children")
    return {int(pid) for task in tasks for pid in task.read_text(encoding="utf-8").split()}


def open_pipes(pid: int | str) -> set[int]:
    """Return the inodes of a process's open pipes."""
    inodes = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            kind, _, inode = str(descriptor.readlink()).partition(":")
            if kind == "pipe":
                inodes.add(int(inode.strip("[]")))
    return inodes


class Brake:
    """Makes detector processes stop or hang in the middle of an image.

    Args:
        folder: on the processes' PYTHONPATH.
    """

    def __init__(self, folder: Path) -> None:
        (folder / "sitecustomize.py").write_text(BRAKE, encoding="utf-8")
        os.mkfifo(folder / "commands")
        self._commands = os.open(folder / "commands", os.O_RDWR | os.O_NONBLOCK)

    def stop(self, images: int = 1) -> None:
        """Make the processes that take the next images stop."""
        os.write(self._commands, b"S" * images)

    def hang(self) -> None:
        """Make the process that takes the next image hang."""
        os.write(self._commands, b"H")

    @property
    def pending(self) -> bool:
        """Whether a command has not been read yet."""
        poll = select.poll()
        poll.register(self._commands, select.POLLIN)
        return bool(poll.poll(0))

    def release(self) -> None:
        """Discard pending commands."""
        while self.pending:
            os.read(self._commands, 1)

    def close(self) -> None:
        """Close the FIFO."""
        os.close(self._commands)


@dataclass(frozen=True)
class Bench:
    """A pool, a brake for its processes, and threads that send images."""

    pool: DetectorPool
    brake: Brake
    threads: ThreadPoolExecutor

    def start(self, content: bytes = PHOTO, deadline: float | None = None) -> Future[Detection]:
        """Send an image without waiting for the answer."""
        return self.threads.submit(self.pool.detect, content, deadline or within())

    def stopped(self, count: int = 1) -> list[int]:
        """Wait until this many processes have stopped."""

        def now() -> list[int]:
            return [pid for pid in self.pool.pids if state_of(pid) == "T"]

        wait_until(lambda: len(now()) == count, f"{count} stopped processes")
        return now()

    def kill(self, pid: int) -> None:
        """Kill a process and wait until it is dead."""
        os.kill(pid, signal.SIGKILL)
        with suppress(ChildProcessError):  # the pool has already reaped it
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)

    def kill_stopped(self) -> int:
        """Kill the process that stops, and wait for its replacement."""
        (victim,) = self.stopped()
        self.kill(victim)
        wait_until(lambda: victim not in self.pool.pids, "another process")
        return victim

    def works(self) -> bool:
        """Return whether all processes can take an image."""
        answers = [self.start() for _ in self.pool.pids]
        return all(answer.result().landmarks.person_found for answer in answers)


@pytest.fixture(scope="module")
def threads() -> Iterator[ThreadPoolExecutor]:
    """Threads that send images."""
    with ThreadPoolExecutor() as executor:
        yield executor


@pytest.fixture(scope="module")
def brake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Brake]:
    """A brake for all detector processes started from now on."""
    folder = tmp_path_factory.mktemp("brake")
    with pytest.MonkeyPatch.context() as patch, closing(Brake(folder)) as brake:
        patch.setenv("PYTHONPATH", f"{ROOT}{os.pathsep}{folder}", prepend=os.pathsep)
        yield brake


@pytest.fixture(scope="module")
def warm_bench(brake: Brake, threads: ThreadPoolExecutor) -> Iterator[Bench]:
    """Two warm processes."""
    with closing(DetectorPool(options(), 2)) as pool:
        bench = Bench(pool, brake, threads)
        assert bench.works()
        yield bench


@pytest.fixture
def bench(warm_bench: Bench) -> Iterator[Bench]:
    """Two processes, which must work again after the test."""
    yield warm_bench
    warm_bench.brake.release()
    for pid in warm_bench.pool.pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
    assert warm_bench.works()


@pytest.fixture
def impatient_bench(brake: Brake, threads: ThreadPoolExecutor) -> Iterator[Bench]:
    """One process, with two seconds per image."""
    with closing(DetectorPool(options(timeout_seconds=2), 1)) as pool:
        yield Bench(pool, brake, threads)


class TestKilled:
    """A process that is killed."""

    def test_during_an_image_it_is_replaced_and_the_image_tried_again(self, bench: Bench) -> None:
        """The image succeeds in a new process; the other process is not affected."""
        bench.brake.stop()
        image = bench.start()
        (victim,) = bench.stopped()
        (other,) = set(bench.pool.pids) - {victim}
        restarts = bench.pool.restarts
        assert bench.pool.detect(PHOTO, within()).landmarks.person_found
        assert not image.done()
        bench.kill(victim)
        assert image.result().landmarks.person_found
        assert bench.pool.restarts == restarts + 1
        assert other in bench.pool.pids
        assert state_of(victim) == ""

    def test_twice_during_an_image_it_is_the_images_fault(self, bench: Bench) -> None:
        """After two tries, the image fails."""
        bench.brake.stop(images=2)
        image = bench.start()
        first, second = (bench.kill_stopped() for _ in range(2))
        with pytest.raises(DetectorCrashedError, match="SIGKILL"):
            image.result()
        assert first != second
        assert [state_of(first), state_of(second)] == ["", ""]

    def test_while_idle_it_costs_no_image_a_try(self, bench: Bench) -> None:
        """An image that finds a dead process still gets two tries."""
        for pid in bench.pool.pids:
            bench.kill(pid)
        bench.brake.stop()
        image = bench.start()
        bench.kill_stopped()
        assert image.result().landmarks.person_found

    def test_while_starting_it_costs_no_image_a_try(
        self, brake: Brake, threads: ThreadPoolExecutor
    ) -> None:
        """A process that dies before it is ready doesn't count as a try."""
        with closing(DetectorPool(options(), 1)) as pool:
            bench = Bench(pool, brake, threads)
            bench.brake.stop()
            image = bench.start()
            bench.kill(pool.pids[0])
            bench.kill_stopped()
            assert image.result().landmarks.person_found
            assert pool.restarts == 2


class TestHanging:
    """A process that does not answer."""

    def test_twice_it_is_the_images_fault(self, impatient_bench: Bench) -> None:
        """Both processes are killed after the timeout, and the next image succeeds."""
        bench = impatient_bench
        assert bench.works()
        before = bench.pool.pids
        bench.brake.stop(images=2)
        start = time.monotonic()
        with pytest.raises(DetectorTimeoutError, match="took longer than 2 s"):
            bench.pool.detect(PHOTO, within())
        assert time.monotonic() - start >= 4
        assert [state_of(pid) for pid in before] == [""]
        assert bench.works()
        assert bench.pool.restarts == 2

    def test_once_the_image_is_tried_again(self, impatient_bench: Bench) -> None:
        """A process that hangs once only costs the image time."""
        bench = impatient_bench
        bench.brake.stop()
        assert bench.pool.detect(PHOTO, within()).landmarks.person_found
        assert bench.pool.restarts == 1


class TestDeadline:
    """An invocation that runs out of time, which is not the image's fault."""

    def test_during_an_image_the_process_is_replaced(self, bench: Bench) -> None:
        """The image may be retried later; the busy process can't be used for others."""
        bench.brake.stop()
        with pytest.raises(DeadlineError, match="during detection"):
            bench.pool.detect(PHOTO, within(0.5))
        assert "T" not in {state_of(pid) for pid in bench.pool.pids}

    def test_during_the_start_the_process_goes_on_starting(self) -> None:
        """A start is not aborted because one image could not wait for it."""
        with closing(DetectorPool(options(), 1)) as pool:
            with pytest.raises(DeadlineError, match="not ready"):
                pool.detect(PHOTO, within(0.01))
            assert pool.detect(PHOTO, within()).landmarks.person_found
            assert pool.restarts == 0

    def test_with_every_detector_busy_they_are_left_alone(self, bench: Bench) -> None:
        """Busy detectors finish their own images."""
        bench.brake.stop(images=2)
        images = [bench.start(), bench.start()]
        busy = bench.stopped(2)
        with pytest.raises(DeadlineError, match="free"):
            bench.pool.detect(PHOTO, within(0.1))
        for pid in busy:
            os.kill(pid, signal.SIGCONT)
        assert all(image.result().landmarks.person_found for image in images)
        assert bench.pool.pids == busy


class TestMemory:
    """A process's memory limit."""

    def test_an_image_that_needs_too_much_costs_only_itself(self) -> None:
        """It fails twice, with the reason, and the next image succeeds."""
        with closing(DetectorPool(options(), 1)) as pool:
            pool.detect(PHOTO, within())
            status = Path(f"/proc/{pool.pids[0]}/status").read_text(encoding="utf-8")
        peak_bytes = int(status.partition("VmPeak:")[2].split()[0]) << 10
        # Peaks vary by up to 115 MB between starts, and the image takes 370 MB.
        with closing(DetectorPool(options(memory_bytes=peak_bytes + (128 << 20)), 1)) as pool:
            assert pool.detect(PHOTO, within()).landmarks.person_found
            with pytest.raises(DetectorMemoryError, match="MiB allowed"):
                pool.detect(photos.greedy().content, within())
            assert pool.detect(PHOTO, within()).landmarks.person_found
            assert pool.restarts == 2

    def test_only_mediapipe_starts_threads(self, bench: Bench) -> None:
        """Besides the main thread, there is one thread per processor.

        More threads take tens of megabytes of the limited address space each: with OpenBLAS's, no
        detector started on eight processors.
        """
        for pid in bench.pool.pids:
            assert len(list(Path(f"/proc/{pid}/task").iterdir())) <= 1 + (os.cpu_count() or 1)


class TestDescriptors:
    """What a process inherits."""

    def test_no_open_files_but_its_own_pipes(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A process inherits neither its parent's files nor others' pipes."""
        monkeypatch.delenv("PYTHONPATH", raising=False)  # no brake
        with (tmp_path / "open").open("wb") as file:
            os.set_inheritable(file.fileno(), True)  # noqa: FBT003
            before = open_pipes("self")
            with closing(DetectorPool(options(), 2)) as pool:
                ours = open_pipes("self") - before
                for _ in range(2):  # each in turn, so that both are ready
                    pool.detect(PHOTO, within())
                files = [
                    str(descriptor.readlink())
                    for pid in pool.pids
                    for descriptor in Path(f"/proc/{pid}/fd").iterdir()
                ]
                first, second = (open_pipes(pid) for pid in pool.pids)
        assert file.name not in files
        assert len(first) == len(second) == 3
        assert first.isdisjoint(second)
        assert first | second == ours


class TestPool:
    """Several processes."""

    @pytest.mark.parametrize("stopped", [False, True], ids=["idle", "not answering"])
    def test_closed_it_leaves_nothing_behind(self, stopped: bool) -> None:  # noqa: FBT001
        """No process, zombie, thread or open pipe is left."""
        before = children(), set(threading.enumerate()), open_pipes("self")
        pool = DetectorPool(options(), 2)
        pool.detect(PHOTO, within())
        os.kill(pool.pids[0], signal.SIGKILL)
        pool.detect(PHOTO, within())
        pool.detect(PHOTO, within())
        assert len(children() - before[0]) == 2
        if stopped:
            for pid in pool.pids:
                os.kill(pid, signal.SIGSTOP)
        pool.close()
        assert (children(), set(threading.enumerate()), open_pipes("self")) == before

    @pytest.mark.parametrize(
        ("content", "error"),
        [
            (b"Milk, bread, two rolls of film", NotAnImageError),
            (pictures.photo("PNG")[:-20], CorruptImageError),
            (photos.too_large().content, TooManyPixelsError),
        ],
    )
    def test_a_refused_image_leaves_the_process_as_it_was(
        self, bench: Bench, content: bytes, error: type[ImageError]
    ) -> None:
        """A rejected image costs no process."""
        pids = bench.pool.pids
        with pytest.raises(ImageError) as caught:
            bench.pool.detect(content, within())
        assert type(caught.value) is error
        assert bench.works()
        assert bench.pool.pids == pids

    def test_an_answer_says_how_the_image_was_stored(self, bench: Bench) -> None:
        """The size is upright, with the orientation, and whether the file was truncated."""
        turned = pictures.photo("JPEG", exif=pictures.exif(6))
        for content, expected in (
            (turned, (64, 96, 6, False)),
            (turned[:-2], (64, 96, 6, True)),
            (pictures.photo("PNG"), (96, 64, 1, False)),
        ):
            found = bench.pool.detect(content, within())
            assert (found.width, found.height, found.orientation, found.truncated) == expected


PARENT = """
import sys

from tests.integration.test_detector_faults import PHOTO, options, within
from worker.detector.pool import DetectorPool

pool = DetectorPool(options(timeout_seconds=0.5), 2)
for detector in pool._detectors:
    detector.wait_until_ready(within())
print(*pool.pids, flush=True)
if sys.argv[1] == "busy":
    pool._detectors[0]._process.detect(PHOTO, within())
sys.stdin.read()
"""


@pytest.mark.parametrize("work", ["idle", "busy"])
def test_processes_end_when_their_parent_is_killed(work: str, brake: Brake) -> None:
    """Even a process that hangs in an image ends with its parent."""
    command = [sys.executable, "-c", PARENT, work]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        if work == "busy":
            brake.hang()
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(pids) == 2
        if work == "busy":
            wait_until(lambda: not brake.pending, "a process in the middle of an image")
        assert "" not in {state_of(pid) for pid in pids}
        parent.kill()
    wait_for_the_end_of(pids)


NOBODY_FOUND = Detection(Landmarks(), 640, 480, "jpeg")
HONEST = frame(Kind.DETECTION, encode_detection(NOBODY_FOUND))


def pose(value: float) -> bytes:
    """Return a DETECTION frame with a pose of one value."""
    landmarks = Landmarks(pose_landmarks=np.full((33, 4), value, np.float32), pose_score=0.5)
    return frame(Kind.DETECTION, encode_detection(Detection(landmarks, 640, 480, "jpeg")))


# The beginning of all impostors.
PRELUDE = f"""
import os, sys, time
READY, HONEST = {frame(Kind.READY)!r}, {HONEST!r}
def say(data): os.write(1, data)
def read_image():
    with open(0, "rb", closefd=False) as source:
        source.read(int.from_bytes(source.read(4), "little"))
"""


@pytest.fixture
def impostors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., DetectorPool]]:
    """Return a function that builds a pool of one process, which is the test's script."""
    pools: list[DetectorPool] = []

    def build(
        program: str, timeout_seconds: float = 60, model: ModelOptions | None = None
    ) -> DetectorPool:
        script, python = tmp_path / "impostor.py", tmp_path / "python"
        script.write_text(PRELUDE + program, encoding="utf-8")
        python.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "{script}"\n', encoding="utf-8")
        python.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(python))
        child = options(timeout_seconds)
        pools.append(DetectorPool(replace(child, model=model or child.model), 1))
        return pools[-1]

    yield build
    for pool in pools:
        pool.close()


def test_an_impostor_that_behaves_is_believed(impostors: Callable[..., DetectorPool]) -> None:
    """A valid answer is accepted, so the others are rejected for what they say."""
    pool = impostors("say(READY)\nwhile True: read_image(); say(HONEST)")
    for _ in range(3):
        assert pool.detect(PHOTO, within()) == NOBODY_FOUND
    assert pool.restarts == 0


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(frame(Kind.READY), id="ready again"),
        pytest.param(HONEST[:4] + b"\x4d" + HONEST[5:], id="unknown kind"),
        pytest.param(bytes(5), id="no length"),
        pytest.param(struct.pack("<IB", 2**32 - 1, Kind.DETECTION), id="huge length"),
        pytest.param(
            struct.pack("<IB", max_answer_bytes(1, None) + 1, Kind.DETECTION), id="too long"
        ),
        pytest.param(pose(float("nan")), id="NaN"),
        pytest.param(frame(Kind.FAILURE, b"ACCESS_DENIED\nno"), id="an error of the parent's"),
        pytest.param(b"Traceback (most recent call last):\n", id="text"),
    ],
)
def test_an_invalid_answer_is_refused(
    impostors: Callable[..., DetectorPool], answer: bytes
) -> None:
    """Both tries fail, and the processes are killed."""
    pool = impostors(f"say(READY); read_image(); say({answer!r}); time.sleep(600)")
    with pytest.raises(DetectorAnswerError):
        pool.detect(PHOTO, within())
    assert pool.restarts == 2


def test_an_invalid_mask_is_refused(
    impostors: Callable[..., DetectorPool],
) -> None:
    """A mask must be a valid picture, because it is stored as one."""
    landmarks = Landmarks(pose_landmarks=np.zeros((33, 4), np.float32), pose_score=0.5)
    forged = Detection(landmarks, 640, 480, "jpeg", b"<script>")
    answer = frame(Kind.DETECTION, encode_detection(forged))
    program = f"say(READY); read_image(); say({answer!r}); time.sleep(600)"
    pool = impostors(program, model=ModelOptions(model_complexity=1, segmentation=True))
    with pytest.raises(DetectorAnswerError, match="an invalid mask: not a PNG"):
        pool.detect(PHOTO, within())


def test_an_answer_longer_than_any_mask_is_refused(
    impostors: Callable[..., DetectorPool],
) -> None:
    """The length of answers is also limited with masks."""
    length = struct.pack("<IB", 52_000_000, Kind.DETECTION)
    program = f"say(READY); read_image(); say({length!r}); time.sleep(600)"
    pool = impostors(program, model=ModelOptions(model_complexity=1, segmentation=True))
    with pytest.raises(DetectorAnswerError, match="52000000 bytes"):
        pool.detect(PHOTO, within())


def test_an_answer_sent_ahead_is_not_the_next_images(
    impostors: Callable[..., DetectorPool],
) -> None:
    """An early answer is rejected, because it would be stored for the wrong photo."""
    pool = impostors("say(READY); read_image(); say(HONEST + HONEST); read_image(); say(HONEST)")
    assert pool.detect(PHOTO, within()) == NOBODY_FOUND
    assert pool.detect(PHOTO, within()) == NOBODY_FOUND
    assert pool.restarts == 1


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        pytest.param("say(HONEST[:9])", "status 0", id="cut short"),
        pytest.param("raise SystemExit('no more')", "no more", id="message"),
        pytest.param("os.close(1); time.sleep(600)", "closed its pipe", id="closes its pipe"),
        pytest.param("os.kill(os.getpid(), 11)", "SIGSEGV", id="segmentation fault"),
        pytest.param("os.kill(os.getpid(), 40)", "40", id="signal without a name"),
    ],
)
def test_a_process_that_ends_without_an_answer_has_crashed(
    impostors: Callable[..., DetectorPool], program: str, reason: str
) -> None:
    """The error says how the process ended."""
    pool = impostors(f"say(READY); read_image(); {program}")
    with pytest.raises(DetectorCrashedError, match=reason):
        pool.detect(PHOTO, within())
    assert pool.restarts == 2


def test_a_process_that_closes_its_input_has_crashed(
    impostors: Callable[..., DetectorPool],
) -> None:
    """A process that can't be written to has crashed."""
    pool = impostors("os.close(0); say(READY); time.sleep(600)")
    with pytest.raises(DetectorCrashedError):
        pool.detect(PHOTO, within())


@pytest.mark.parametrize(
    "program",
    [
        pytest.param("time.sleep(600)", id="does not read"),
        pytest.param(
            "read_image()\nfor byte in bytes([0, 16, 0, 0, 3]) + bytes(4095):"
            " say(bytes([byte])); time.sleep(0.05)",
            id="drips",
        ),
        pytest.param(
            "\nif os.fork() == 0: os.setsid(); time.sleep(3); sys.exit()\nread_image()",
            id="leaves a descendant with its pipes",
        ),
    ],
)
def test_a_slow_process_is_late(impostors: Callable[..., DetectorPool], program: str) -> None:
    """The timeout covers the whole answer, however it is delayed."""
    pool = impostors(f"say(READY); {program}", timeout_seconds=0.5)
    with pytest.raises(DetectorTimeoutError):
        pool.detect(PHOTO * 10, within())
    assert pool.restarts == 2


def test_a_process_that_has_ended_is_not_signalled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once reaped, a process's id may belong to another process."""
    process = DetectorProcess(options())
    os.kill(process.pid, signal.SIGKILL)
    wait_until(lambda: not process.alive, "end of the process")
    signalled: list[int] = []
    monkeypatch.setattr(os, "killpg", lambda pid, _: signalled.append(pid))
    process.kill()
    process.kill()
    assert signalled == []


def test_what_a_late_process_has_started_is_killed_with_it(
    impostors: Callable[..., DetectorPool], tmp_path: Path
) -> None:
    """A late process's whole session is killed."""
    notes = tmp_path / "notes"
    notes.mkdir()
    program = f"""
forked = os.fork()
os.close(os.open(f"{notes}/{{os.getpid()}}", os.O_CREAT))
if forked:
    while len(os.listdir({str(notes)!r})) % 2: time.sleep(0.01)
    say(READY)
time.sleep(600)
"""
    pool = impostors(program, timeout_seconds=0.5)
    with pytest.raises(DetectorTimeoutError):
        pool.detect(PHOTO, within())
    pool.close()
    pids = [int(note.name) for note in notes.iterdir()]
    assert len(pids) >= 4
    wait_for_the_end_of(pids)


@pytest.mark.parametrize(
    "program",
    [
        pytest.param("", id="ends at once"),
        pytest.param("say(HONEST); time.sleep(600)", id="answers before the image"),
        pytest.param("os.close(1); time.sleep(600)", id="closes its pipe"),
        pytest.param("time.sleep(600)", id="never ready"),
    ],
)
def test_processes_that_do_not_start_are_not_the_images_fault(
    impostors: Callable[..., DetectorPool], monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    """After some attempts, the error lets the image be retried later."""
    monkeypatch.setattr("worker.detector.pool._START_TIMEOUT_SECONDS", 0.5)
    pool = impostors(program)
    with pytest.raises(DetectorStartError):
        pool.detect(PHOTO, within())
    # Three attempts, and one more each time the last one is already dead.
    assert 3 <= pool.restarts <= 6
    with pytest.raises(DetectorStartError):
        pool.wait_until_ready()


def test_processes_that_cannot_be_started_are_not_the_images_fault(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the system is out of processes, the image is retried later; the pool recovers."""
    for pid in bench.pool.pids:
        bench.kill(pid)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", os.devnull)
        for _ in bench.pool.pids:
            with pytest.raises(DetectorStartError):
                bench.pool.detect(PHOTO, within())
    assert bench.works()


def test_what_a_process_writes_is_logged_in_bounded_lines(
    impostors: Callable[..., DetectorPool], caplog: pytest.LogCaptureFixture
) -> None:
    """A megabyte without a newline on standard error neither blocks nor floods the log."""
    caplog.set_level(logging.DEBUG)
    pool = impostors(
        "say(READY); read_image(); os.write(2, b'a' * 2**20); say(HONEST); read_image()"
    )
    assert pool.detect(PHOTO, within()) == NOBODY_FOUND
    pool.close()
    lines = [record.__dict__["line"] for record in caplog.records if "line" in record.__dict__]
    assert max(map(len, lines)) <= 500
