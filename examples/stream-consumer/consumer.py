"""A Lambda function on the stream of results: who raises the left hand goes to a queue.

Needs boto3 and this project without extras.
"""
# ruff: noqa: INP001, a function's own folder is no package

import json
import logging
import os
from collections.abc import Mapping
from functools import cache
from typing import Any

import boto3

from landmarks import LandmarkResult

VISIBLE = 0.5

LOG = logging.getLogger(__name__)


def handler(event: Mapping[str, Any], _context: object) -> dict[str, list[dict[str, str]]]:
    """Take the records in their order, up to the first that fails.

    Lambda brings that one again, and all after it: what it is told of is the place in the stream
    from which to go on. A record may come twice, and so may its message.
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
    """Send a message if the record is a new result of somebody with the left hand raised."""
    if record["eventName"] == "REMOVE":
        return  # expired, or deleted
    result = LandmarkResult.from_stream(record["dynamodb"]["NewImage"])
    if result is None or not raises_left_hand(result):
        return
    message = {"bucket": result.bucket, "key": result.key, "etag": result.etag}
    sqs().send_message(
        QueueUrl=os.environ["RAISED_HANDS_QUEUE_URL"], MessageBody=json.dumps(message)
    )


def raises_left_hand(result: LandmarkResult) -> bool:
    """Whether the left wrist is seen, and above the nose."""
    if result.pose is None:
        return False
    wrist, nose = result.pose["left_wrist"], result.pose["nose"]
    return min(wrist.visibility or 0, nose.visibility or 0) >= VISIBLE and wrist.y < nose.y


@cache
def sqs() -> Any:  # noqa: ANN401, boto3's clients have no types at run time
    """The client, once a sandbox."""
    return boto3.client("sqs")
