"""The results table, as applications read it. Nothing is written here."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import reduce
from operator import and_
from typing import Any, Final

from pynamodb.exceptions import PynamoDBException
from pynamodb.expressions.condition import Condition
from pynamodb.pagination import ResultIterator

from worker.errors import AccessDeniedError, LandmarkError, ServiceError
from worker.reading.pages import merge_pages
from worker.reading.result import LandmarkResult
from worker.results.faults import DENIED_CODES, fault_code
from worker.results.item import LandmarkItem, bind_item

# The worker has to answer in seconds; an application may be far away, and has time.
_CONNECT_TIMEOUT_SECONDS: Final = 5
_READ_TIMEOUT_SECONDS: Final = 20
_RETRIES: Final = 5


class SeveralResultsError(LandmarkError):
    """Raised when several buckets have an object of this key, and none was named."""

    code = "SEVERAL_RESULTS"

    def __init__(self, key: str, buckets: Sequence[str]) -> None:
        """Name the buckets, to choose from."""
        super().__init__(f"{key!r} is in several buckets, name one: {', '.join(buckets)}")
        self.key = key
        self.buckets = tuple(buckets)


class TableNotFoundError(LandmarkError):
    """Raised when there is no such table in this account and region."""

    code = "TABLE_NOT_FOUND"


class LandmarkTable:
    """The results table. May be used by many threads at once.

    Credentials, region and endpoint come from where boto3 has them: environment, profile, role.
    """

    def __init__(
        self, table_name: str, region: str | None = None, endpoint_url: str | None = None
    ) -> None:
        """Nothing is asked yet.

        Args:
            table_name: the stack's output `ResultsTable`.
            region: another one than the environment's.
            endpoint_url: another DynamoDB than AWS's, for tests.
        """
        self._item = bind_item(table_name)
        meta: Any = self._item.Meta
        meta.region, meta.host = region, endpoint_url
        meta.connect_timeout_seconds = _CONNECT_TIMEOUT_SECONDS
        meta.read_timeout_seconds = _READ_TIMEOUT_SECONDS
        meta.max_retry_attempts = _RETRIES

    def get(
        self, key: str, bucket: str | None = None, *, consistent: bool = False
    ) -> LandmarkResult | None:
        """The result of one object.

        Args:
            key: the object's key.
            bucket: its bucket; needed only where several have an object of this key.
            consistent: see every write that was answered before, for twice the price.

        Returns:
            None if there is none (yet), like `dict.get`.

        Raises:
            SeveralResultsError: no bucket was named, and several have results; it names them.
            TableNotFoundError: there is no such table.
            AccessDeniedError: these credentials may not query it.
            ServiceError: DynamoDB fails or can't be reached.
        """
        place = None if bucket is None else self._item.bucket == bucket
        found = list(self._query(key, place, consistent=consistent))
        if len(found) > 1:
            raise SeveralResultsError(key, [result.bucket for result in found])
        return found[0] if found else None

    def query(self, key: str, *, consistent: bool = False) -> Iterator[LandmarkResult]:
        """The results of all objects of this key, by bucket.

        Raises:
            TableNotFoundError: there is no such table.
            AccessDeniedError: these credentials may not query it.
            ServiceError: DynamoDB fails or can't be reached.
        """
        return self._query(key, None, consistent=consistent)

    def scan(
        self,
        *,
        segments: int = 1,
        status: str | None = None,
        bucket: str | None = None,
        prefix: str = "",
        on_page: Callable[[int], None] | None = None,
    ) -> Iterator[LandmarkResult]:
        """All results, or some of them, in no order, in constant memory.

        DynamoDB reads the whole table for it, and charges for that, whatever is selected.

        Args:
            segments: read so many parts of the table at the same time.
            status: only with this status.
            bucket: only of this bucket.
            prefix: only keys that begin so.
            on_page: told how many items each of DynamoDB's pages took to read, selected or not;
                by as many threads as there are segments.

        Raises:
            TableNotFoundError: there is no such table.
            AccessDeniedError: these credentials may not scan it.
            ServiceError: DynamoDB fails or can't be reached.
        """
        condition = self._condition(status, bucket, prefix)

        def part(number: int) -> Iterator[list[LandmarkResult]]:
            return _pages(
                lambda: self._item.scan(condition, segment=number, total_segments=segments),
                on_page,
            )

        self._connect()
        return merge_pages([part(number) for number in range(segments)])

    def _query(
        self, key: str, place: Condition | None, *, consistent: bool
    ) -> Iterator[LandmarkResult]:
        pages = _pages(lambda: self._item.query(key, place, consistent_read=consistent))
        return (result for page in pages for result in page)

    def _condition(self, status: str | None, bucket: str | None, prefix: str) -> Condition | None:
        item = self._item
        conditions = [
            *([] if status is None else [item.status == status]),
            *([] if bucket is None else [item.bucket == bucket]),
            *([item.object_key.startswith(prefix)] if prefix else []),
        ]
        return reduce(and_, conditions) if conditions else None

    def _connect(self) -> None:
        """Build the client now: threads that met a cold one would each build their own."""
        _ = self._item._get_connection().connection.client  # noqa: SLF001, no public way


def _pages(
    ask: Callable[[], ResultIterator[LandmarkItem]], on_page: Callable[[int], None] | None = None
) -> Iterator[list[LandmarkResult]]:
    """DynamoDB's pages of up to 1 MB, without the items that are not the worker's."""
    with _service_errors():
        for page in ask().page_iter:
            if on_page:
                on_page(page["ScannedCount"])
            results = map(LandmarkResult.from_attributes, page["Items"])
            yield [result for result in results if result is not None]


@contextmanager
def _service_errors() -> Iterator[None]:
    """PynamoDB's errors as ours."""
    try:
        yield
    except PynamoDBException as error:
        raise _as_ours(error) from error


def _as_ours(error: PynamoDBException) -> LandmarkError:
    code = fault_code(error)
    if code == "ResourceNotFoundException":
        return TableNotFoundError("there is no such table: check its name and the region")
    if code in DENIED_CODES:
        return AccessDeniedError(f"DynamoDB refuses: {error.cause}")
    return ServiceError(f"DynamoDB: {error.cause or error}")
