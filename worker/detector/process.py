"""The parent's side of one detector process.

Starts it, feeds it bytes, believes only checked bytes, and says in one
`DetectorError` what became of it. Replacing it is `pool.py`'s business.
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
from collections import deque
from contextlib import suppress
from typing import IO, Final

from landmarks.errors import (
    DetectorAnswerError,
    DetectorCrashedError,
    DetectorError,
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


# What is worth a line in the log: absl's errors and fatal ones, and the child's own.
# Decoders complain of many an image; MediaPipe warns at every start.
_COMPLAINT: Final = re.compile(r"[EF](\d{4})? ")


_LAST_WORDS_LINES: Final = 5


_LINE_BYTES: Final = 500


_READ_BYTES: Final = 64 * 1024


# What Linux lets any process have (/proc/sys/fs/pipe-max-size).
_PIPE_BYTES: Final = 1024 * 1024


_EXIT_GRACE_SECONDS: Final = 1.0


class DetectorProcess:
    """One child, from its start to its end; used by one thread at a time."""

    def __init__(self, options: ChildOptions, launched: Child | None = None) -> None:
        """Start the process and return at once, while it imports and warms up.

        Args:
            options: the process's.
            launched: one that has already been started with them.
        """
        self._options = options
        self._masks = _mask_bounds(options)
        self._max_answer_bytes = MAX_ANSWER_BYTES + (self._masks.max_bytes if self._masks else 0)
        self._process = launched or launch(options)
        self._source = _file_descriptor(self._process.stdout)
        self._sink = _file_descriptor(self._process.stdin)
        _widen(self._sink)
        self._ready = False
        self._last_words: deque[str] = deque(maxlen=_LAST_WORDS_LINES)
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    @property
    def pid(self) -> int:
        """The operating system's number for it."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it has not ended (by itself or by someone's hand)."""
        return self._process.poll() is None

    def wait_until_ready(self, deadline: float) -> None:
        """Wait for the models to be loaded.

        Args:
            deadline: by the monotonic clock, in seconds.

        Raises:
            DetectorError: it died or was not ready in time.
        """
        if not self._ready:
            kind, _ = self._read_frame(deadline)
            self._expect(kind == Kind.READY)
            self._ready = True

    def detect(self, content: bytes, deadline: float) -> Detection:
        """Landmarks of one image.

        Args:
            content: the image file's bytes.
            deadline: by the monotonic clock, in seconds.

        Raises:
            DetectorError: the process can't be used any more; kill it.
            ImageError: the image has no landmarks to give; the process goes on.
        """
        self._expect_silence(deadline)
        self._write(_image_header(len(content)), deadline)
        self._write(content, deadline)
        kind, payload = self._read_frame(deadline)
        self._expect(kind in (Kind.DETECTION, Kind.FAILURE))
        try:
            if kind == Kind.FAILURE:
                raise decode_failure(payload)
            face_points = self._options.model.face_points
            return decode_detection(payload, face_points=face_points, masks=self._masks)
        except ProtocolError as error:
            raise DetectorAnswerError(f"the detector answered {error}") from error

    def kill(self) -> None:
        """End it, now, and leave nothing of it behind."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()
        self._close_pipes()

    def close(self) -> None:
        """Let it end by itself; kill it if it doesn't."""
        if self._process.stdin:
            self._process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_EXIT_GRACE_SECONDS)
        self.kill()

    def _close_pipes(self) -> None:
        self._listener.join(_EXIT_GRACE_SECONDS)
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe:
                pipe.close()

    def _write(self, data: bytes, deadline: float) -> None:
        view = memoryview(data)
        while view:
            self._wait(self._sink, select.POLLOUT, deadline)
            try:
                view = view[os.write(self._sink, view) :]
            except BrokenPipeError:
                raise self._obituary() from None

    def _read_frame(self, deadline: float) -> tuple[int, bytes]:
        length, kind = HEADER.unpack(self._read(HEADER.size, deadline))
        self._expect(1 <= length <= self._max_answer_bytes)
        return kind, self._read(length - 1, deadline)

    def _read(self, size: int, deadline: float) -> bytes:
        data = bytearray()
        while len(data) < size:
            self._wait(self._source, select.POLLIN, deadline)
            part = os.read(self._source, min(size - len(data), _READ_BYTES))
            if not part:
                raise self._obituary()
            data += part
        return bytes(data)

    def _wait(self, descriptor: int, event: int, deadline: float) -> None:
        if not _ready_for(descriptor, event, max(0, deadline - time.monotonic())):
            raise DetectorTimeoutError("no answer in time")

    def _expect_silence(self, deadline: float) -> None:
        """Nothing may be said before it is asked: it would be taken for the next image's answer."""
        if _ready_for(self._source, select.POLLIN, 0):
            self._read(1, deadline)  # the end of a process that has died is no lie
            self._expect(honest=False)

    def _expect(self, honest: bool) -> None:  # noqa: FBT001, an assertion reads best so
        if not honest:
            raise DetectorAnswerError("the detector answered what no honest one would")

    def _obituary(self) -> DetectorError:
        """Why the process has closed its pipe, as an error to raise."""
        try:
            status = self._process.wait(_EXIT_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            return DetectorCrashedError("the detector closed its pipe")
        self._listener.join(_EXIT_GRACE_SECONDS)
        if status < 0:
            return DetectorCrashedError(f"the detector died of {_signal_name(-status)}")
        last_word = self._last_words[-1] if self._last_words else "it said nothing"
        return DetectorCrashedError(f"the detector ended with status {status}: {last_word}")

    def _listen(self) -> None:
        """Pass on what the process says on its standard error, bounded."""
        stderr = self._process.stderr
        while stderr and (line := stderr.readline(_LINE_BYTES)):
            text = line.decode(errors="replace").rstrip()
            if text:
                self._last_words.append(text)
                level = logging.WARNING if _COMPLAINT.match(text) else logging.DEBUG
                _LOG.log(level, "detector said", extra={"pid": self.pid, "line": text})


def _mask_bounds(options: ChildOptions) -> MaskBounds | None:
    """What the process may answer as a mask; None if it is asked for none."""
    if not options.model.segmentation:
        return None
    return MaskBounds(options.max_image_pixels, options.model.max_image_side)


def _file_descriptor(pipe: IO[bytes] | None) -> int:
    if pipe is None:
        raise TypeError("a pipe was asked for")
    os.set_blocking(pipe.fileno(), False)
    return pipe.fileno()


def _widen(pipe: int) -> None:
    """Have a pipe take most images whole: then nobody is woken in the middle of one."""
    with suppress(PermissionError):  # the user has too many wide pipes already
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


def _ready_for(descriptor: int, event: int, seconds: float) -> bool:
    """Whether a pipe is ready, or becomes so within this time."""
    poll = select.poll()
    poll.register(descriptor, event)
    return bool(poll.poll(seconds * 1000))


def _signal_name(number: int) -> str:
    """Most real-time signals have none."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _image_header(content_bytes: int) -> bytes:
    """What goes before an image, without a copy of the image."""
    return HEADER.pack(content_bytes + 1, Kind.IMAGE)
