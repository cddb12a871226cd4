"""S3, SQS and DynamoDB over real HTTP on the loopback interface, by moto."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import boto3

from landmarks.item import bind_item
from landmarks.local.services import moto_server

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_REGION: Final = "us-east-1"


# SQS takes 6 times the function's timeout; here a try that died should come back soon.
_VISIBILITY_SECONDS: Final = 30


MAX_RECEIVE_COUNT: Final = 5


@dataclass(frozen=True, slots=True)
class LocalStack:
    """A bucket, a queue with its dead-letter queue, and a table: what `template.yaml` makes.

    Attributes:
        bucket: name of the bucket.
        queue_url: of the queue.
        dead_letter_queue_url: of its dead-letter queue.
        table: name of the results table.
    """

    bucket: str
    queue_url: str
    dead_letter_queue_url: str
    table: str

    @property
    def environment(self) -> Mapping[str, str]:
        """The worker's settings for it."""
        return {
            "IMAGE_BUCKET": self.bucket,
            "RESULTS_TABLE": self.table,
            "QUEUE_URL": self.queue_url,
            "DEAD_LETTER_QUEUE_URL": self.dead_letter_queue_url,
            "MAX_RECEIVE_COUNT": str(MAX_RECEIVE_COUNT),
        }


@contextmanager
def embedded_services(host: str = "127.0.0.1", port: int = 0) -> Iterator[None]:
    """Run the services, empty, as long as the block runs.

    Meanwhile every AWS client of this process and of its children goes there,
    and nowhere else: what the environment said of AWS is put aside, proxies passed by.

    Args:
        host: where they listen; clients come over the loopback interface all the same.
        port: 0 takes a free one.

    Raises:
        AddressError: they can't listen there.
    """
    with moto_server(host, port) as actual_port:
        before = dict(os.environ)
        try:
            for name in [name for name in os.environ if name.startswith("AWS_")]:
                del os.environ[name]
            os.environ.update(_environment(f"http://127.0.0.1:{actual_port}"))
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)


def _environment(endpoint: str) -> dict[str, str]:
    return {
        # Profiles can name other endpoints, and so can proxies.
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "no_proxy": "127.0.0.1",
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_REGION": _REGION,
        "AWS_DEFAULT_REGION": _REGION,
        "AWS_ENDPOINT_URL": endpoint,
    }


def create_stack(
    name: str = "landmarks", *, visibility_seconds: int = _VISIBILITY_SECONDS
) -> LocalStack:
    """Create a stack in the embedded services.

    Args:
        name: what everything's name begins with; lower case.
        visibility_seconds: of the queue.
    """
    sqs = boto3.client("sqs")
    bucket, table = f"{name}-images", f"{name}-results"
    boto3.client("s3").create_bucket(Bucket=bucket)
    dead_letters = sqs.create_queue(QueueName=f"{name}-dead-letters")["QueueUrl"]
    redrive = {
        "deadLetterTargetArn": _queue_arn(sqs, dead_letters),
        "maxReceiveCount": MAX_RECEIVE_COUNT,
    }
    queue = sqs.create_queue(
        QueueName=name,
        Attributes={
            "VisibilityTimeout": str(visibility_seconds),
            "RedrivePolicy": json.dumps(redrive),
        },
    )["QueueUrl"]
    bind_item(table).create_table(wait=True)
    return LocalStack(bucket, queue, dead_letters, table)


def _queue_arn(sqs: "SQSClient", url: str) -> str:
    answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return answer["Attributes"]["QueueArn"]
