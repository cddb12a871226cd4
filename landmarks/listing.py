"""Results below a prefix, by the table's index or, where that can't answer, by a scan."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from pynamodb.exceptions import PynamoDBException
from pynamodb.expressions.condition import Condition
from pynamodb.pagination import PageIterator

from landmarks.dynamodb import lacks_index, service_errors
from landmarks.item import KEYS, PREFIX_INDEX, SUMMARY_ATTRIBUTES, LandmarkItem, prefix_of
from landmarks.summary import ResultSummary


class Listing(Iterator[ResultSummary]):
    """Results below a prefix, read as they are asked for; to be gone through once.

    Attributes:
        by_index: whether they are the index's, and sorted by key. If not, the whole table is
            read, and they come in no order. False until the first one was asked for.
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
        """Nothing is read yet.

        Args:
            item: of a table that may have the index, or not.
            bucket: only of this bucket.
            prefix: only keys that begin so.
            selection: what else has to be true of them.
            recursive: or only those that lie in the same directory as the prefix.
            limit: no more than so many.
        """
        self.by_index = False
        self._item, self._selection, self._limit = item, selection, limit
        self._bucket, self._prefix, self._recursive = bucket, prefix, recursive
        self._pages: PageIterator[Any] | None = None
        self._found = islice(self._read(), limit)

    def __next__(self) -> ResultSummary:
        """The next one.

        Raises:
            TableNotFoundError: there is no such table.
            AccessDeniedError: these credentials may not query the index, or scan the table.
            ServiceError: DynamoDB fails or can't be reached.
        """
        return next(self._found)

    @property
    def items_read(self) -> int:
        """How many items DynamoDB has read so far, and charged for: selected ones or not."""
        return self._pages.total_scanned_count if self._pages else 0

    def _read(self) -> Iterator[ResultSummary]:
        directory = prefix_of(self._bucket, self._prefix)
        with service_errors():
            for page in self._index_or_table(directory):
                for attributes in page["Items"]:
                    summary = ResultSummary.from_attributes(attributes)
                    if summary and (self._recursive or summary.prefix == directory):
                        yield summary

    def _index_or_table(self, directory: str) -> Iterator[Any]:
        if not self._recursive:
            self._pages = self._query(directory)
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

    def _query(self, directory: str) -> PageIterator[Any]:
        return self._item.query(
            directory,
            self._item.object_key.startswith(self._prefix) if self._prefix else None,
            self._selection,
            index_name=PREFIX_INDEX,
            # Where there is a selection, a page of so many may hold none of them.
            page_size=self._limit if self._selection is None else None,
        ).page_iter

    def _scan(self) -> PageIterator[Any]:
        condition = self._item.bucket == self._bucket
        if self._prefix:
            condition &= self._item.object_key.startswith(self._prefix)
        if self._selection is not None:
            condition &= self._selection
        return self._item.scan(condition, attributes_to_get=[*KEYS, *SUMMARY_ATTRIBUTES]).page_iter
