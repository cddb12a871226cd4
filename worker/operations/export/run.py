"""Table → file, in constant memory."""

import threading
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from io import RawIOBase
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO, Final, cast

from worker.operations.export.formats import open_writer
from worker.reading import LandmarkResult, LandmarkTable

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_BATCH: Final = 100


@dataclass(frozen=True, slots=True)
class Selection:
    """Which results.

    Attributes:
        bucket: only of this bucket.
        prefix: only keys that begin so.
        status: only with this status.
        landmarks: whether with their landmarks.
    """

    bucket: str | None = None
    prefix: str = ""
    status: str | None = None
    landmarks: bool = True


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written.

    Attributes:
        results: how many.
        bytes: of the file.
        items_read: how many items DynamoDB has read for it, and charged for.
    """

    results: int
    bytes: int
    items_read: int


class Export:
    """An export that runs, or has run.

    Attributes:
        results: how many have been handed to the file so far.
    """

    def __init__(
        self, table: str, selection: Selection, on_progress: Callable[[int], None]
    ) -> None:
        """Read nothing yet.

        Args:
            table: name of the results table.
            selection: which results.
            on_progress: told how many items were read so far, page by page, by one thread at a
                time.
        """
        self.results = 0
        self._table = LandmarkTable(table)
        self._selection = selection
        self._on_progress = on_progress
        self._items_read = 0
        self._lock = threading.Lock()

    def run(self, stream: BinaryIO, form: str, segments: int) -> Exported:
        """Write a whole file.

        Args:
            stream: where to; it stays open.
            form: one of `formats.FORMATS`.
            segments: how many parts of the table are read at once.

        Raises:
            ModuleNotFoundError: Parquet is wanted, and there is no pyarrow.
            LandmarkError: the table can't be read.
            OSError: the file can't be written.
        """
        counted = _CountedStream(stream)
        output = cast("BinaryIO", counted)
        with (
            closing(open_writer(form, output, landmarks=self._selection.landmarks)) as writer,
            closing(self._scan(segments)) as found,
        ):
            while batch := list(islice(found, _BATCH)):
                writer.write(batch)
                self.results += len(batch)
        return Exported(self.results, counted.tell(), self._items_read)

    def _scan(self, segments: int) -> Generator[LandmarkResult, None, None]:
        wanted = self._selection
        return self._table.scan(
            segments=segments,
            status=wanted.status,
            bucket=wanted.bucket,
            prefix=wanted.prefix,
            on_page=self._count,
        )

    def _count(self, items: int) -> None:
        with self._lock:
            self._items_read += items
            self._on_progress(self._items_read)


class _CountedStream(RawIOBase):
    """Knows how much was written, also where that can't be asked: into a pipe."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._bytes = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._bytes

    def write(self, content: "ReadableBuffer", /) -> int:
        size = memoryview(content).nbytes
        self._stream.write(content)
        self._bytes += size
        return size
