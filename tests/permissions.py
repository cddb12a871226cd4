"""Which AWS permissions commands need, and which a docs page says they need."""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
from botocore.client import BaseClient

from landmarks.local.stack import LocalStack

# Parameters that identify the stack's resources, by URL, ARN or name.
_TARGETS: Final = ("QueueUrl", "QueueName", "SourceArn", "TableName", "Bucket")

# S3's actions have other names than its operations:
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
_S3_ACTIONS: Final[Mapping[str, str]] = {
    "HeadObject": "GetObject",
    "ListObjectsV2": "ListBucket",
    "CreateMultipartUpload": "PutObject",
    "UploadPart": "PutObject",
    "CompleteMultipartUpload": "PutObject",
}

EVERYTHING: Final = "everything"


class Permission(NamedTuple):
    """An IAM action and the part of the stack it applies to, in the page's words."""

    action: str
    place: str


@contextmanager
def recorded(stack: LocalStack) -> Iterator[set[Permission]]:
    """Record all calls to AWS in this block, whether or not they succeed.

    boto3's clients and PynamoDB's both make their calls through one method of botocore.
    """
    needed: set[Permission] = set()
    of_all_clients: Any = BaseClient  # the type stubs lack this method
    call = of_all_clients._make_api_call

    def record(client: Any, operation: str, parameters: Mapping[str, Any]) -> object:  # noqa: ANN401, made at run time
        service = client.meta.service_model.service_name
        needed.update(_needs(stack, service, operation, parameters))
        return call(client, operation, parameters)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseClient, "_make_api_call", record)
        yield needed


def _needs(
    stack: LocalStack, service: str, operation: str, parameters: Mapping[str, Any]
) -> Iterable[Permission]:
    place = _place(stack, parameters)
    if service == "s3":
        return _needs_of_s3(operation, place, parameters)
    if operation == "StartMessageMoveTask":
        return _needs_of_move_task(place, _named(stack, parameters["DestinationArn"]))
    return [Permission(f"{service}:{operation.removesuffix('Batch')}", place)]


def _needs_of_s3(operation: str, place: str, parameters: Mapping[str, Any]) -> Iterable[Permission]:
    action = _S3_ACTIONS.get(operation, operation)
    if action != "GetObject":
        return [Permission(f"s3:{action}", place)]
    version = "Version" if "VersionId" in parameters else ""
    return [
        Permission(f"s3:GetObject{version}", place),
        # Without it, S3 answers 403 instead of 404 for missing objects:
        # https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
        Permission("s3:ListBucket", place),
        # S3 itself calls KMS for objects encrypted with a KMS key. The embedded S3 doesn't.
        Permission("kms:Decrypt", "key"),
    ]


def _needs_of_move_task(source: str, destination: str) -> Iterable[Permission]:
    """Return what SQS's move task needs, which the embedded SQS doesn't support.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-api-permissions-reference.html
    """
    names = ("StartMessageMoveTask", "ReceiveMessage", "DeleteMessage", "GetQueueAttributes")
    return [
        *(Permission(f"sqs:{name}", source) for name in names),
        Permission("sqs:SendMessage", destination),
    ]


def _place(stack: LocalStack, parameters: Mapping[str, Any]) -> str:
    if "IndexName" in parameters:
        return "index"
    if "StackName" in parameters:
        return "stack"
    target = next((parameters[name] for name in _TARGETS if name in parameters), None)
    return EVERYTHING if target is None else _named(stack, target)


def _named(stack: LocalStack, target: str) -> str:
    """Return the page's name for a resource. Resources outside the stack keep their name."""
    places = {
        stack.queue_url: "queue",
        stack.dead_letter_queue_url: "dead-letter queue",
        stack.table: "table",
        stack.bucket: "bucket",
    }
    by_name = {_last_part(known): place for known, place in places.items()}
    return by_name.get(_last_part(target), target)


def _last_part(target: str) -> str:
    """Return the name in a URL or an ARN."""
    return re.split("[:/]", target)[-1]


def said(page: Path) -> dict[str, set[Permission]]:
    """Return the rows of a page's table "command | needs": `` place: `action`, `action`; … ``."""
    rows: dict[str, set[Permission]] = {}
    _, _, table = page.read_text("utf-8").partition("| command | needs |\n|---|---|\n")
    for line in table.partition("\n\n")[0].splitlines():
        _, commands, needs, _ = line.split("|")
        parts = (part.partition(":") for part in needs.split(";"))
        permissions = {
            Permission(action, place.strip())
            for place, _, actions in parts
            for action in re.findall(r"`([^`]+)`", actions)
        }
        rows |= dict.fromkeys(re.findall(r"`([^`]+)`", commands), permissions)
    return rows
