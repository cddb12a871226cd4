"""The forms that an exported file may have; each is loaded when it is wanted."""

import json
from collections.abc import Sequence
from gzip import GzipFile
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from landmarks.groups import GROUPS
from landmarks.result import LandmarkResult

# By the ends of file names.
FORMATS: Final = ("parquet", "jsonl", "jsonl.gz")


class Writer(Protocol):
    """A form of the file."""

    def write(self, results: "Sequence[LandmarkResult]", /) -> None:
        """Take some more results."""
        ...

    def close(self) -> None:
        """Write what is left; the stream stays open."""
        ...


def format_of(file: Path) -> str | None:
    """The form that a file's name asks for; None if it asks for none that is known."""
    name = file.name.lower()
    return next((form for form in FORMATS if name.endswith(f".{form}")), None)


def open_writer(form: str, stream: BinaryIO, *, landmarks: bool) -> Writer:
    """Begin a file.

    Raises:
        ModuleNotFoundError: Parquet is wanted, and there is no pyarrow.
    """
    if form == "parquet":
        from landmarks.cli.export.parquet import ParquetWriter  # noqa: PLC0415, an extra

        return ParquetWriter(stream, landmarks=landmarks)
    from landmarks.cli.export.formats import JsonLinesWriter  # noqa: PLC0415, one of two

    return JsonLinesWriter(stream, landmarks=landmarks, compressed=form.endswith(".gz"))


_GROUPS: Final = frozenset(group.name for group in GROUPS)


_COMPRESSION: Final = 6  # gzip's own


class JsonLinesWriter:
    """A line is what `LandmarkResult.to_json` has: attributes by their names in the table."""

    def __init__(self, stream: BinaryIO, *, landmarks: bool, compressed: bool = False) -> None:
        """Write to `stream`, with or without landmarks; `compressed` by gzip."""
        self._landmarks = landmarks
        self._stream = (
            # No name and no time, so that the same results are the same bytes.
            GzipFile("", "wb", _COMPRESSION, stream, mtime=0) if compressed else stream
        )

    def write(self, results: Sequence[LandmarkResult]) -> None:
        """Write some more."""
        for result in results:
            values = result.to_json()
            if not self._landmarks:
                values = {name: value for name, value in values.items() if name not in _GROUPS}
            self._stream.write(f"{json.dumps(values)}\n".encode())

    def close(self) -> None:
        """Write what is left to be written; the stream stays open."""
        if isinstance(self._stream, GzipFile):
            self._stream.close()
