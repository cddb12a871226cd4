"""What DynamoDB's own errors say, behind PynamoDB's."""

from typing import Final

from botocore.exceptions import ClientError
from pynamodb.exceptions import PynamoDBException

DENIED_CODES: Final = frozenset(
    {"AccessDeniedException", "ExpiredTokenException", "UnrecognizedClientException"}
)


def fault_code(error: PynamoDBException) -> str | None:
    """DynamoDB's own code; None where there was no answer.

    PynamoDB's `cause_response_code` falls over an error of the connection.
    """
    cause = error.cause
    return cause.response["Error"]["Code"] if isinstance(cause, ClientError) else None
