"""What AWS refuses, as one line for people."""

import click
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError
from pynamodb.exceptions import ScanError

from worker.commands.advice import advice


def refused(
    code: str, operation: str = "ReceiveMessage", message: str = "no\nnever"
) -> ClientError:
    """What boto3 raises for an answer with this code."""
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (refused("AccessDenied"), "may not ReceiveMessage"),
        (refused("AccessDeniedException", "Scan"), "may not Scan"),
        (refused("ExpiredToken"), "log in again"),
        (refused("InvalidClientTokenId"), "get-caller-identity"),
        (refused("QueueDoesNotExist"), "QueueUrl"),
        (refused("OverLimit"), "OverLimit"),
        (
            refused("500", "StartMessageMoveTask", "<html>" * 99),
            "--one-by-one does without it: 500",
        ),
        (refused("UnsupportedOperation", "StartMessageMoveTask"), "UnsupportedOperation"),
        (NoCredentialsError(), "AWS_PROFILE"),
        (EndpointConnectionError(endpoint_url="http://nowhere"), "AWS_ENDPOINT_URL"),
        (ScanError("no", refused("ResourceNotFoundException", "Scan")), "RESULTS_TABLE"),
        (ScanError("out of order"), "out of order"),
    ],
)
def test_each_error_is_one_line(error: Exception, words: str) -> None:
    """It says what is wrong or what to do, and nothing of it breaks the line."""
    with pytest.raises(click.ClickException) as raised, advice():
        raise error

    assert words in raised.value.message
    assert len(raised.value.message.splitlines()) == 1


def test_a_mistake_of_ours_is_not_dressed_up() -> None:
    """What AWS has no part in keeps its traceback."""
    with pytest.raises(ZeroDivisionError), advice():
        raise ZeroDivisionError
