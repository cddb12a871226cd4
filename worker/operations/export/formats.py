"""The forms that an exported file may have; each is loaded when it is wanted."""

from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.reading import LandmarkResult

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
        from worker.operations.export.parquet import ParquetWriter  # noqa: PLC0415, an extra

        return ParquetWriter(stream, landmarks=landmarks)
    from worker.operations.export.json_lines import JsonLinesWriter  # noqa: PLC0415, one of two

    return JsonLinesWriter(stream, landmarks=landmarks, compressed=form.endswith(".gz"))
