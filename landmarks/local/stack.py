"""S3, SQS and DynamoDB on the loopback interface, and in them what `template.yaml` creates."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import boto3

from landmarks.item import bind_item
from landmarks.local.services import moto_server
from landmarks.local.session import ISOLATION

_REGION: Final = "us-east-1"
# The template's queue has six times the function's timeout; here retries should not take long.
VISIBILITY_SECONDS: Final = 30
MAX_RECEIVE_COUNT: Final = 5


@dataclass(frozen=True, slots=True)
class LocalStack:
    """Names of a bucket and a table, URLs of a queue and its dead-letter queue."""

    bucket: str
    queue_url: str
    dead_letter_queue_url: str
    table: str

    @property
    def environment(self) -> Mapping[str, str]:
        """The worker's settings."""
        return {
            "IMAGE_BUCKET": self.bucket,
            "RESULTS_TABLE": self.table,
            "QUEUE_URL": self.queue_url,
            "DEAD_LETTER_QUEUE_URL": self.dead_letter_queue_url,
            "MAX_RECEIVE_COUNT": str(MAX_RECEIVE_COUNT),
        }


@contextmanager
def embedded_services(host: str = "127.0.0.1", port: int = 0) -> Iterator[dict[str, str]]:
    """Run the services, empty, for as long as the block runs.

    Meanwhile AWS clients of this process and its children use them and nothing else: AWS
    variables of the environment are replaced, proxies bypassed.

    Args:
        host: the address to listen on; clients of this machine use the loopback one.
        port: 0 takes a free one.

    Yields:
        The variables by which clients elsewhere find the services.

    Raises:
        AddressError: they can't listen there.
    """
    with moto_server(host, port) as actual_port:
        clients = {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{actual_port}",
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_REGION": _REGION,
            "AWS_DEFAULT_REGION": _REGION,
        }
        before = dict(os.environ)
        try:
            for name in [name for name in os.environ if name.startswith("AWS_")]:
                del os.environ[name]
            os.environ.update(ISOLATION | clients)
            yield clients
        finally:
            os.environ.clear()
            os.environ.update(before)


def create_stack(name: str = "landmarks") -> LocalStack:
    """Create a stack in the embedded services; its parts' names begin with `name`."""
    sqs = boto3.client("sqs")
    bucket, table = f"{name}-images", f"{name}-results"
    boto3.client("s3").create_bucket(Bucket=bucket)
    dead_letters = sqs.create_queue(QueueName=f"{name}-dead-letters")["QueueUrl"]
    described = sqs.get_queue_attributes(QueueUrl=dead_letters, AttributeNames=["QueueArn"])
    redrive = {
        "deadLetterTargetArn": described["Attributes"]["QueueArn"],
        "maxReceiveCount": MAX_RECEIVE_COUNT,
    }
    queue = sqs.create_queue(
        QueueName=name,
        Attributes={
            "VisibilityTimeout": str(VISIBILITY_SECONDS),
            "RedrivePolicy": json.dumps(redrive),
        },
    )["QueueUrl"]
    bind_item(table).create_table(wait=True)
    return LocalStack(bucket, queue, dead_letters, table)
