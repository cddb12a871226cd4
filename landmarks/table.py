"""Read-only access to the results table."""

from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from functools import reduce
from itertools import islice
from operator import and_
from typing import Any, Final, TypeVar

from pynamodb.exceptions import PynamoDBException
from pynamodb.expressions.condition import Condition
from pynamodb.pagination import PageIterator, ResultIterator

from landmarks.dynamodb import lacks_index, service_errors
from landmarks.enums import DETECTED, FAILED, NOT_DETECTED
from landmarks.errors import PermanentError, SeveralResultsError, error_codes
from landmarks.item import (
    INDEX_ATTRIBUTES,
    KEYS,
    PREFIX_INDEX,
    SUMMARY_ATTRIBUTES,
    LandmarkItem,
    bind_item,
    prefix_of,
)
from landmarks.result import LandmarkResult, ResultSummary

_STATUSES: Final = (DETECTED, NOT_DETECTED, FAILED)

# DynamoDB's own limit.
_MAX_SEGMENTS: Final = 1_000_000

T = TypeVar("T")


class LandmarkTable:
    """Reads the results table. Thread-safe.

    Credentials, region and endpoint are found as boto3 finds them: environment, profile or role.

    Every method raises `TableNotFoundError`, `AccessDeniedError`, or `ServiceError` if DynamoDB
    fails or can't be reached. Methods that return an iterator raise them during iteration.
    """

    def __init__(
        self, table_name: str, region: str | None = None, endpoint_url: str | None = None
    ) -> None:
        """Bind to a table, without connecting.

        Args:
            table_name: the stack's output `ResultsTable`.
            region: AWS region (default: the environment's).
            endpoint_url: DynamoDB's endpoint, for tests (default: AWS's).
        """
        self._item = bind_item(
            table_name, for_reading=True, region=region, endpoint_url=endpoint_url
        )

    def get(
        self, key: str, bucket: str | None = None, *, consistent: bool = False
    ) -> LandmarkResult | None:
        """Return the result of one object, or None if there is none (yet), like `dict.get`.

        Args:
            key: the object's key.
            bucket: its bucket; only needed if several buckets have a result for this key.
            consistent: make a strongly consistent read, at twice the price.

        Raises:
            SeveralResultsError: no bucket was given, and several have a result; it lists them.
        """
        condition = None if bucket is None else self._item.bucket == bucket
        found = list(self._query(key, condition, consistent=consistent))
        if len(found) > 1:
            raise SeveralResultsError(key, [result.bucket for result in found])
        return found[0] if found else None

    def query(self, key: str, *, consistent: bool = False) -> Iterator[LandmarkResult]:
        """Return the results of all objects with this key, sorted by bucket."""
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
        """Return all matching results, in no particular order and in constant memory.

        DynamoDB reads and charges for the whole table, regardless of the filters.

        Args:
            segments: how many parts of the table to read in parallel.
            status: "detected", "not_detected" or "failed".
            bucket: only results in this bucket.
            prefix: only keys that begin with this prefix.
            on_page: called for each of DynamoDB's pages with the number of items read, before
                filtering; from up to `segments` threads at once.

        Raises:
            ValueError: `status` or `segments` is invalid.
        """
        if not 1 <= segments <= _MAX_SEGMENTS:
            raise ValueError(f"segments={segments}: expected 1 to {_MAX_SEGMENTS:,}")
        condition = self._condition(status, bucket=bucket, prefix=prefix)

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
    ) -> "Listing":
        """Return the results of one folder, without their landmarks, in constant memory.

        With the index `by-prefix` (template parameter `PrefixIndex`), DynamoDB reads only that
        folder, and results stored a moment ago may be missing. Without the index, or with
        `recursive`, it reads and charges for the whole table, regardless of the filters.
        `Listing.by_index` says which.

        Args:
            bucket: the bucket.
            prefix: `photos/2026/` for the objects directly in that folder, `photos/2026/IMG_1` for
                those among them that begin with `IMG_1`, "" for objects outside any folder.
            status: "detected", "not_detected" or "failed".
            error_code: an error code from `landmarks.errors`, such as "NOT_AN_IMAGE".
            recursive: include all keys that begin with the prefix, in any folder.
            limit: maximum number of results.

        Raises:
            ValueError: `status`, `error_code` or `limit` is invalid.
        """
        if limit is not None and limit < 0:
            raise ValueError(f"limit={limit}: expected 0 or more")
        selection = self._condition(status, error_code=error_code)
        return Listing(self._item, bucket, prefix, selection, recursive=recursive, limit=limit)

    def _query(
        self, key: str, condition: Condition | None, *, consistent: bool
    ) -> Iterator[LandmarkResult]:
        pages = _pages(lambda: self._item.query(key, condition, consistent_read=consistent))
        return (result for page in pages for result in page)

    def _condition(
        self,
        status: str | None,
        *,
        bucket: str | None = None,
        prefix: str = "",
        error_code: str | None = None,
    ) -> Condition | None:
        _require("status", status, _STATUSES)
        _require("error_code", error_code, error_codes(PermanentError))
        item = self._item
        conditions = [
            *([] if status is None else [item.status == status]),
            *([] if error_code is None else [item.error_code == error_code]),
            *([] if bucket is None else [item.bucket == bucket]),
            *([item.object_key.startswith(prefix)] if prefix else []),
        ]
        return reduce(and_, conditions) if conditions else None

    def _connect(self) -> None:
        """Create the client now; otherwise each thread would create its own."""
        _ = self._item._get_connection().connection.client  # noqa: SLF001, no public API


