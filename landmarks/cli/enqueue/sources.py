"""Where jobs come from: lines, folders, and what the command line names."""

import json
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from landmarks.cli.enqueue.entries import (
    Entry,
    Found,
    OrderError,
    Refusal,
    Source,
    SourceError,
)
from landmarks.cli.enqueue.s3_sources import SCHEME, InventorySource, S3Source, S3Url
from landmarks.errors import MessageError
from landmarks.job import decode_direct

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


# For the decoder, which wants a bucket; it is left out again.
_NO_BUCKET: Final = "worker-decides"


@dataclass(frozen=True)
class LineSource:
    """Lines: a literal key, `s3://bucket/key`, or a job as JSON. Empty ones are passed over.

    The cursor is the number of lines read, so that the same lines have to come again.
    """

    lines: Iterable[bytes] = field(repr=False)
    bucket: str | None = None
    dated: bool = False

    def entries(self, after: str) -> Iterator[Found]:
        """In the order they come."""
        done = int(after or 0)
        for number, line in enumerate(self.lines, 1):
            text = line.rstrip(b"\r\n")
            if number > done and text:
                yield self._entry(text, str(number))

    def _entry(self, line: bytes, cursor: str) -> Found:
        try:
            fields = self._fields(line.decode())
            job = decode_direct(fields, default_bucket=self.bucket or _NO_BUCKET)
        except (MessageError, OrderError, UnicodeError, json.JSONDecodeError) as error:
            return Refusal(line.decode(errors="replace"), f"line {cursor}: {error}", cursor)
        return Entry(
            key=job.key,
            cursor=cursor,
            bucket=job.bucket if fields.get("bucket") is not None else self.bucket,
            version_id=job.version_id,
            job_id=job.job_id,
            force=job.force,
        )

    def _fields(self, text: str) -> dict[str, object]:
        if text.startswith(SCHEME):
            url = S3Url.parse(text)
            return {"bucket": url.bucket, "key": url.key}
        if not text.startswith("{"):
            return {"key": text}
        fields = json.loads(text)
        return fields if isinstance(fields, dict) else {}


@dataclass(frozen=True)
class FolderSource:
    """All files below a folder; their keys are the destination and their path below it.

    The cursor is the number of files seen, so that the folder has to stay as it is. Links to
    files are followed, links to folders are not.
    """

    folder: Path
    destination: S3Url
    dated: bool = True

    def entries(self, after: str) -> Iterator[Found]:
        """Folder by folder, by name.

        Raises:
            SourceError: there is no such folder.
        """
        if not self.folder.is_dir():
            raise SourceError(f"{self.folder}: no such folder")
        done = int(after or 0)
        for number, file in enumerate(_files(self.folder), 1):
            if number > done:
                yield self._entry(file, str(number))

    def _entry(self, file: Path, cursor: str) -> Found:
        prefix = self.destination.key.rstrip("/")
        below = file.relative_to(self.folder).as_posix()
        try:
            below.encode()
            status = file.stat()
        except (OSError, UnicodeError) as error:
            return Refusal(repr(str(file)), str(error), cursor)
        return Entry(
            key=f"{prefix}/{below}" if prefix else below,
            cursor=cursor,
            bucket=self.destination.bucket,
            size_bytes=status.st_size,
            modified=datetime.fromtimestamp(status.st_mtime, UTC),
            file=file,
        )


def _files(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            yield Path(parent, name)


def open_source(
    text: str,
    s3: "S3Client | None",
    upload: str | None,
    bucket: str | None,
    *,
    inventory: bool,
) -> Source:
    """The source that is meant; nothing is read yet.

    Args:
        text: `-`, an S3 URL, or a folder.
        s3: reads what S3 URLs name; None if there are none.
        upload: S3 URL of where folders go.
        bucket: of lines that name none.
        inventory: an S3 URL is an inventory's manifest.

    Raises:
        OrderError: it is none of them.
    """
    if text == "-":
        return LineSource(sys.stdin.buffer, bucket)
    if upload:
        return FolderSource(Path(text), S3Url.parse(upload))
    url = S3Url.parse(text)
    if s3 is None:
        raise TypeError("an S3 URL needs a client")
    return InventorySource(s3, url) if inventory else S3Source(s3, url)
