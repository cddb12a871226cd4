"""Translates PynamoDB's errors into this project's own."""

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
    """Translate PynamoDB's errors.

    Raises:
        TableNotFoundError: the table does not exist.
        AccessDeniedError: the credentials are not sufficient.
        ServiceError: DynamoDB fails or can't be reached.
    """
    try:
        yield
    except PynamoDBException as error:
        raise _translate(error) from error


def fault_code(error: PynamoDBException) -> str | None:
    """Return DynamoDB's error code, or None if DynamoDB did not answer.

    PynamoDB's `cause_response_code` fails on connection errors.
    """
    cause = error.cause
    return cause.response["Error"]["Code"] if isinstance(cause, ClientError) else None


def lacks_index(error: PynamoDBException) -> bool:
    """Return whether the index does not exist or is still being backfilled.

    DynamoDB has no error code for either. It raises a ValidationException with the message "The
    table does not have the specified index: …" or "Cannot read from backfilling global secondary
    index: …"; Moto raises a ResourceNotFoundException, "Invalid index: …".
    """
    return fault_code(error) in _INDEX_CODES and "index" in str(error.cause)


def _translate(error: PynamoDBException) -> LandmarkError:
    code = fault_code(error)
    if code == _NOT_FOUND:
        return TableNotFoundError("no such table: check its name and the region")
    if code in _DENIED_CODES:
        return AccessDeniedError(f"DynamoDB denied access: {error.cause}")
    return ServiceError(f"DynamoDB: {error.cause or error}")
