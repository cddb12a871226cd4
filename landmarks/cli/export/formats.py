"""Export formats, and the writers of lines: JSON Lines and CSV."""

import json
from collections.abc import Mapping, Sequence
from gzip import GzipFile
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol

from landmarks.cli.export.coco import CocoWriter
from landmarks.cli.result_formats import CSV_COLUMNS, csv_lines, csv_rows
from landmarks.groups import GROUPS
from landmarks.item import KEYS
from landmarks.result import LandmarkResult

# File name suffixes, but that of COCO, which is .json like much else.
FORMATS: Final = ("parquet", "jsonl", "jsonl.gz", "csv", "coco")
# Which results a format of landmarks has no place for.
LEFT_OUT: Final = {"csv": "without landmarks", "coco": "that failed"}

_GROUPS: Final = frozenset(group.name for group in GROUPS)
_GZIP_LEVEL: Final = 6


class Writer(Protocol):
    """Writes results to a stream."""

    def write(self, results: Sequence[LandmarkResult], /) -> int:
        """Write results, possibly buffered, and return how many the format has a place for."""
        ...

    def close(self) -> None:
        """Finish the file and leave the stream open."""
        ...


def format_of(file: Path) -> str | None:
    """Return the format that a file name ends in, or None."""
    name = file.name.lower()
    return next((form for form in FORMATS if name.endswith(f".{form}")), None)


def open_writer(form: str, stream: BinaryIO, *, landmarks: bool) -> Writer:
    """Return a writer for one of `FORMATS`.

    Raises:
        ModuleNotFoundError: the format is Parquet and pyarrow is not installed.
    """
    if form == "csv":
        return CsvWriter(stream)
    if form == "coco":
        return CocoWriter(stream)
    if form == "parquet":
        from landmarks.cli.export.parquet import ParquetWriter  # noqa: PLC0415, an extra

        return ParquetWriter(stream, landmarks=landmarks)
    return JsonLinesWriter(stream, landmarks=landmarks, compressed=form.endswith(".gz"))


class JsonLinesWriter:
    """Writes the output of `LandmarkResult.to_json`, one line per result."""

    def __init__(self, stream: BinaryIO, *, landmarks: bool, compressed: bool = False) -> None:
        self._landmarks = landmarks
        self._stream = (
            # No name and no time, so that equal results give equal bytes.
            GzipFile("", "wb", _GZIP_LEVEL, stream, mtime=0) if compressed else stream
        )

    def write(self, results: Sequence[LandmarkResult]) -> int:
        """Write results."""
        for result in results:
            values = result.to_json()
            if not self._landmarks:
                values = _without_groups(values)
            self._stream.write(f"{json.dumps(values)}\n".encode())
        return len(results)

    def close(self) -> None:
        """Finish the file and leave the stream open."""
        if isinstance(self._stream, GzipFile):
            self._stream.close()


class CsvWriter:
    """Writes one row per landmark, and none for results without a person."""

    def __init__(self, stream: BinaryIO) -> None:
        """Write the names of the columns."""
        self._stream = stream
        self._stream.write(csv_lines([(*KEYS, *CSV_COLUMNS)]))

    def write(self, results: Sequence[LandmarkResult]) -> int:
        """Write results."""
        found = [result for result in results if result.people]
        for result in found:
            self._stream.write(csv_lines(csv_rows(result, result.key, result.bucket)))
        return len(found)

    def close(self) -> None:
        """Leave the stream open."""


def _without_groups(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a result's JSON without landmarks, also of other people."""
    kept = {name: value for name, value in values.items() if name not in _GROUPS}
    if others := kept.get("other_people"):
        kept["other_people"] = [_without_groups(person) for person in others]
    return kept
