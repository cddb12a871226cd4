"""A missing index is distinguished from other errors."""

import pytest
from botocore.exceptions import ClientError
from pynamodb.exceptions import QueryError

from landmarks.dynamodb import lacks_index


@pytest.mark.parametrize(
    ("code", "message", "lacks"),
    [
        ("ValidationException", "The table does not have the specified index: by-prefix", True),
        ("ValidationException", "Cannot read from backfilling global secondary index", True),
        ("ValidationException", "Size of hashkey has exceeded the maximum size limit", False),
        ("ResourceNotFoundException", "Requested resource not found", False),
        ("AccessDeniedException", "not authorized on table/results/index/by-prefix", False),
    ],
)
def test_only_a_missing_index_is_one(code: str, message: str, *, lacks: bool) -> None:
    """Only DynamoDB's messages for a missing index lead to reading the whole table."""
    cause = ClientError({"Error": {"Code": code, "Message": message}}, "Query")
    assert lacks_index(QueryError("Failed to query items", cause)) == lacks
