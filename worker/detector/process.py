"""The parent's side of one detector process.

Starts the process, sends it images, validates every answer and reports failures as `DetectorError`.
`pool.py` replaces failed processes.
"""

import fcntl
import logging
import os
import re
import select
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, Final

import numpy as np
import numpy.typing as npt

from landmarks.errors import (
    DetectorAnswerError,
    DetectorCrashedError,
    DetectorTimeoutError,
)
from worker.detector.launch import Child, ChildOptions, launch
from worker.detector.mask import MaskBounds
from worker.detector.protocol import (
    HEADER,
    RGB_BYTES,
    Kind,
    ProtocolError,
    decode_detection,
    decode_failure,
    decode_picture,
    max_answer_bytes,
)
from worker.result import Detection

_LOG = logging.getLogger(__name__)

# Lines logged as warnings: absl's errors and fatal errors, and the child's own. Other lines are
# noise: decoders complain about many images, and MediaPipe warns at every start.
_COMPLAINT: Final = re.compile(r"[EF](\d{4})? ")

_LINE_BYTES: Final = 500
_READ_BYTES: Final = 64 * 1024
_PIPE_BYTES: Final = 1024 * 1024  # Linux's maximum (/proc/sys/fs/pipe-max-size)
_EXIT_GRACE_SECONDS: Final = 1.0


