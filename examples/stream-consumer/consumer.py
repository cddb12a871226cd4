"""A Lambda function on the results' stream: photos of raised left hands go to a queue.

Needs boto3 and this project without extras.
"""
# ruff: noqa: INP001, a function's folder is not a package

import json
import logging
import os
from collections.abc import Mapping
from functools import cache
from typing import Any

import boto3

from landmarks import LandmarkResult, Person

VISIBLE = 0.5

LOG = logging.getLogger(__name__)


def handler(event: Mapping[str, Any], _context: object) -> dict[str, list[dict[str, str]]]:
    """Process records in order, up to the first that fails.

    Lambda retries from that record on. A record may be delivered twice, and so may its message.
    """
    for record in event["Records"]:
        try:
            consume(record)
        except Exception:
            number = record["dynamodb"]["SequenceNumber"]
            LOG.exception("record %s of the stream", number)
            return {"batchItemFailures": [{"itemIdentifier": number}]}
    return {"batchItemFailures": []}


def consume(record: Mapping[str, Any]) -> None:
    """Send a message if the record is a new result in which somebody raises the left hand."""
    if record["eventName"] == "REMOVE":
        return  # expired or deleted
    result = LandmarkResult.from_stream(record["dynamodb"]["NewImage"])
    if result is None or not any(map(raises_left_hand, result.people)):
        return
    message = {"bucket": result.bucket, "key": result.key, "etag": result.etag}
    sqs().send_message(
        QueueUrl=os.environ["RAISED_HANDS_QUEUE_URL"], MessageBody=json.dumps(message)
    )


def raises_left_hand(person: Person) -> bool:
    """Return whether the left wrist is visible and above the nose."""
    if person.pose is None:
        return False
    wrist, nose = person.pose["left_wrist"], person.pose["nose"]
    return min(wrist.visibility or 0, nose.visibility or 0) >= VISIBLE and wrist.y < nose.y


@cache
def sqs() -> Any:  # noqa: ANN401, boto3's clients have no types at run time
    """Return the client, created once per execution environment."""
    return boto3.client("sqs")
