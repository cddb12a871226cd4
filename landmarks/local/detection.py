"""Files on this machine to results: the worker's detectors, without its services."""

import logging
import os
import time
from datetime import UTC, datetime
from typing import Final, Self

import click

from landmarks.enums import FAILED
from landmarks.errors import ImageError, TooManyBytesError
from landmarks.job import Job
from landmarks.result import Attributes, LandmarkResult
from worker.deadline import Stopwatch
from worker.detector.confinement import hide_from_children
from worker.detector.launch import child_options
from worker.detector.pool import DetectorPool
from worker.result import Detection, ObjectIdentity, Result
from worker.settings import Settings
from worker.table import ResultsTable

UNREADABLE_FILE: Final = "UNREADABLE_FILE"

# Settings about services, whatever the environment says; empty means not set.
_NO_SERVICES: Final = {
    "RESULTS_TABLE": "none",
    **dict.fromkeys(("ALLOWED_BUCKETS", "IMAGE_BUCKET", "SEGMENTATION_BUCKET"), ""),
    **dict.fromkeys(("QUEUE_URL", "DEAD_LETTER_QUEUE_URL"), ""),
}

# What an item says about an object in S3 or about a message.
_NOT_OF_FILES: Final = frozenset(
    {"bucket", "prefix", "etag", "source_last_modified", "attempts", "expires_at"}
)

# A photo's own limit, DETECT_TIMEOUT_SECONDS, is shorter.
_DEADLINE_SECONDS: Final = 86_400


class PhotoDetector:
    """Finds landmarks in files, as many at once as it has detectors.

    Args:
        photos: how many files there are; no more detectors than that are started.

    Attributes:
        size: how many detectors there are.

    Raises:
        SettingsError: a setting is wrong, or the model is not installed.
    """

    def __init__(self, photos: int) -> None:
        settings = Settings.from_environment({**os.environ, **_NO_SERVICES})
        options = child_options(settings)
        hide_from_children()
        # What goes wrong is in the results; without a handler, Python would print warnings.
        logging.getLogger("worker").addHandler(logging.NullHandler())
        self.size = min(settings.detectors, photos)
        self._detectors = DetectorPool(options, self.size)
        self._max_bytes = settings.max_image_bytes
        self._stdin = (b"", 0)
        self._table = ResultsTable(
            settings.results_table, settings.model, encoding=settings.landmark_encoding
        )

    def __enter__(self) -> Self:
        """Return at once, while the detectors start."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the detectors."""
        self._detectors.close()

    def read_stdin(self) -> None:
        """Read standard input now: Ctrl-C ends a read in the main thread, but in no other."""
        self._stdin = _read("-", self._max_bytes)

    def wait_until_ready(self) -> None:
        """Wait for the detectors, so that their start is in no photo's duration.

        Raises:
            DetectorStartError: one does not start.
        """
        self._detectors.wait_until_ready()

    def detect(self, file: str) -> tuple[LandmarkResult, bytes]:
        """Find the landmarks in one file.

        Args:
            file: its path; "-" is what `read_stdin` has read.

        Returns:
            the result and the file's content. The result's key is the path, its bucket is empty.

        Raises:
            DetectorStartError: no detector starts.
        """
        name, clock = click.format_filename(file), Stopwatch()
        try:
            content, size = self._stdin if file == "-" else _read(file, self._max_bytes)
        except OSError as error:
            return _unreadable(name, error), b""
        fetch_ms = clock.lap_ms()
        result = Result(
            Job(bucket="", key=name),
            ObjectIdentity(etag="", last_modified=datetime.now(UTC), size_bytes=size),
            self._outcome(content, size),
            fetch_ms=fetch_ms,
            detect_ms=clock.lap_ms(),
            total_ms=clock.total_ms(),
        )
        return _result(self._table.build(result).serialize()), content

    def _outcome(self, content: bytes, size: int) -> Detection | ImageError:
        try:
            if size > self._max_bytes:
                raise TooManyBytesError(f"{size} bytes, more than the {self._max_bytes} allowed")
            return self._detectors.detect(content, time.monotonic() + _DEADLINE_SECONDS)
        except ImageError as error:
            return error


def _read(file: str, max_bytes: int) -> tuple[bytes, int]:
    """Read a file up to one byte too many; also return its size, as far as a pipe tells it."""
    with click.open_file(file, "rb") as source:
        content = source.read(max_bytes + 1)
        if len(content) <= max_bytes or not source.seekable():
            return content, len(content)
        return content, max(len(content), source.seek(0, os.SEEK_END))


def _unreadable(name: str, error: OSError) -> LandmarkResult:
    words = {"error_code": UNREADABLE_FILE, "error_message": error.strerror or str(error)}
    texts = {"object_key": name, "status": FAILED, **words}
    return _result({attribute: {"S": text} for attribute, text in texts.items()})


def _result(item: Attributes) -> LandmarkResult:
    attributes = {name: value for name, value in item.items() if name not in _NOT_OF_FILES}
    result = LandmarkResult.from_attributes({**attributes, "bucket": {"S": ""}})
    if result is None:
        raise ValueError("an item without status")
    return result
