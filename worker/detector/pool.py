"""Detector processes that outlive what images do to them.

One `Detector` keeps one process alive and gives each image two tries, the
second in a fresh process. The pool lends detectors to threads.
"""

import logging
import queue
import time
from collections.abc import Sequence
from typing import Final

from landmarks.errors import DeadlineError, DetectorError, DetectorStartError, DetectorTimeoutError
from worker.detector.launch import Child, ChildOptions
from worker.detector.process import DetectorProcess
from worker.result import Detection

_LOG = logging.getLogger(__name__)


# Ready takes 0.7 s on two quiet cores; a cold file system or a crowded machine, many times that.
_START_TIMEOUT_SECONDS: Final = 60.0


_STARTS: Final = 3


class Detector:
    """One detector process, replaced whenever an image has used it up."""

    def __init__(self, options: ChildOptions, launched: Child | None = None) -> None:
        """Start the first process, unless it is already launched, and return at once."""
        self._options = options
        self._process = DetectorProcess(options, launched)
        self.restarts = 0

    @property
    def pid(self) -> int:
        """Of the present process."""
        return self._process.pid

    def detect(self, content: bytes, deadline: float) -> Detection:
        """Landmarks of one image, on the second try if need be.

        Args:
            content: the image file's bytes.
            deadline: by the monotonic clock, in seconds.

        Raises:
            ImageError: the image has no landmarks to give.
            DeadlineError: there was no time for an answer.
            DetectorStartError: no process would come up.
        """
        try:
            return self._try(content, deadline)
        except DetectorError as error:
            _LOG.warning("detector replaced", extra={"reason": error.code, "detail": str(error)})
        return self._try(content, deadline)

    def close(self) -> None:
        """End the process."""
        self._process.close()

    def _try(self, content: bytes, deadline: float) -> Detection:
        self._make_ready(deadline)
        limit = time.monotonic() + self._options.timeout_seconds
        try:
            return self._process.detect(content, min(limit, deadline))
        except DetectorTimeoutError as error:
            self._replace()
            if deadline < limit:
                raise DeadlineError("the time ran out while detecting") from error
            raise DetectorTimeoutError(
                f"took longer than {self._options.timeout_seconds:g} s"
            ) from error
        except DetectorError:
            self._replace()
            raise

    def _make_ready(self, deadline: float) -> None:
        """Have a process that can take an image; a dead one is nobody's fault here."""
        for _ in range(_STARTS):
            if not self._process.alive:
                self._replace()
            limit = time.monotonic() + _START_TIMEOUT_SECONDS
            try:
                return self._process.wait_until_ready(min(limit, deadline))
            except DetectorTimeoutError as error:
                if deadline < limit:
                    raise DeadlineError("the detector was not ready in time") from error
                reason: DetectorError = error
            except DetectorError as error:
                reason = error
            self._replace()
        raise DetectorStartError(f"no detector comes up: {reason}") from reason

    def _replace(self) -> None:
        self._process.kill()
        try:
            self._process = DetectorProcess(self._options)
        except OSError as error:  # no more processes or memory to be had from the system
            raise DetectorStartError(f"no detector can be started: {error}") from error
        self.restarts += 1


class DetectorPool:
    """Detectors for many threads."""

    def __init__(
        self, options: ChildOptions, size: int, launched: Sequence[Child] | None = None
    ) -> None:
        """Start all processes and return at once.

        Args:
            options: the same for every process.
            size: how many; one a vCPU uses the machine fully.
            launched: this many that have already been started with these options.
        """
        self.size = size
        self.failing = False  # whether the last attempt to start a detector failed
        children: Sequence[Child | None] = launched or [None] * size
        self._detectors = [Detector(options, child) for child in children]
        self._idle: queue.SimpleQueue[Detector] = queue.SimpleQueue()
        for detector in self._detectors:
            self._idle.put(detector)

    @property
    def pids(self) -> list[int]:
        """Of the present processes."""
        return [detector.pid for detector in self._detectors]

    @property
    def restarts(self) -> int:
        """How many processes have been replaced since the start."""
        return sum(detector.restarts for detector in self._detectors)

    def detect(self, content: bytes, deadline: float) -> Detection:
        """Landmarks of one image, by the next detector that is free.

        Raises what `Detector.detect` raises, and `DeadlineError` when none was free in time.
        """
        try:
            detector = self._idle.get(timeout=max(0, deadline - time.monotonic()))
        except queue.Empty:
            raise DeadlineError("no detector was free in time") from None
        try:
            detection = detector.detect(content, deadline)
        except DetectorStartError:
            self.failing = True
            raise
        finally:
            self._idle.put(detector)
        self.failing = False
        return detection

    def close(self) -> None:
        """End all processes."""
        for detector in self._detectors:
            detector.close()
