"""Sources of jobs: lines and local files."""

import json
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Protocol

from landmarks.cli.options import Place
from landmarks.errors import LandmarkError, MessageError
from landmarks.job import FOLDER_MARKER_SUFFIXES, decode_direct, split_address

# `decode_direct` requires a bucket. This one is not sent.
_NO_BUCKET: Final = "worker-decides"


class SourceError(LandmarkError):
    """Raised when a source can't be read."""

    code = "INVALID_SOURCE"


@dataclass(frozen=True, slots=True)
class Entry:
    """An object to send a job for, or something that can't become a job.

    Attributes:
        key: object key, not URL-encoded; with `error`, the invalid line or path.
        cursor: where the source resumes after this entry; opaque to everything else.
        bucket: the bucket; None for the worker's setting IMAGE_BUCKET.
        version_id: the version; None for the current one when the worker reads it.
        job_id: job id; takes precedence over the one for all jobs.
        force: whether to force the job; takes precedence over the default if True.
        size_bytes: size of the object; 0 if unknown.
        modified: when the object was modified; None if unknown.
        file: file to upload first.
        named: specified by its full name, so filters don't apply.
        archived: must be restored before it can be read.
        error: why no job can be sent.
    """

    key: str
    cursor: str
    bucket: str | None = None
    version_id: str | None = None
    job_id: str | None = None
    force: bool = False
    size_bytes: int = 0
    modified: datetime | None = None
    file: Path | None = None
    named: bool = False
    archived: bool = False
    error: str | None = None

    @property
    def is_folder_marker(self) -> bool:
        """Whether this is an empty object that makes a folder visible; unknown sizes count as 0."""
        named = self.key.endswith(FOLDER_MARKER_SUFFIXES)
        return named and not self.size_bytes and not self.error


class Source(Protocol):
    """Anything that yields entries, always in the same order."""

    def entries(self, after: str) -> Iterator[Entry]:
        """Yield the entries after the cursor `after`, or all of them if it is empty.

        Raises:
            SourceError: the source can't be read.
        """
        ...


@dataclass(frozen=True)
class LineSource:
    """Lines with a key, `s3://bucket/key` or a job as JSON. Empty lines are ignored.

    The cursor is the number of lines read, so resuming needs the same lines again.
    """

    lines: Iterable[bytes] = field(repr=False)
    bucket: str | None = None

    def entries(self, after: str) -> Iterator[Entry]:
        """See `Source.entries`."""
        done = int(after or 0)
        for number, line in enumerate(self.lines, 1):
            text = line.rstrip(b"\r\n")
            if number > done and text:
                yield self._entry(text, str(number))

    def _entry(self, line: bytes, cursor: str) -> Entry:
        try:
            fields = _job_fields(line.decode())
            job = decode_direct(fields, default_bucket=self.bucket or _NO_BUCKET)
        except (MessageError, ValueError, RecursionError) as error:
            text = line.decode(errors="replace")
            return Entry(text, cursor, error=f"line {cursor}: {error}")
        return Entry(
            key=job.key,
            cursor=cursor,
            bucket=job.bucket if fields.get("bucket") is not None else self.bucket,
            version_id=job.version_id,
            job_id=job.job_id,
            force=job.force,
        )


def _job_fields(text: str) -> dict[str, object]:
    if text.startswith("s3://"):
        bucket, key = split_address(text)
        return {"bucket": bucket, "key": key}
    if not text.startswith("{"):
        return {"key": text}
    fields: dict[str, object] = json.loads(text)
    return fields


@dataclass(frozen=True)
class FileSource:
    """A file, or all files below a folder, to upload to `destination`.

    Links to files are followed. Links to folders and unreadable files become entries with an
    error. The cursor is the path below the folder, with a trailing slash for folders.
    """

    path: Path
    destination: Place

    def entries(self, after: str) -> Iterator[Entry]:
        """Yield the files sorted by name, each folder's files before its subfolders.

        Raises:
            SourceError: the file or folder does not exist, or the folder can't be read.
        """
        if self.path.is_dir():
            for entry in self._walk():
                if not after or _sort_key(entry.cursor) > _sort_key(after):
                    yield entry
        elif not self.path.exists():
            raise SourceError(f"{self.path}: no such file or folder")
        elif not after:
            yield self._entry(self.path, self.path.name, named=True)

    def _walk(self) -> Iterator[Entry]:
        folders = [self.path]
        while folders:
            folder = folders.pop()
            below = folder.relative_to(self.path)
            try:
                with os.scandir(folder) as found:
                    names = sorted(
                        (item.name, item.is_dir(follow_symlinks=False)) for item in found
                    )
            except OSError as error:
                if folder == self.path:
                    raise SourceError(f"{folder}: {_reason(error)}") from error
                yield Entry(str(folder), f"{below.as_posix()}/", error=_reason(error))
                continue
            for name, is_folder in names:
                if not is_folder:
                    yield self._entry(folder / name, (below / name).as_posix())
            folders += [folder / name for name, is_folder in reversed(names) if is_folder]

    def _entry(self, file: Path, below: str, *, named: bool = False) -> Entry:
        key = "/".join(filter(None, (self.destination.prefix.rstrip("/"), below)))
        try:
            key.encode()
            status = file.stat()
        except UnicodeError:
            return Entry(str(file), below, error="the name is not UTF-8")
        except OSError as error:
            return Entry(str(file), below, error=_reason(error))
        if stat.S_ISDIR(status.st_mode):
            return Entry(str(file), below, error="links to folders are not followed")
        if not stat.S_ISREG(status.st_mode):
            return Entry(str(file), below, error="not a regular file")
        return Entry(
            key=key,
            cursor=below,
            bucket=self.destination.bucket,
            size_bytes=status.st_size,
            modified=datetime.fromtimestamp(status.st_mtime, UTC),
            file=file,
            named=named,
        )


def _sort_key(cursor: str) -> list[tuple[bool, str]]:
    """Return a key for `FileSource`'s order: at each level, files come before folders."""
    *folders, name = cursor.split("/")
    return [(True, folder) for folder in folders] + ([(False, name)] if name else [])


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
