"""Complete results with landmarks, saved by the worker's own code without running a worker."""

from datetime import UTC, datetime

from landmarks.errors import ImageError
from landmarks.job import Job
from tests.fakes import Cloud, Version, seen_person
from worker.model import ModelOptions
from worker.result import Detection, ObjectIdentity, Result
from worker.table import ResultsTable

_MODIFIED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
_NO_VERSION = Version("feed", None)


def save_result(
    cloud: Cloud,
    key: str,
    outcome: Detection | ImageError | None = None,
    *,
    bucket: str | None = None,
    version: Version = _NO_VERSION,
    size_bytes: int = 4711,
    max_people: int = 1,
) -> None:
    """Store a result; by default, of a person with all groups."""
    result = Result(
        job=Job(bucket or cloud.stack.bucket, key, job_id="order-7"),
        identity=ObjectIdentity(version.etag, _MODIFIED, size_bytes, version.version_id),
        outcome=outcome or seen_person(),
        fetch_ms=12,
        detect_ms=34,
        total_ms=56,
    )
    assert ResultsTable(cloud.stack.table, ModelOptions(max_people=max_people)).save(result)
