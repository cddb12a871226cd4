"""DynamoDB's errors, behind PynamoDB's, under our names."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from botocore.exceptions import ClientError
from pynamodb.exceptions import PynamoDBException

from landmarks.errors import AccessDeniedError, LandmarkError, ServiceError, TableNotFoundError

DENIED_CODES: Final = frozenset(
    {"AccessDeniedException", "ExpiredTokenException", "UnrecognizedClientException"}
)


def fault_code(error: PynamoDBException) -> str | None:
    """DynamoDB's own code; None where there was no answer.

    PynamoDB's `cause_response_code` falls over an error of the connection.
    """
    cause = error.cause
    return cause.response["Error"]["Code"] if isinstance(cause, ClientError) else None


_NOT_FOUND: Final = "ResourceNotFoundException"


_INDEX_CODES: Final = frozenset({"ValidationException", _NOT_FOUND})


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
