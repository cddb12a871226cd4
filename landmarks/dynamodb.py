"""PynamoDB's errors as ours, for everything that reads or writes the table."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from botocore.exceptions import ClientError
from pynamodb.exceptions import PynamoDBException

from landmarks.errors import AccessDeniedError, LandmarkError, ServiceError, TableNotFoundError

_NOT_FOUND: Final = "ResourceNotFoundException"
_INDEX_CODES: Final = {"ValidationException", _NOT_FOUND}
_DENIED_CODES: Final = {
    "AccessDeniedException",
    "ExpiredTokenException",
    "UnrecognizedClientException",
}


@contextmanager
def service_errors() -> Iterator[None]:
    """Raise PynamoDB's errors as ours.

    Raises:
        TableNotFoundError: there is no such table.
        AccessDeniedError: these credentials may not do this.
        ServiceError: DynamoDB fails or can't be reached.
    """
    try:
        yield
    except PynamoDBException as error:
        raise _translate(error) from error


def fault_code(error: PynamoDBException) -> str | None:
    """DynamoDB's own code, or None if DynamoDB did not answer.

    PynamoDB's `cause_response_code` fails on errors of the connection.
    """
    cause = error.cause
    return cause.response["Error"]["Code"] if isinstance(cause, ClientError) else None


def lacks_index(error: PynamoDBException) -> bool:
    """Whether the table has no such index, or is still filling it.

    DynamoDB has no code for either, only a ValidationException: "The table does not have the
    specified index: …" or "Cannot read from backfilling global secondary index: …". Moto raises a
    ResourceNotFoundException, "Invalid index: …".
    """
    return fault_code(error) in _INDEX_CODES and "index" in str(error.cause)


def _translate(error: PynamoDBException) -> LandmarkError:
    code = fault_code(error)
    if code == _NOT_FOUND:
        return TableNotFoundError("there is no such table: check its name and the region")
    if code in _DENIED_CODES:
        return AccessDeniedError(f"DynamoDB refuses: {error.cause}")
    return ServiceError(f"DynamoDB: {error.cause or error}")
