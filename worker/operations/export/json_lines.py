"""JSON Lines: a result a line."""

import json
from collections.abc import Sequence
from gzip import GzipFile
from typing import BinaryIO, Final

from worker.landmarks import GROUPS
from worker.reading import LandmarkResult

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
