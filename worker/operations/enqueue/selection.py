"""Which of the entries are wanted."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from worker.operations.enqueue.entries import Entry

IMAGE_SUFFIXES: Final = (".jpg", ".jpeg", ".png", ".webp")

_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DURATION: Final = re.compile(r"([0-9]{1,6})([mhdw])")


@dataclass(frozen=True, slots=True)
class Selection:
    """What an entry has to be like.

    Attributes:
        suffixes: of its key, in lower case; none of them allows every key.
        since: it is not older; with time zone.
    """

    suffixes: tuple[str, ...] = IMAGE_SUFFIXES
    since: datetime | None = None

    def wants(self, entry: Entry) -> bool:
        """Tell whether to send it."""
        if entry.named:
            return True
        if self.suffixes and not entry.key.lower().endswith(self.suffixes):
            return False
        # A source that knows no dates is refused before; a single undated row is let through.
        return not (self.since and entry.modified and entry.modified < self.since)


def suffixes_of(texts: Sequence[str]) -> tuple[str, ...]:
    """Suffixes as people write them: `jpg` is `.jpg`, and `_final.jpg` is itself."""
    return tuple(text.lower() if "." in text else f".{text.lower()}" for text in texts)


def moment_of(text: str, now: datetime) -> datetime:
    """A date, a moment, or a duration before `now` (`30m`, `12h`, `7d`, `2w`).

    Raises:
        ValueError: it is none of them.
    """
    if duration := _DURATION.fullmatch(text):
        return now - timedelta(**{_UNITS[duration[2]]: int(duration[1])})
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
