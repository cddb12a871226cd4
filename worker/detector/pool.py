"""Detectors that survive images that crash them.

A `Detector` keeps one process running and tries each image up to twice, the second time in a new
process. The pool hands out detectors to threads.
"""

import logging
import math
import queue
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt

from landmarks.errors import DeadlineError, DetectorError, DetectorStartError, DetectorTimeoutError
from worker.detector.formats.isobmff import HEIF_MAGIC
from worker.detector.launch import Child, ChildOptions
from worker.detector.process import DetectorProcess
from worker.result import Detection

_LOG = logging.getLogger(__name__)

Answer = TypeVar("Answer")

# A start takes 0.7 s on two idle cores, and many times as long from a cold file system or under
# load.
_START_TIMEOUT_SECONDS: Final = 60.0
_START_ATTEMPTS: Final = 3


_Ask = Callable[[DetectorProcess, bytes, float], Answer]


class Detector:
    """One detector process, which is replaced if an image breaks it, or needs the HEIF decoder.

    Args:
        options: the process's options.
        launched: a process already started with these options; None to start one.

    Attributes:
        restarts: how many processes have been replaced because of an image or a failed start.
    """

    def __init__(self, options: ChildOptions, launched: Child | None = None) -> None:
        self._options = options
        self._process = DetectorProcess(options, launched)
        self.restarts = 0

    @property
    def pid(self) -> int:
        """The current process's id."""
        return self._process.pid

    def detect(self, content: bytes, deadline: float) -> Detection:
        """Find the landmarks in one image, with one retry if the process breaks.

        Args:
            content: the image file's bytes.
            deadline: on the monotonic clock, in seconds.

        Raises:
            ImageError: the image was rejected, or broke two processes.
            DeadlineError: there was not enough time.
            DetectorStartError: no process could be started.
        """
        return self._try_twice(DetectorProcess.detect, content, deadline)

    def decode(self, content: bytes, deadline: float) -> npt.NDArray[np.uint8]:
        """Decode one image as `DetectorProcess.decode` does; raises what `detect` raises."""
        return self._try_twice(DetectorProcess.decode, content, deadline)

    def wait_until_ready(self, deadline: float) -> None:
        """Wait for a process to be ready. Failed starts don't count as tries for an image.

        Args:
            deadline: on the monotonic clock, in seconds.

        Raises:
            DeadlineError: the process was not ready in time.
            DetectorStartError: no process could be started.
        """
        for _ in range(_START_ATTEMPTS):
            if not self._process.alive:
                self._replace()
            limit = time.monotonic() + _START_TIMEOUT_SECONDS
            try:
                return self._process.wait_until_ready(min(limit, deadline))
            except DetectorError as error:
                if isinstance(error, DetectorTimeoutError) and deadline < limit:
                    raise DeadlineError("the detector was not ready in time") from error
                reason = error
            self._replace()
        raise DetectorStartError(f"no detector started: {reason}") from reason

    def close(self) -> None:
        """End the process."""
        self._process.close()

    def _try_twice(self, ask: _Ask[Answer], content: bytes, deadline: float) -> Answer:
        if not self._options.heif and HEIF_MAGIC.match(content):
            # A running process can't load the decoder any more. Its successors have it, too.
            self._options = replace(self._options, heif=True)
            self._start()
        try:
            return self._try(ask, content, deadline)
        except DetectorError as error:
            _LOG.warning("detector replaced", extra={"reason": error.code, "detail": str(error)})
        return self._try(ask, content, deadline)

    def _try(self, ask: _Ask[Answer], content: bytes, deadline: float) -> Answer:
        self.wait_until_ready(deadline)
        limit = time.monotonic() + self._options.timeout_seconds
        try:
            return ask(self._process, content, min(limit, deadline))
        except DetectorTimeoutError as error:
            self._replace()
            if deadline < limit:
                raise DeadlineError("time ran out during detection") from error
            raise DetectorTimeoutError(
                f"took longer than {self._options.timeout_seconds:g} s"
            ) from error
        except DetectorError:
            self._replace()
            raise

    def _replace(self) -> None:
        self._start()
        self.restarts += 1

    def _start(self) -> None:
        self._process.kill()
        try:
            self._process = DetectorProcess(self._options)
        except OSError as error:  # the system is out of processes or memory
            raise DetectorStartError(f"can't start a detector: {error}") from error


class DetectorPool:
    """Detectors for many threads, all with the same options.

    Starts all processes without waiting for them to be ready.

    Args:
        options: the processes' options.
        size: number of processes; one per vCPU uses the whole machine.
        launched: `size` processes already started with these options; None to start them.

    Attributes:
        size: number of processes.
        failing: whether the last attempt to start a detector failed.
    """

    def __init__(
        self, options: ChildOptions, size: int, launched: Sequence[Child] | None = None
    ) -> None:
        self.size = size
        self.failing = False
        children: Sequence[Child | None] = launched or [None] * size
        self._detectors = [Detector(options, child) for child in children]
        self._idle: queue.SimpleQueue[Detector] = queue.SimpleQueue()
        for detector in self._detectors:
            self._idle.put(detector)

    @property
    def pids(self) -> list[int]:
        """The current processes' ids."""
        return [detector.pid for detector in self._detectors]

    @property
    def restarts(self) -> int:
        """How many processes have been replaced."""
        return sum(detector.restarts for detector in self._detectors)

    def detect(self, content: bytes, deadline: float) -> Detection:
        """Find the landmarks in one image, with the next free detector.

        Raises what `Detector.detect` raises, and `DeadlineError` if none is free in time.
        """
        with self._detector(deadline) as detector:
            return detector.detect(content, deadline)

    def decode(self, content: bytes, deadline: float) -> npt.NDArray[np.uint8]:
        """Decode one image with the next free detector; see `detect` for errors."""
        with self._detector(deadline) as detector:
            return detector.decode(content, deadline)

    def wait_until_ready(self, deadline: float = math.inf) -> None:
        """Wait for all processes. See `Detector.wait_until_ready` for errors."""
        for detector in self._detectors:
            detector.wait_until_ready(deadline)

    def close(self) -> None:
        """End all processes."""
        for detector in self._detectors:
            detector.close()

    @contextmanager
    def _detector(self, deadline: float) -> Iterator[Detector]:
        """Take the next free detector."""
        try:
            detector = self._idle.get(timeout=max(0, deadline - time.monotonic()))
        except queue.Empty:
            raise DeadlineError("no detector was free in time") from None
        try:
            yield detector
        except DetectorStartError:
            self.failing = True
            raise
        finally:
            self._idle.put(detector)
        self.failing = False
