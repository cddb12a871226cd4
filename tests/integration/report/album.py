"""Results as the worker stores them, with chosen dates and durations, and their photos."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from landmarks.errors import ImageError
from landmarks.item import LandmarkItem
from landmarks.job import Job
from landmarks.result import LandmarkResult
from landmarks.table import LandmarkTable
from tests.fakes import Cloud, Version, seen_person
from worker.model import ModelOptions
from worker.result import Detection, ObjectIdentity, Result
from worker.table import ResultsTable

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)

# Each would run a script, or look like something else, if it were not treated as text.
HOSTILE_KEYS = (
    "</script><script>window.harmed = 1</script>.jpg",
    "<img src=x onerror='window.harmed = 1'>.jpg",
    "<!-- <script>.jpg",
    "line\u2028and paragraph\u2029.jpg",
    "photo\u202egpj.exe",
    "two\nlines\tand a tab.jpg",
    "👩‍👩‍👧 & \"double\" 'single' `back` ${x}.jpg",
    "javascript:window.harmed = 1",
    "1+1=2 & 100% of %41?#key=b.jpg",
    "ends with a slash/",
)

UNKNOWN = Version(etag="feed", version_id=None)


@dataclass(frozen=True)
class Album:
    """Fills a stack's bucket and table."""

    cloud: Cloud

    def photo(self, key: str, content: bytes) -> Version:
        """Upload a photo."""
        return self.cloud.put(key, content)

    def add(self, key: str, outcome: Detection | ImageError | None = None, **more: Any) -> None:  # noqa: ANN401, of several types
        """Store a result, by default a person with every group; keywords are those of `item`."""
        self.item(key, outcome, **more).save()

    def item(
        self,
        key: str,
        outcome: Detection | ImageError | None = None,
        *,
        version: Version = UNKNOWN,
        minutes_ago: float = 1,
        total_ms: int = 100,
        bucket: str | None = None,
        model: ModelOptions | None = None,
    ) -> LandmarkItem:
        """A result to store."""
        table = ResultsTable(self.cloud.stack.table, model or ModelOptions())
        item = table.build(
            Result(
                job=Job(bucket or self.cloud.stack.bucket, key, job_id="order-7"),
                identity=ObjectIdentity(version.etag, NOW, 4711, version_id=version.version_id),
                outcome=outcome or seen_person(),
                fetch_ms=5,
                detect_ms=total_ms - 5,
                total_ms=total_ms,
            )
        )
        processed_at = NOW - timedelta(minutes=minutes_ago)
        item.processed_at = processed_at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return item

    def add_all(self, items: Iterable[LandmarkItem]) -> None:
        """Store many results."""
        waiting = list(items)
        with type(waiting[0]).batch_write() as batch:
            for item in waiting:
                batch.save(item)

    def result(self, key: str) -> LandmarkResult:
        """The result as applications read it."""
        result = LandmarkTable(self.cloud.stack.table).get(key)
        assert result is not None
        return result
