"""The stack of a run, accessed without the proxy: buckets, queues, table."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

import boto3
from botocore.config import Config

from tests.chaos.check import DeadLetter, Evidence, Item
from tests.chaos.envelopes import Uploaded
from tests.chaos.plan import Bucket

TABLE: Final = "chaos-results"
_QUEUE, _DEAD_LETTERS = "chaos-jobs", "chaos-dead-letters"
_COUNTS: Final = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)


class World:
    """Buckets, queues and table."""

    def __init__(self, endpoint: str, visibility_seconds: int, max_receive_count: int) -> None:
        """Create them in the services at `endpoint`."""
        self._s3 = self._client("s3", endpoint)
        self._sqs = self._client("sqs", endpoint)
        self._dynamodb = self._client("dynamodb", endpoint)
        for bucket in set(Bucket) - {Bucket.NOWHERE}:
            self._s3.create_bucket(Bucket=bucket)
        self._s3.put_bucket_versioning(
            Bucket=Bucket.VERSIONED, VersioningConfiguration={"Status": "Enabled"}
        )
        self._dead_letters = self._sqs.create_queue(QueueName=_DEAD_LETTERS)["QueueUrl"]
        arn = self._sqs.get_queue_attributes(
            QueueUrl=self._dead_letters, AttributeNames=["QueueArn"]
        )["Attributes"]["QueueArn"]
        redrive = {"deadLetterTargetArn": arn, "maxReceiveCount": max_receive_count}
        attributes = {
            "RedrivePolicy": json.dumps(redrive),
            "VisibilityTimeout": str(visibility_seconds),
        }
        self._queue = self._sqs.create_queue(QueueName=_QUEUE, Attributes=attributes)["QueueUrl"]
        keys = {"object_key": "HASH", "bucket": "RANGE"}
        self._dynamodb.create_table(
            TableName=TABLE,
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in keys],
            KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys.items()],
            BillingMode="PAY_PER_REQUEST",
        )

    def close(self) -> None:
        """Close the connections."""
        for client in (self._s3, self._sqs, self._dynamodb):
            client.close()

    def settings(self, sqs_endpoint: str) -> Mapping[str, str]:
        """The worker's settings, with the queues at the proxy's address."""
        path, dead_path = (url.split("/", 3)[3] for url in (self._queue, self._dead_letters))
        return {
            "RESULTS_TABLE": TABLE,
            "IMAGE_BUCKET": Bucket.PLAIN,
            "ALLOWED_BUCKETS": ",".join(set(Bucket) - {Bucket.FOREIGN}),
            "QUEUE_URL": f"{sqs_endpoint}/{path}",
            "DEAD_LETTER_QUEUE_URL": f"{sqs_endpoint}/{dead_path}",
        }

    def upload(
        self, bucket: str, key: str, content: bytes, storage_class: str = "STANDARD"
    ) -> Uploaded:
        """Upload an object."""
        answer = self._s3.put_object(
            Bucket=bucket, Key=key, Body=content, StorageClass=storage_class
        )
        return Uploaded(answer["ETag"].strip('"'), answer.get("VersionId"))

    def remove(self, bucket: str, key: str) -> None:
        """Delete an object."""
        self._s3.delete_object(Bucket=bucket, Key=key)

    def send(self, body: str, delay_seconds: int = 0) -> None:
        """Send a message."""
        self._sqs.send_message(QueueUrl=self._queue, MessageBody=body, DelaySeconds=delay_seconds)

    def show_messages_after(self, seconds: int) -> None:
        """Set the queue's visibility timeout."""
        self._sqs.set_queue_attributes(
            QueueUrl=self._queue, Attributes={"VisibilityTimeout": str(seconds)}
        )

    def in_queue(self) -> tuple[int, int, int]:
        """The number of messages visible, in flight and delayed."""
        visible, in_flight, delayed = self._counts(self._queue)
        return visible, in_flight, delayed

    def dead(self) -> int:
        """The number of dead letters."""
        return sum(self._counts(self._dead_letters))

    def evidence(self) -> Evidence:
        """All items and dead letters; receiving the latter hides them."""
        return Evidence(
            items=list(self._items()),
            in_queue=sum(self.in_queue()),
            dead_letters=list(self._take_dead_letters()),
        )

    def _items(self) -> Iterator[Item]:
        pages = self._dynamodb.get_paginator("scan").paginate(TableName=TABLE, ConsistentRead=True)
        for page in pages:
            yield from page["Items"]

    def _take_dead_letters(self) -> Iterator[DeadLetter]:
        while messages := self._sqs.receive_message(
            QueueUrl=self._dead_letters,
            MaxNumberOfMessages=10,
            VisibilityTimeout=3600,
            MessageAttributeNames=["All"],
        ).get("Messages"):
            for message in messages:
                given = message.get("MessageAttributes", {})
                attributes = {name: value.get("StringValue", "") for name, value in given.items()}
                yield DeadLetter(message["Body"], attributes)

    def _counts(self, url: str) -> list[int]:
        attributes = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
        return [int(attributes["Attributes"][name]) for name in _COUNTS]

    def _client(self, service: Any, endpoint: str) -> Any:  # noqa: ANN401, as boto3
        return boto3.client(
            service,
            endpoint_url=endpoint,
            region_name="us-east-1",
            aws_access_key_id="chaos",
            aws_secret_access_key="chaos",  # noqa: S106, for moto
            config=Config(max_pool_connections=4),
        )
