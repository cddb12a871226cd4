"""What the results table holds, found by a scan that keeps nothing of it in memory."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from pynamodb.expressions.condition import Condition

from worker.operations.enqueue.entries import Entry
from worker.reading.item import bind_reader_item
from worker.results.item import LandmarkItem
from worker.results.result import FAILED

_ATTRIBUTES: Final = ["object_key", "bucket", "job_id", "error_code"]

# What is in memory at a time. DynamoDB's own pages end at 1 MB, 130 items with landmarks.
_PAGE: Final = 500


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object that the table has a result for.

    Attributes:
        bucket: its bucket.
        key: its key.
        job_id: the producer's name for the job; None if there was none.
        error_code: why there are no landmarks; None if there are.
    """

    bucket: str
    key: str
    job_id: str | None
    error_code: str | None


class StoredObjects:
    """Some of the table's objects, to be gone through once; a source of jobs.

    Attributes:
        dated: no, a result knows its own date only.
    """

    dated: Final = False

    def __init__(self, item: type[LandmarkItem], condition: Condition) -> None:
        """Select by a condition; nothing is read yet."""
        self._found = item.scan(condition, attributes_to_get=_ATTRIBUTES, page_size=_PAGE)

    def __iter__(self) -> Iterator[StoredObject]:
        """Read the table page by page.

        Raises:
            PynamoDBException: DynamoDB can't be asked.
        """
        for item in self._found:
            yield StoredObject(
                bucket=item.bucket,
                key=item.object_key,
                job_id=item.job_id,
                error_code=item.error_code,
            )

    def entries(self, after: str) -> Iterator[Entry]:
        """What makes jobs of them. DynamoDB's order is nobody's, so none of them has a cursor."""
        if after:
            raise ValueError("there is no way back into the table")
        for found in self:
            yield Entry(key=found.key, cursor="", bucket=found.bucket, job_id=found.job_id)

    @property
    def items_read(self) -> int:
        """How many items DynamoDB has read so far, and charged for: selected ones or not."""
        return self._found.page_iter.total_scanned_count


def failed_objects(
    table: str, *, bucket: str | None = None, prefix: str = "", code: str | None = None
) -> StoredObjects:
    """What is stored as `failed`.

    Args:
        table: name of the results table.
        bucket: only of this bucket.
        prefix: only keys that begin so.
        code: only with this error code.
    """
    item = bind_reader_item(table)
    condition = item.status == FAILED
    if code is not None:
        condition &= item.error_code == code
    return StoredObjects(item, condition & _placed(item, bucket, prefix))


def outdated_objects(table: str, *, bucket: str, prefix: str, options_hash: str) -> StoredObjects:
    """What is stored under other options than those of `options_hash`.

    Args:
        table: name of the results table.
        bucket: only of this bucket.
        prefix: only keys that begin so.
        options_hash: the current one.
    """
    item = bind_reader_item(table)
    return StoredObjects(item, (item.options_hash != options_hash) & _placed(item, bucket, prefix))


def _placed(item: type[LandmarkItem], bucket: str | None, prefix: str) -> Any:  # noqa: ANN401, PynamoDB's None is no condition
    condition: Any = item.object_key.exists()
    if bucket is not None:
        condition &= item.bucket == bucket
    if prefix:
        condition &= item.object_key.startswith(prefix)
    return condition
