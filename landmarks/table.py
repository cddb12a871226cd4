"""The results table, as applications read it. Nothing is written here."""

from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from functools import reduce
from operator import and_
from typing import TypeVar

from pynamodb.expressions.condition import Condition
from pynamodb.pagination import ResultIterator

from landmarks.dynamodb import service_errors
from landmarks.errors import SeveralResultsError
from landmarks.item import LandmarkItem, bind_reader_item
from landmarks.listing import Listing
from landmarks.result import LandmarkResult


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
        self._item = bind_reader_item(table_name, region, endpoint_url)

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
    ) -> Generator[LandmarkResult, None, None]:
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

    def list(
        self,
        bucket: str,
        prefix: str = "",
        *,
        status: str | None = None,
        error_code: str | None = None,
        recursive: bool = False,
        limit: int | None = None,
    ) -> Listing:
        """The results of one directory, without their landmarks, in constant memory.

        With the index `by-prefix` (the template's parameter `PrefixIndex`) only that directory is
        read, and what was stored a moment ago may be missing. A table without it, and
        `recursive`, are read whole, and charged for, whatever is selected; the answer says so.

        Args:
            bucket: only of this bucket.
            prefix: `photos/2026/` is a directory's own objects, `photos/2026/IMG_1` those of
                them that begin so; without it, it is what lies in no directory.
            status: only with this status.
            error_code: only with this error code.
            recursive: everything that begins so, in whatever directory.
            limit: no more than so many.

        Returns:
            sorted by key if the index answers, else in no order; see its attributes.

        Raises:
            TableNotFoundError: there is no such table.
            AccessDeniedError: these credentials may not query the index, or scan the table.
            ServiceError: DynamoDB fails or can't be reached.
        """
        selection = self._condition(status, error_code=error_code)
        return Listing(self._item, bucket, prefix, selection, recursive=recursive, limit=limit)

    def _query(
        self, key: str, place: Condition | None, *, consistent: bool
    ) -> Iterator[LandmarkResult]:
        pages = _pages(lambda: self._item.query(key, place, consistent_read=consistent))
        return (result for page in pages for result in page)

    def _condition(
        self,
        status: str | None,
        bucket: str | None = None,
        prefix: str = "",
        error_code: str | None = None,
    ) -> Condition | None:
        item = self._item
        conditions = [
            *([] if status is None else [item.status == status]),
            *([] if error_code is None else [item.error_code == error_code]),
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
    with service_errors():
        for page in ask().page_iter:
            if on_page:
                on_page(page["ScannedCount"])
            results = map(LandmarkResult.from_attributes, page["Items"])
            yield [result for result in results if result is not None]


T = TypeVar("T")


def merge_pages(sources: Sequence[Iterator[Sequence[T]]]) -> Generator[T, None, None]:
    """What the sources' pages hold, in the order in which they arrive.

    While a page is given out, the next one of its source is fetched: at most two of each are in
    memory. Closing the generator waits for the pages that are under way, and asks for no more.

    Raises:
        Exception: whatever a source raises, once what came before it is given out.
    """
    with ThreadPoolExecutor(len(sources), thread_name_prefix="pages") as threads:
        waiting: dict[Future[Sequence[T] | None], Iterator[Sequence[T]]] = {
            threads.submit(next, source, None): source for source in sources
        }
        while waiting:
            for arrived in wait(waiting, return_when=FIRST_COMPLETED).done:
                source, page = waiting.pop(arrived), arrived.result()
                if page is not None:
                    waiting[threads.submit(next, source, None)] = source
                    yield from page
