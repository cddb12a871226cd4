"""Files of a folder on this machine, to be uploaded."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from worker.operations.enqueue.entries import Entry, Found, Refusal, SourceError
from worker.operations.enqueue.listing import S3Url


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
