"""What AWS refuses, in one line that says what to do about it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import click

from worker.commands.terminal import one_line

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

_NO_QUEUE: Final = (
    "there is no such queue: check the queue's URL (the stack's outputs QueueUrl and "
    "DeadLetterQueueUrl) and the region"
)
_NO_TABLE: Final = (
    "there is no such table: check --table, RESULTS_TABLE (the stack's output "
    "ResultsTable) and the region"
)
_EXPIRED: Final = "the AWS credentials have expired: log in again, for example by `aws sso login`"
_WRONG: Final = "AWS does not know these credentials: check them by `aws sts get-caller-identity`"
_NO_REGION: Final = "no AWS region is set: set AWS_REGION, for example to eu-central-1"
_NO_CREDENTIALS: Final = (
    "no AWS credentials were found: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and "
    "AWS_SECRET_ACCESS_KEY, or run `aws configure`"
)
_NO_MOVE_TASK: Final = "SQS's move task failed; --one-by-one does without it: {error}"

_BY_CODE: Final = {
    "AWS.SimpleQueueService.NonExistentQueue": _NO_QUEUE,
    "QueueDoesNotExist": _NO_QUEUE,
    "InvalidAddress": _NO_QUEUE,
    "ResourceNotFoundException": _NO_TABLE,
    "ExpiredToken": _EXPIRED,
    "ExpiredTokenException": _EXPIRED,
    "InvalidClientTokenId": _WRONG,
    "UnrecognizedClientException": _WRONG,
    "SignatureDoesNotMatch": _WRONG,
}
_DENIED: Final = frozenset({"AccessDenied", "AccessDeniedException"})


@contextmanager
def advice() -> Iterator[None]:
    """End the command with one line, for what AWS or the way to it refuses."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415, --help needs none
    from pynamodb.exceptions import PynamoDBException  # noqa: PLC0415, the same

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise click.ClickException(_advice(error)) from error
    except PynamoDBException as error:
        raise click.ClickException(_advice(error.cause or error)) from error


def _advice(error: Exception) -> str:
    from botocore.exceptions import (  # noqa: PLC0415, --help needs none of it
        ClientError,
        ConnectTimeoutError,
        EndpointConnectionError,
        NoCredentialsError,
        NoRegionError,
        PartialCredentialsError,
        SSOError,
    )

    if isinstance(error, NoRegionError):
        return _NO_REGION
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        return _NO_CREDENTIALS
    if isinstance(error, SSOError):
        return _EXPIRED
    if isinstance(error, EndpointConnectionError | ConnectTimeoutError):
        return f"{one_line(str(error))}: check AWS_ENDPOINT_URL, AWS_REGION and the network"
    if isinstance(error, ClientError):
        return _refusal(error)
    return one_line(str(error))


def _refusal(error: "ClientError") -> str:
    code = error.response["Error"].get("Code", "")
    if code in _DENIED:
        return f"these credentials may not {error.operation_name}: {one_line(str(error))}"
    if code in _BY_CODE:
        return _BY_CODE[code]
    if error.operation_name == "StartMessageMoveTask":
        # A stand-in answers a page of HTML.
        return _NO_MOVE_TASK.format(error=code if code.isdigit() else one_line(str(error)))
    return one_line(str(error))
