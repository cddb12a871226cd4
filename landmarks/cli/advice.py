"""Turns errors of all commands into one line of advice and an exit status."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple, NoReturn

import click

from landmarks.cli.terminal import SIGNAL_STATUS, one_line, printable
from landmarks.errors import LandmarkError

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

_NO_REGION: Final = (
    "no AWS region: use --region or set AWS_DEFAULT_REGION, for example to eu-central-1"
)
_NO_CREDENTIALS: Final = (
    "no AWS credentials: use --profile, set AWS_PROFILE, or AWS_ACCESS_KEY_ID and "
    "AWS_SECRET_ACCESS_KEY, or run `aws configure`"
)
_EXPIRED: Final = "the AWS credentials have expired: log in again, for example with `aws sso login`"
_UNKNOWN: Final = "AWS rejected these credentials: check them with `aws sts get-caller-identity`"
_DENIED: Final = (
    "attach the stack's OperatorPolicy (output OperatorPolicyArn) to their role, or "
    "allow the actions that docs/operations.md lists for this command"
)
_UPLOAD_DENIED: Final = "allow s3:PutObject on the bucket; OperatorPolicy does not include it"
_NO_MOVE_TASK: Final = "SQS's move task failed ({error}): use --one-by-one"


class _Missing(NamedTuple):
    """Something that does not exist, what to do about it in AWS, and the variable that names it."""

    thing: str
    advice: str
    variable: str


_NO_QUEUE: Final = _Missing(
    "queue",
    "check its URL (the stack's outputs QueueUrl and DeadLetterQueueUrl) and the region",
    "QUEUE_URL",
)
_MISSING: Final = {
    "AWS.SimpleQueueService.NonExistentQueue": _NO_QUEUE,
    "QueueDoesNotExist": _NO_QUEUE,
    "InvalidAddress": _NO_QUEUE,
    "ResourceNotFoundException": _Missing(
        "table",
        "check --table, RESULTS_TABLE (the stack's output ResultsTable) and the region",
        "RESULTS_TABLE",
    ),
    "NoSuchBucket": _Missing("bucket", "`aws s3 ls` lists yours", "IMAGE_BUCKET"),
}
_BY_CODE: Final = {
    "NoSuchKey": "no such object: check the URL",
    "ExpiredToken": _EXPIRED,
    "ExpiredTokenException": _EXPIRED,
    "InvalidAccessKeyId": _UNKNOWN,
    "InvalidClientTokenId": _UNKNOWN,
    "UnrecognizedClientException": _UNKNOWN,
    "SignatureDoesNotMatch": _UNKNOWN,
}
DENIED_CODES: Final = frozenset({"AccessDenied", "AccessDeniedException"})
_UPLOADS: Final = frozenset({"PutObject", "CreateMultipartUpload", "UploadPart"})

# The extra that contains a missing package, if not one of the usual ones.
_EXTRAS: Final = {"pyarrow": "parquet", "mediapipe": "worker", "cv2": "worker"}


class WrongCallError(click.ClickException):
    """Raised for wrong usage. Has a usage error's exit status, but prints only one line."""

    exit_code = click.UsageError.exit_code


@contextmanager
def one_line_errors() -> Iterator[None]:
    """On errors and Ctrl-C, print one line and exit with the matching status."""
    try:
        with worded_errors():
            yield
    except KeyboardInterrupt:
        _stop()
    except click.Abort as abort:
        if isinstance(abort.__context__, KeyboardInterrupt):
            _stop()
        raise


@contextmanager
def worded_errors() -> Iterator[None]:
    """Turn expected errors into one line of advice. Bugs keep their traceback.

    Raises:
        ClickException: contains that line.
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


def install_command(extras: str) -> str:
    """Return how to install this project's extras: PyPI does not have it."""
    return f"run pip install '.[{extras}]' in this project's folder"


def _stop() -> NoReturn:
    newline = "\n" * sys.stderr.isatty()  # after the terminal's ^C
    click.echo(f"{newline}Stopped.", err=True)
    sys.exit(SIGNAL_STATUS + signal.SIGINT)


def _exception(error: Exception) -> click.ClickException | None:
    if isinstance(error, LandmarkError):
        return _own(error)
    if isinstance(error, ModuleNotFoundError):
        extras = _EXTRAS.get(error.name or "", "worker,cli,local")
        words = f"{error.name} is not installed: {install_command(extras)}"
    elif isinstance(error, OSError):
        words = f"{error.filename}: {error.strerror}" if error.filename else one_line(str(error))
    else:
        words = _service_words(error) or ""
    return click.ClickException(words) if words else None


def _own(error: LandmarkError) -> click.ClickException:
    words = "\n".join(map(printable, str(error).split("\n")))  # some end with log lines
    return click.ClickException(_cause_words(error) or words)


def _cause_words(error: LandmarkError) -> str | None:
    """Return the advice for the AWS error that caused one of our own, if any."""
    from botocore.exceptions import ClientError  # noqa: PLC0415, slow
    from pynamodb.exceptions import PynamoDBException  # noqa: PLC0415, slow

    cause = error.__cause__
    if isinstance(cause, PynamoDBException):
        return _service_words(cause)
    if isinstance(cause, ClientError) and cause.response["Error"].get("Code") in DENIED_CODES:
        return f"{one_line(str(error))}: {_DENIED}"
    return None


def _service_words(error: BaseException) -> str | None:
    """Return a line about an error of AWS or the connection to it; None for other errors."""
    from boto3.exceptions import Boto3Error, S3UploadFailedError  # noqa: PLC0415, slow
    from botocore import exceptions  # noqa: PLC0415, slow
    from pynamodb.exceptions import PynamoDBException  # noqa: PLC0415, slow

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
    by_aws = isinstance(error, exceptions.BotoCoreError | Boto3Error | PynamoDBException)
    return one_line(str(error)) if by_aws else None


def _refusal(error: "ClientError") -> str:
    answer = error.response["Error"]
    code, message = answer.get("Code", ""), one_line(answer.get("Message", ""))
    if code in DENIED_CODES:
        advice = _UPLOAD_DENIED if error.operation_name in _UPLOADS else _DENIED
        return f"these credentials don't allow {error.operation_name}: {advice} ({message})"
    if code in _MISSING:
        bucket = answer.get("BucketName")
        words = _missing(_MISSING[code])
        return f"{bucket}: {words}" if bucket else words
    if code in _BY_CODE:
        return _BY_CODE[code]
    if error.operation_name == "StartMessageMoveTask":
        return _NO_MOVE_TASK.format(error=one_line(str(error)))
    return one_line(str(error))


def _missing(missing: _Missing) -> str:
    endpoint = os.environ.get("AWS_ENDPOINT_URL")
    if not endpoint:
        return f"no such {missing.thing}: {missing.advice}"
    present = os.environ.get(missing.variable)
    hint = f" ({missing.variable} is {present})" if present else ""
    return f"no such {missing.thing} at {endpoint}: check its name{hint}"
