"""What went wrong, in one line that says what to do about it; for all commands."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NoReturn

import click

from landmarks.cli.terminal import SIGNAL_STATUS, one_line, printable
from landmarks.errors import LandmarkError

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

_NO_QUEUE: Final = (
    "no such queue: check its URL (the stack's outputs QueueUrl and DeadLetterQueueUrl) "
    "and the region"
)


_NO_TABLE: Final = (
    "no such table: check --table, RESULTS_TABLE (the stack's output ResultsTable) and the region"
)


_NO_BUCKET: Final = "no such bucket: `aws s3 ls` lists yours"


_EXPIRED: Final = "the AWS credentials have expired: log in again, for example by `aws sso login`"


_WRONG: Final = "AWS does not know these credentials: check them by `aws sts get-caller-identity`"


_NO_REGION: Final = "no AWS region: set AWS_DEFAULT_REGION, for example to eu-central-1"


_NO_CREDENTIALS: Final = (
    "no AWS credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
    "or run `aws configure`"
)


_NOT_ALLOWED: Final = (
    "attach the stack's OperatorPolicy (output OperatorPolicyArn) to their role, or "
    "allow what docs/operations.md says that the command needs"
)


_NO_UPLOADS: Final = "allow s3:PutObject on the bucket; OperatorPolicy does not"


_NO_MOVE_TASK: Final = "SQS's move task failed; --one-by-one does without it: {error}"


_BY_CODE: Final = {
    "AWS.SimpleQueueService.NonExistentQueue": _NO_QUEUE,
    "QueueDoesNotExist": _NO_QUEUE,
    "InvalidAddress": _NO_QUEUE,
    "ResourceNotFoundException": _NO_TABLE,
    "NoSuchBucket": _NO_BUCKET,
    "NoSuchKey": "no such object: check the URL",
    "ExpiredToken": _EXPIRED,
    "ExpiredTokenException": _EXPIRED,
    "InvalidAccessKeyId": _WRONG,
    "InvalidClientTokenId": _WRONG,
    "UnrecognizedClientException": _WRONG,
    "SignatureDoesNotMatch": _WRONG,
}


# What brings a package that few need.
_EXTRAS: Final = {"pyarrow": "parquet"}


_DENIED: Final = frozenset({"AccessDenied", "AccessDeniedException"})


_UPLOADS: Final = frozenset({"PutObject", "CreateMultipartUpload", "UploadPart"})


class WrongCallError(click.ClickException):
    """Raised when what is asked for makes no sense; one line, with the status of wrong usage."""

    exit_code = click.UsageError.exit_code


@contextmanager
def one_line_errors() -> Iterator[None]:
    """End the command with one line, and when it is interrupted, too."""
    try:
        with worded_errors():
            yield
    except KeyboardInterrupt:
        _stopped()
    except click.Abort as abort:
        if isinstance(abort.__context__, KeyboardInterrupt):
            _stopped()
        raise


@contextmanager
def worded_errors() -> Iterator[None]:
    """Errors as one line that says what to do; a mistake of ours keeps its traceback.

    Raises:
        ClickException: with that line.
    """
    try:
        yield
    except (BrokenPipeError, click.Abort, click.ClickException, click.exceptions.Exit):
        raise
    except Exception as error:
        exception = _exception(error)
        if exception is None:
            raise
        raise exception from error


def _stopped() -> NoReturn:
    below = "\n" * sys.stderr.isatty()  # the line on which ^C stands
    click.echo(f"{below}Stopped.", err=True)
    sys.exit(SIGNAL_STATUS + signal.SIGINT)


def _exception(error: Exception) -> click.ClickException | None:
    if isinstance(error, ModuleNotFoundError):
        extras = _EXTRAS.get(error.name or "", "worker,cli,local")
        return click.ClickException(
            f"{error.name} is not installed: pip install 'landmark-worker[{extras}]'"
        )
    if isinstance(error, LandmarkError):
        return _own(error)
    if isinstance(error, OSError):
        return click.ClickException(
            f"{error.filename}: {error.strerror}" if error.filename else one_line(str(error))
        )
    words = _service_words(error)
    return click.ClickException(words) if words else None


def _own(error: LandmarkError) -> click.ClickException:
    from landmarks.cli.enqueue.entries import OrderError  # noqa: PLC0415, only for errors

    kind = WrongCallError if isinstance(error, OrderError) else click.ClickException
    words = "\n".join(map(printable, str(error).split("\n")))  # some end with a log's last lines
    return kind(_cause_words(error) or words)


def _cause_words(error: LandmarkError) -> str | None:
    """What DynamoDB or S3 refuses to whoever has an error of ours for it."""
    from botocore.exceptions import ClientError  # noqa: PLC0415, only for errors
    from pynamodb.exceptions import PynamoDBException  # noqa: PLC0415, the same

    cause = error.__cause__
    if isinstance(cause, PynamoDBException):
        return _service_words(cause)
    if isinstance(cause, ClientError) and cause.response["Error"].get("Code") in _DENIED:
        return f"{one_line(str(error))}: {_NOT_ALLOWED}"
    return None


def _service_words(error: BaseException) -> str | None:
    """What AWS or the way to it refuses; None if it has no part in the error."""
    from boto3.exceptions import Boto3Error, S3UploadFailedError  # noqa: PLC0415, only for errors
    from botocore import exceptions  # noqa: PLC0415, the same
    from pynamodb.exceptions import PynamoDBException  # noqa: PLC0415, the same

    if isinstance(error, PynamoDBException) and error.cause:
        error = error.cause
    if isinstance(error, S3UploadFailedError) and error.__context__:
        error = error.__context__
    if isinstance(error, exceptions.ClientError):
        return _refusal(error)
    if isinstance(error, exceptions.NoRegionError):
        return _NO_REGION
    if isinstance(error, exceptions.NoCredentialsError | exceptions.PartialCredentialsError):
        return _NO_CREDENTIALS
    if isinstance(error, exceptions.SSOError):
        return _EXPIRED
    if isinstance(error, exceptions.EndpointConnectionError | exceptions.ConnectTimeoutError):
        return f"{one_line(str(error))}: check AWS_ENDPOINT_URL, AWS_DEFAULT_REGION and the network"
    ours = not isinstance(error, exceptions.BotoCoreError | Boto3Error | PynamoDBException)
    return None if ours else one_line(str(error))


def _refusal(error: "ClientError") -> str:
    answer = error.response["Error"]
    code, message = answer.get("Code", ""), one_line(answer.get("Message", ""))
    if code in _DENIED:
        allowing = _NO_UPLOADS if error.operation_name in _UPLOADS else _NOT_ALLOWED
        return f"these credentials may not {error.operation_name}: {allowing} ({message})"
    if code in _BY_CODE:
        bucket = answer.get("BucketName")
        return f"{bucket}: {_BY_CODE[code]}" if bucket else _BY_CODE[code]
    if error.operation_name == "StartMessageMoveTask":
        # A stand-in answers a page of HTML.
        return _NO_MOVE_TASK.format(error=code if code.isdigit() else one_line(str(error)))
    return one_line(str(error))
