"""The parent's side of one detector process.

Starts it, sends it images, checks every byte it answers, and reports in one `DetectorError` how it
failed. `pool.py` replaces it.
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
from contextlib import suppress
from typing import IO, Final

from landmarks.errors import (
    DetectorAnswerError,
    DetectorCrashedError,
    DetectorTimeoutError,
)
from worker.detector.launch import Child, ChildOptions, launch
from worker.detector.mask import MaskBounds
from worker.detector.protocol import (
    HEADER,
    MAX_ANSWER_BYTES,
    Kind,
    ProtocolError,
    decode_detection,
    decode_failure,
)
from worker.result import Detection

_LOG = logging.getLogger(__name__)

# Lines logged as warnings: absl's errors and fatal errors, and the child's own. Decoders complain
# about many images, and MediaPipe warns at every start.
_COMPLAINT: Final = re.compile(r"[EF](\d{4})? ")

_LINE_BYTES: Final = 500
_READ_BYTES: Final = 64 * 1024
_PIPE_BYTES: Final = 1024 * 1024  # the most that Linux allows (/proc/sys/fs/pipe-max-size)
_EXIT_GRACE_SECONDS: Final = 1.0


class DetectorProcess:
    """One child, from its start to its end; used by one thread at a time.

    Args:
        options: the process's options.
        launched: a process already started with these options; None starts one.
    """

    def __init__(self, options: ChildOptions, launched: Child | None = None) -> None:
        self._face_points = options.model.face_points
        self._masks = (
            MaskBounds(options.max_image_pixels, options.model.max_image_side)
            if options.model.segmentation
            else None
        )
        self._max_answer_bytes = MAX_ANSWER_BYTES + (self._masks.max_bytes if self._masks else 0)
        self._process = launched or launch(options)
        self._source = _non_blocking(self._process.stdout)
        self._sink = _non_blocking(self._process.stdin)
        with suppress(PermissionError):  # the user has too many large pipes already
            fcntl.fcntl(self._sink, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)  # takes most images whole
        self._ready = False
        self._last_line = "it wrote nothing to standard error"
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
            deadline: by the monotonic clock, in seconds.

        Raises:
            DetectorError: it died or was not ready in time.
        """
        if not self._ready:
            self._read_frame((Kind.READY,), deadline)
            self._ready = True

    def detect(self, content: bytes, deadline: float) -> Detection:
        """Find the landmarks in one image.

        Args:
            content: the image file's bytes.
            deadline: by the monotonic clock, in seconds.

        Raises:
            DetectorError: the process is unusable; kill it.
            ImageError: the image is refused; the process goes on.
        """
        self._expect_silence(deadline)
        # The header apart, so that the image need not be copied.
        self._write(HEADER.pack(len(content) + 1, Kind.IMAGE), deadline)
        self._write(content, deadline)
        kind, payload = self._read_frame((Kind.DETECTION, Kind.FAILURE), deadline)
        try:
            if kind == Kind.FAILURE:
                raise decode_failure(payload)
            return decode_detection(payload, face_points=self._face_points, masks=self._masks)
        except ProtocolError as error:
            raise DetectorAnswerError(f"the detector answered {error}") from error

    def kill(self) -> None:
        """Kill it and everything it has started."""
        # Once the process has been waited for, its id may already be another process's.
        if self._process.returncode is None:
            os.killpg(self.pid, signal.SIGKILL)
            self._process.wait()
        self._stderr_reader.join(_EXIT_GRACE_SECONDS)
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe:
                pipe.close()

    def close(self) -> None:
        """Let it end; kill it if it doesn't."""
        if self._process.stdin:
            self._process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_EXIT_GRACE_SECONDS)
        self.kill()

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
        """Refuse an answer sent ahead: it would be taken for the next image's."""
        if _is_ready(self._source, select.POLLIN, 0):
            self._read(1, deadline)  # a process that has died is readable, too, and raises here
            raise DetectorAnswerError("the detector answered before it was asked")

    def _crash(self) -> DetectorCrashedError:
        """Why the process has closed its pipe, as an error to raise."""
        try:
            status = self._process.wait(_EXIT_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            return DetectorCrashedError("the detector closed its pipe")
        if status < 0:
            return DetectorCrashedError(f"the detector died of {_signal_name(-status)}")
        self._stderr_reader.join(_EXIT_GRACE_SECONDS)
        return DetectorCrashedError(f"the detector ended with status {status}: {self._last_line}")

    def _log_stderr(self) -> None:
        """Log what the process writes to standard error, in lines of bounded length."""
        stderr = self._process.stderr
        while stderr and (line := stderr.readline(_LINE_BYTES)):
            if text := line.decode(errors="replace").rstrip():
                self._last_line = text
                level = logging.WARNING if _COMPLAINT.match(text) else logging.DEBUG
                _LOG.log(level, "detector said", extra={"pid": self.pid, "line": text})


def _non_blocking(pipe: IO[bytes] | None) -> int:
    if pipe is None:
        raise TypeError("the process was started without pipes")
    os.set_blocking(pipe.fileno(), False)
    return pipe.fileno()


def _is_ready(descriptor: int, event: int, seconds: float) -> bool:
    """Whether a pipe is ready, or becomes so within this time."""
    poll = select.poll()
    poll.register(descriptor, event)
    return bool(poll.poll(seconds * 1000))


def _signal_name(number: int) -> str:
    """Most real-time signals have no name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
