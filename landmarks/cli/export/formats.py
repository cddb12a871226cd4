"""Export formats, and the JSON Lines writer."""

import json
from collections.abc import Mapping, Sequence
from gzip import GzipFile
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol

from landmarks.groups import GROUPS
from landmarks.result import LandmarkResult

# File name suffixes.
FORMATS: Final = ("parquet", "jsonl", "jsonl.gz")

_GROUPS: Final = frozenset(group.name for group in GROUPS)
_GZIP_LEVEL: Final = 6


class Writer(Protocol):
    """Writes results to a stream."""

    def write(self, results: Sequence[LandmarkResult], /) -> None:
        """Write results, possibly buffered."""
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

    def write(self, results: Sequence[LandmarkResult]) -> None:
        """Write results."""
        for result in results:
            values = result.to_json()
            if not self._landmarks:
                values = _without_groups(values)
            self._stream.write(f"{json.dumps(values)}\n".encode())

    def close(self) -> None:
        """Finish the file and leave the stream open."""
        if isinstance(self._stream, GzipFile):
            self._stream.close()


def _without_groups(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a result's JSON without landmarks, also of other people."""
    kept = {name: value for name, value in values.items() if name not in _GROUPS}
    if others := kept.get("other_people"):
        kept["other_people"] = [_without_groups(person) for person in others]
    return kept
