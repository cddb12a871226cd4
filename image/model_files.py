"""Reading, checking and writing model files, and the progress of a download."""

import hashlib
import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from model_manifest import Source

CHUNK_BYTES = 256 * 1024
FILE_MODE = 0o644
DEFAULT_MTIME_SECONDS = 315532800  # 1980-01-01, the oldest date that every archive format holds


class SourceError(Exception):
    """Raised when a source does not have the file; the message says why."""


class TemporaryError(SourceError):
    """Raised when a retry may succeed."""


@dataclass
class Progress:
    """Progress of a download: one moving line on a terminal, a line each quarter in a log."""

    label: str
    total_bytes: int
    next_percent: int = 0

    def show(self, done_bytes: int) -> None:
        """Print it, unless too little has changed."""
        percent = 100 * done_bytes // max(self.total_bytes, 1)
        if percent < self.next_percent:
            return
        step = 1 if sys.stderr.isatty() else 25
        self.next_percent = percent - percent % step + step
        amount = f"{megabytes(done_bytes)} of {megabytes(self.total_bytes)}"
        line = f"{self.label}: {percent:3d} % ({amount})"
        say(f"\r{line}\x1b[K" if sys.stderr.isatty() else f"{line}\n")

    def end(self) -> None:
        """End the line."""
        if sys.stderr.isatty():
            say("\n")


def say(text: str) -> None:
    """Write to standard error at once."""
    sys.stderr.write(text)
    sys.stderr.flush()


def megabytes(number_of_bytes: int) -> str:
    """Format a number of bytes."""
    return f"{number_of_bytes / 1e6:.1f} MB"


def read_bounded(stream: IO[bytes], limit_bytes: int) -> Iterator[bytes]:
    """Yield a stream in chunks; raise SourceError once it is longer than the limit."""
    left = limit_bytes
    while chunk := stream.read(min(CHUNK_BYTES, left + 1)):
        left -= len(chunk)
        if left < 0:
            raise SourceError(f"it is longer than {limit_bytes} bytes")
        yield chunk


def check(content: bytes, source: Source) -> None:
    """Raise SourceError unless size and checksum are those in the manifest."""
    if source.size is not None and len(content) != source.size:
        raise SourceError(f"it has {len(content)} bytes instead of {source.size}")
    found = hashlib.sha256(content).hexdigest()
    if found != source.sha256:
        raise SourceError(f"wrong checksum: sha256 {found} instead of {source.sha256}")


def read_file(path: Path, source: Source) -> bytes:
    """Read a local file, up to the source's limit."""
    try:
        with path.open("rb") as file:
            return b"".join(read_bounded(file, source.limit_bytes))
    except OSError as error:
        raise SourceError(str(error.strerror)) from error


def holds(path: Path, source: Source) -> bool:
    """Whether the file exists and is valid."""
    try:
        check(read_file(path, source), source)
    except SourceError:
        return False
    return True


def write_atomically(final: Path, content: bytes) -> None:
    """Write a file atomically, with a fixed mode and modification time."""
    final.parent.mkdir(parents=True, exist_ok=True)
    mtime_seconds = int(os.environ.get("SOURCE_DATE_EPOCH") or DEFAULT_MTIME_SECONDS)
    descriptor, name = tempfile.mkstemp(prefix=f".{final.name}.", dir=final.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(descriptor, FILE_MODE)
            os.utime(descriptor, (mtime_seconds, mtime_seconds))
            os.fsync(descriptor)
        Path(name).replace(final)
    finally:
        Path(name).unlink(missing_ok=True)
