"""Shared by the tests of `landmarks enqueue`: running the command and reading the queue."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from click.testing import CliRunner, Result

from landmarks.cli.main import landmarks
from tests.fakes import Cloud


def run(
    cloud: Cloud, *arguments: str, lines: str | bytes | None = None, **environment: str
) -> Result:
    """Run the command with the stack's settings; keywords are environment variables."""
    return CliRunner().invoke(
        landmarks,
        ["enqueue", *arguments],
        env={**cloud.stack.environment, **environment},
        input=lines,
    )


def bodies(cloud: Cloud) -> list[str]:
    """Remove all messages from the queue and return their bodies."""
    return list(_drain(cloud.clients["sqs"], cloud.stack.queue_url))


def jobs(cloud: Cloud) -> list[dict[str, Any]]:
    """Remove all messages from the queue and return them as JSON, sorted by key."""
    return sorted(map(json.loads, bodies(cloud)), key=lambda job: str(job["key"]))


def keys(cloud: Cloud) -> list[str]:
    """Remove all messages from the queue and return their keys, sorted."""
    return [job["key"] for job in jobs(cloud)]


def attribute(cloud: Cloud, name: str) -> int:
    """Return a numeric attribute of the queue."""
    answer: Mapping[str, Any] = cloud.clients["sqs"].get_queue_attributes(
        QueueUrl=cloud.stack.queue_url, AttributeNames=[name]
    )
    return int(answer["Attributes"][name])


def _drain(sqs: Any, url: str) -> Iterator[str]:  # noqa: ANN401, boto3's clients have no types
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        for message in messages:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            yield message["Body"]