class Listing(Iterator[ResultSummary]):
    """Results below a prefix, read lazily. Can be iterated over only once.

    Attributes:
        by_index: whether the results come from the index, sorted by key. Otherwise the whole table
            is read, in no particular order. False until the first result is read.
        subfolders: the folders directly below that contain selected results, as far as the table
            was read. The index does not know them: see `find_subfolders`.
    """

    def __init__(
        self,
        item: type[LandmarkItem],
        bucket: str,
        prefix: str,
        selection: Condition | None,
        *,
        recursive: bool,
        limit: int | None,
    ) -> None:
        self.by_index = False
        self.subfolders: set[str] = set()
        self._item, self._selection, self._limit = item, selection, limit
        self._bucket, self._prefix, self._recursive = bucket, prefix, recursive
        self._pages: PageIterator[Any] | None = None
        self._found = islice(self._read(), limit)

    def __next__(self) -> ResultSummary:
        """Return the next result, or raise the errors of `LandmarkTable`."""
        return next(self._found)

    @property
    def items_read(self) -> int:
        """How many items DynamoDB has read and charged for so far, before filtering."""
        return self._pages.total_scanned_count if self._pages else 0

    def find_subfolders(self) -> int:
        """Read the whole index for `subfolders`, and return how many entries that were.

        An entry is less than a tenth of an item. Raises the errors of `LandmarkTable`.
        """
        folder, entries = prefix_of(self._bucket, self._prefix), self._scan(PREFIX_INDEX)
        with service_errors():
            for page in entries:
                for attributes in page["Items"]:
                    self._sort(folder, ResultSummary.from_attributes(attributes))
        return entries.total_scanned_count

    def _read(self) -> Iterator[ResultSummary]:
        folder = prefix_of(self._bucket, self._prefix)
        with service_errors():
            for page in self._index_or_table(folder):
                for attributes in page["Items"]:
                    summary = ResultSummary.from_attributes(attributes)
                    if summary and self._sort(folder, summary):
                        yield summary

    def _sort(self, folder: str, summary: ResultSummary | None) -> bool:
        """Return whether a result is to be listed, or note its subfolder."""
        if summary is None or self._recursive or summary.prefix == folder:
            return summary is not None
        below = summary.prefix.removeprefix(folder).partition("/")[0]
        self.subfolders.add(f"{below}/")
        return False

    def _index_or_table(self, folder: str) -> Iterator[Any]:
        if not self._recursive:
            self._pages = self._query(folder)
            try:
                first = next(self._pages)
            except PynamoDBException as error:
                if not lacks_index(error):
                    raise
            else:
                self.by_index = True
                yield first
                yield from self._pages
                return
        self._pages = self._scan()
        yield from self._pages

    def _query(self, folder: str) -> PageIterator[Any]:
        return self._item.query(
            folder,
            self._item.object_key.startswith(self._prefix) if self._prefix else None,
            self._selection,
            index_name=PREFIX_INDEX,
            # DynamoDB applies the limit before the filter, so a page might be empty.
            page_size=self._limit if self._selection is None else None,
        ).page_iter

    def _scan(self, index: str | None = None) -> PageIterator[Any]:
        condition = self._item.bucket == self._bucket
        if self._prefix:
            condition &= self._item.object_key.startswith(self._prefix)
        if self._selection is not None:
            condition &= self._selection
        attributes = [*KEYS, *(INDEX_ATTRIBUTES if index else SUMMARY_ATTRIBUTES)]
        return self._item.scan(condition, attributes_to_get=attributes, index_name=index).page_iter


def _require(name: str, value: str | None, allowed: Sequence[str]) -> None:
    if value is not None and value not in allowed:
        raise ValueError(f"{name}={value!r}: expected one of {', '.join(allowed)}")


def _pages(
    ask: Callable[[], ResultIterator[LandmarkItem]], on_page: Callable[[int], None] | None = None
) -> Iterator[list[LandmarkResult]]:
    """Yield DynamoDB's pages of up to 1 MB, skipping items that are not results."""
    with service_errors():
        for page in ask().page_iter:
            if on_page:
                on_page(page["ScannedCount"])
            results = map(LandmarkResult.from_attributes, page["Items"])
            yield [result for result in results if result is not None]


def merge_pages(sources: Sequence[Iterator[Sequence[T]]]) -> Generator[T, None, None]:
    """Yield the items of all sources' pages, in the order in which the pages arrive.

    While a page is consumed, the source's next page is fetched, so at most two pages per source
    are in memory. Closing the generator waits for pages being fetched and fetches no more.

    Raises:
        Exception: an error from a source, after all items fetched before it.
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
