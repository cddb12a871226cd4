"""What goes wrong with reading, under names of ours."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from pynamodb.exceptions import PynamoDBException

from worker.errors import AccessDeniedError, LandmarkError, ServiceError
from worker.results.faults import DENIED_CODES, fault_code

_NOT_FOUND: Final = "ResourceNotFoundException"
_INDEX_CODES: Final = frozenset({"ValidationException", _NOT_FOUND})


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


@contextmanager
def service_errors() -> Iterator[None]:
    """PynamoDB's errors as ours.

    Raises:
        TableNotFoundError: there is no such table.
        AccessDeniedError: these credentials may not read it.
        ServiceError: DynamoDB fails or can't be reached.
    """
    try:
        yield
    except PynamoDBException as error:
        raise _as_ours(error) from error


def lacks_index(error: PynamoDBException) -> bool:
    """Whether the table has no such index, or is still filling it.

    A ValidationException, "The table does not have the specified index: …" or "Cannot read from
    backfilling global secondary index: …"; moto's is a ResourceNotFoundException, "Invalid
    index: …". None has a code of its own.
    """
    return fault_code(error) in _INDEX_CODES and "index" in str(error.cause)


def _as_ours(error: PynamoDBException) -> LandmarkError:
    code = fault_code(error)
    if code == _NOT_FOUND:
        return TableNotFoundError("there is no such table: check its name and the region")
    if code in DENIED_CODES:
        return AccessDeniedError(f"DynamoDB refuses: {error.cause}")
    return ServiceError(f"DynamoDB: {error.cause or error}")
