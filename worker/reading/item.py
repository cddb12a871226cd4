"""The table's item as readers have it: with the index by folder, and with time to wait."""

from typing import Any, Final

from pynamodb.attributes import UnicodeAttribute
from pynamodb.indexes import GlobalSecondaryIndex, IncludeProjection

from worker.reading.summary import SUMMARY_ATTRIBUTES
from worker.results.item import LandmarkItem, bind_item

PREFIX_INDEX: Final = "by-prefix"

# The worker has to answer in seconds; a reader may be far away, and has time.
_CONNECT_TIMEOUT_SECONDS: Final = 5
_READ_TIMEOUT_SECONDS: Final = 20
_RETRIES: Final = 5


class PrefixIndex(GlobalSecondaryIndex[LandmarkItem]):  # type: ignore[no-untyped-call]
    """The summaries of a directory, in the order of their keys."""

    class Meta:
        """How DynamoDB knows it."""

        index_name = PREFIX_INDEX
        projection = IncludeProjection(list(SUMMARY_ATTRIBUTES))

    prefix = UnicodeAttribute(hash_key=True)
    object_key = UnicodeAttribute(range_key=True)


def bind_reader_item(
    table_name: str, region: str | None = None, endpoint_url: str | None = None
) -> type[LandmarkItem]:
    """The item class of one table, which may have the index, or not.

    Args:
        table_name: the table.
        region: another one than the environment's.
        endpoint_url: another DynamoDB than the environment's.
    """
    bound = bind_item(table_name)
    item: type[LandmarkItem] = type(bound.__name__, (bound,), {"by_prefix": PrefixIndex()})
    meta: Any = item.Meta
    meta.region, meta.host = region, endpoint_url
    meta.connect_timeout_seconds = _CONNECT_TIMEOUT_SECONDS
    meta.read_timeout_seconds = _READ_TIMEOUT_SECONDS
    meta.max_retry_attempts = _RETRIES
    return item