class DetectorProcess:
    """One child process. Not thread-safe.

    Args:
        options: the process's options.
        launched: a process already started with these options; None to start one.
    """

    def __init__(self, options: ChildOptions, launched: Child | None = None) -> None:
        model = options.model
        self._face_points = model.face_points if model else 0
        self._max_people = model.max_people if model else 0
        self._masks = (
            MaskBounds(options.max_mask_pixels, model.max_image_side)
            if model and model.segmentation
            else None
        )
        self._picture_side = options.picture_side
        self._max_answer_bytes = (
            max_answer_bytes(self._max_people, self._masks) + RGB_BYTES * self._picture_side**2
        )
        self._process = launched or launch(options)
        self._source = _non_blocking(self._process.stdout)
        self._sink = _non_blocking(self._process.stdin)
        # Only on Linux, and not if the user has too many large pipes.
        with suppress(AttributeError, PermissionError):
            fcntl.fcntl(self._sink, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)  # holds most images whole
        self._ready = False
        self._last_line = "nothing on standard error"
        self._stderr_reader = threading.Thread(target=self._log_stderr, daemon=True)
        self._stderr_reader.start()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process is still running."""
        return self._process.poll() is None

    def wait_until_ready(self, deadline: float) -> None:
        """Wait for the models to be loaded.

        Args:
            deadline: on the monotonic clock, in seconds.

        Raises:
            DetectorError: the process died or was not ready in time.
        """
        if not self._ready:
            self._read_frame((Kind.READY,), deadline)
            self._ready = True

    def detect(self, content: bytes, deadline: float) -> Detection:
        """Find the landmarks in one image.

        Args:
            content: the image file's bytes.
            deadline: on the monotonic clock, in seconds.

        Raises:
            DetectorError: the process is unusable and must be killed.
            ImageError: the image was rejected; the process can be used again.
        """
        with _protocol_errors():
            payload = self._ask(content, Kind.DETECTION, deadline)
            return decode_detection(
                payload,
                face_points=self._face_points,
                max_people=self._max_people,
                masks=self._masks,
            )

    def decode(self, content: bytes, deadline: float) -> npt.NDArray[np.uint8]:
        """Decode one image, in a process without a model.

        Takes the arguments of `detect` and raises the same errors.

        Returns:
            upright RGB pixels, shape (rows, columns, 3), scaled down to the options' side.
        """
        with _protocol_errors():
            payload = self._ask(content, Kind.PICTURE, deadline)
            return decode_picture(payload, self._picture_side)

    def kill(self) -> None:
        """Kill the process and everything it started."""
        # Once the process has been reaped, its id may belong to another process.
        if self._process.returncode is None:
            os.killpg(self.pid, signal.SIGKILL)
            self._process.wait()
        self._stderr_reader.join(_EXIT_GRACE_SECONDS)
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe:
                pipe.close()

    def close(self) -> None:
        """Let the process end, and kill it if it doesn't."""
        if self._process.stdin:
            self._process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_EXIT_GRACE_SECONDS)
        self.kill()

    def _ask(self, content: bytes, expected: Kind, deadline: float) -> bytes:
        """Send an image; return the answer's payload."""
        self._expect_silence(deadline)
        # Written separately, so that the image isn't copied.
        self._write(HEADER.pack(len(content) + 1, Kind.IMAGE), deadline)
        self._write(content, deadline)
        kind, payload = self._read_frame((expected, Kind.FAILURE), deadline)
        if kind == Kind.FAILURE:
            raise decode_failure(payload)
        return payload

    def _write(self, data: bytes, deadline: float) -> None:
        view = memoryview(data)
        while view:
            self._wait(self._sink, select.POLLOUT, deadline)
            try:
                view = view[os.write(self._sink, view) :]
            except BrokenPipeError:
                raise self._crash() from None

    def _read_frame(self, expected: tuple[Kind, ...], deadline: float) -> tuple[int, bytes]:
        length, kind = HEADER.unpack(self._read(HEADER.size, deadline))
        if kind not in expected or not 1 <= length <= self._max_answer_bytes:
            raise DetectorAnswerError(f"the detector sent {length} bytes of kind {kind}")
        return kind, self._read(length - 1, deadline)

    def _read(self, size: int, deadline: float) -> bytes:
        data = bytearray()
        while len(data) < size:
            self._wait(self._source, select.POLLIN, deadline)
            part = os.read(self._source, min(size - len(data), _READ_BYTES))
            if not part:
                raise self._crash()
            data += part
        return bytes(data)

    def _wait(self, descriptor: int, event: int, deadline: float) -> None:
        if not _is_ready(descriptor, event, max(0, deadline - time.monotonic())):
            raise DetectorTimeoutError("no answer in time")

    def _expect_silence(self, deadline: float) -> None:
        """Reject an early answer, which would be taken for the next image's."""
        if _is_ready(self._source, select.POLLIN, 0):
            self._read(
                1, deadline
            )  # raises if the process has died, which also makes the pipe readable
            raise DetectorAnswerError("the detector sent an answer before the image")

    def _crash(self) -> DetectorCrashedError:
        """Return an error that says why the process has closed its pipe."""
        try:
            status = self._process.wait(_EXIT_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            return DetectorCrashedError("the detector closed its pipe")
        if status < 0:
            return DetectorCrashedError(f"the detector was killed by {_signal_name(-status)}")
        self._stderr_reader.join(_EXIT_GRACE_SECONDS)
        return DetectorCrashedError(f"the detector exited with status {status}: {self._last_line}")

    def _log_stderr(self) -> None:
        """Log the process's standard error in lines of limited length."""
        stderr = self._process.stderr
        while stderr and (line := stderr.readline(_LINE_BYTES)):
            if text := line.decode(errors="replace").rstrip():
                self._last_line = text
                level = logging.WARNING if _COMPLAINT.match(text) else logging.DEBUG
                _LOG.log(level, "detector said", extra={"pid": self.pid, "line": text})


@contextmanager
def _protocol_errors() -> Iterator[None]:
    try:
        yield
    except ProtocolError as error:
        raise DetectorAnswerError(f"the detector sent {error}") from error


def _non_blocking(pipe: IO[bytes] | None) -> int:
    if pipe is None:
        raise TypeError("the process was started without pipes")
    os.set_blocking(pipe.fileno(), False)
    return pipe.fileno()


def _is_ready(descriptor: int, event: int, seconds: float) -> bool:
    """Return whether a pipe becomes ready within this time."""
    poll = select.poll()
    poll.register(descriptor, event)
    return bool(poll.poll(seconds * 1000))


def _signal_name(number: int) -> str:
    """Return a signal's name; most real-time signals have none."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
