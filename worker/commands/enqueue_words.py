"""What `landmarks enqueue` says: estimates, summaries, and what to do about an error."""

from pathlib import Path
from typing import Final

from worker.errors import LandmarkError
from worker.operations.enqueue.estimate import PRICES_OF, Estimate
from worker.operations.enqueue.state import State

_UNITS: Final = ("bytes", "kB", "MB", "GB", "TB", "PB")
_STEP: Final = 1000

_CREDENTIALS: Final = (
    "no AWS credentials: run `aws configure` or `aws sso login`, or set AWS_PROFILE"
)
_EXPIRED: Final = "the AWS credentials are no longer valid: renew them (`aws sso login`)"
_NO_BUCKET: Final = "no such bucket: `aws s3 ls` lists yours"
_NO_QUEUE: Final = (
    "no such queue: its URL is the stack's output QueueUrl; give it by --queue-url or QUEUE_URL"
)
_DENIED: Final = (
    "access denied: the credentials need s3:ListBucket and s3:GetObject (inventory), "
    "s3:PutObject (--upload) and sqs:SendMessage"
)
_ADVICE: Final = {
    "AWS.SimpleQueueService.NonExistentQueue": _NO_QUEUE,
    "QueueDoesNotExist": _NO_QUEUE,
    "AccessDenied": _DENIED,
    "AccessDeniedException": _DENIED,
    "ExpiredToken": _EXPIRED,
    "ExpiredTokenException": _EXPIRED,
    "InvalidAccessKeyId": _EXPIRED,
    "InvalidClientTokenId": _EXPIRED,
    "NoSuchBucket": _NO_BUCKET,
    "NoSuchKey": "no such object: check the URL",
}


def explain(error: Exception) -> str:
    """One line about an error: what is wrong, and what to do next."""
    from boto3.exceptions import S3UploadFailedError  # noqa: PLC0415, --help needs none of it
    from botocore.exceptions import (  # noqa: PLC0415, the same
        ClientError,
        NoCredentialsError,
        NoRegionError,
    )

    if isinstance(error, S3UploadFailedError) and isinstance(error.__context__, ClientError):
        error = error.__context__
    if isinstance(error, ClientError):
        advice = _ADVICE.get(error.response["Error"]["Code"])
        subject = error.response["Error"].get("BucketName", "")
        return f"{subject}: {advice}".removeprefix(": ") if advice else str(error)
    if isinstance(error, NoCredentialsError):
        return _CREDENTIALS
    if isinstance(error, NoRegionError):
        return "no AWS region: set AWS_DEFAULT_REGION, or run `aws configure`"
    if isinstance(error, LandmarkError):
        return str(error)
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    return " ".join(str(error).split())


def estimate_lines(estimate: Estimate, *, listed: bool) -> list[str]:
    """What a run would send and cost."""
    lines = [
        f"{estimate.messages:,} messages, {size(estimate.message_bytes)}"
        + (f", about objects of {size(estimate.object_bytes)}" if estimate.object_bytes else ""),
        *_leftovers(estimate.left_out, estimate.refused),
        f"SQS requests to send them: {estimate.sqs_requests:,}, {_dollars(estimate.sqs_dollars)}",
    ]
    if listed:
        lines.append(f"listing once: {_dollars(estimate.listing_dollars())}")
    if estimate.uploads:
        lines.append(f"uploads: {estimate.uploads:,}, {_dollars(estimate.upload_dollars)}")
    return [
        *lines,
        f"List prices of {PRICES_OF}, without free tiers. Not included: whatever the worker does",
        "with them (SQS receives and deletes, Lambda, S3 reads, DynamoDB writes), storage,",
        "encryption keys and data transfer.",
    ]


def summary_lines(state: State, sent_before: int, seconds: float) -> list[str]:
    """What has become of a run."""
    tally = state.tally
    sent = tally.sent - sent_before
    rate = f", {sent / seconds:,.0f}/s" if seconds and sent else ""
    earlier = f", {tally.sent:,} with earlier runs" if sent_before else ""
    lines = [
        f"{sent:,} sent in {seconds:,.1f} s{rate}{earlier}",
        *_leftovers(tally.left_out, tally.refused),
    ]
    if tally.refused:
        lines.append(f"the unsent, with reasons: {state.unsent}")
        lines.append(f"once mended: landmarks enqueue - < {state.unsent}")
    return lines


def resume_hint(state: Path) -> str:
    """How a stopped run goes on."""
    return f"Repeat the command with --resume {state} to go on where it stopped."


def size(count: float) -> str:
    """Bytes, rounded for people."""
    for unit in _UNITS:
        if count < _STEP or unit == _UNITS[-1]:
            break
        count /= _STEP
    return f"{count:,.0f} {unit}" if unit == _UNITS[0] else f"{count:,.1f} {unit}"


def _leftovers(left_out: int, refused: int) -> list[str]:
    lines = [f"{left_out:,} left out by --suffix or --since"] if left_out else []
    return [*lines, f"{refused:,} can't be sent"] if refused else lines


def _dollars(amount: float) -> str:
    return f"${amount:,.2f}" if amount >= 1 or amount == 0 else f"${amount:.7f}".rstrip("0")
