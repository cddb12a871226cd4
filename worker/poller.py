"""Does what Lambda's event source mapping does: a queue's messages to the same handler.

`python -m worker.poller` runs the worker in any container, against SQS or a
stand-in for it.
"""

import argparse
import logging
import signal
import sys
import time
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from worker.errors import LandmarkError, ServiceError, SettingsError
from worker.settings import Settings
from worker.startup import start_worker

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

    from worker.handler import InvocationContext

_LOG = logging.getLogger("worker.poller")  # run as a program, __name__ is another

# SQS's own limits.
_MAX_BATCH: Final = 10
_DEFAULT_WAIT_SECONDS: Final = 10

# A long poll answers after 20 s at the latest.
_CLIENT_CONFIG: Final = Config(
    connect_timeout=3, read_timeout=25, retries={"mode": "standard", "total_max_attempts": 3}
)

# After SQS itself has failed.
_PAUSE_SECONDS: Final = 2.0


class EventHandler(Protocol):
    """What the poller needs of `Handler`."""

    def handle(self, event: Mapping[str, Any], context: "InvocationContext") -> Mapping[str, Any]:
        """See `Handler.handle`."""
        ...


@dataclass(frozen=True, slots=True)
class _Context:
    """Stands for Lambda's context: the time is the messages' visibility timeout."""

    deadline: float

    def get_remaining_time_in_millis(self) -> int:
        return max(0, round((self.deadline - time.monotonic()) * 1000))


class Poller:
    """Receives, hands over, deletes what succeeded."""

    def __init__(
        self,
        client: "SQSClient",
        queue_url: str,
        handler: EventHandler,
        *,
        wait_seconds: int = _DEFAULT_WAIT_SECONDS,
    ) -> None:
        """Poll the queue at `queue_url`, `wait_seconds` long at a time."""
        self._client = client
        self._queue_url = queue_url
        self._handler = handler
        self._wait_seconds = wait_seconds
        self._stopping = False

    def stop(self) -> None:
        """Finish the batch in hand, receive no other, and return from `run`."""
        self._stopping = True

    def run(self) -> None:
        """Poll until `stop`.

        Raises:
            ServiceError: the queue does not even say what it is.
        """
        arn, visibility_seconds = self._describe_queue()
        _LOG.info("polling", extra={"queue": arn, "visibility_timeout": visibility_seconds})
        while not self._stopping:
            try:
                self._poll_once(arn, visibility_seconds)
            except (BotoCoreError, ClientError) as error:
                _LOG.warning("queue unavailable", extra={"error_message": str(error)})
                time.sleep(_PAUSE_SECONDS)
        _LOG.info("stopped", extra={"queue": arn})

    def _describe_queue(self) -> tuple[str, int]:
        """The queue's ARN, and its visibility timeout in seconds."""
        try:
            attributes = self._client.get_queue_attributes(
                QueueUrl=self._queue_url, AttributeNames=["QueueArn", "VisibilityTimeout"]
            )["Attributes"]
        except (BotoCoreError, ClientError) as error:
            raise ServiceError(f"QUEUE_URL={self._queue_url!r} can't be polled: {error}") from error
        return attributes["QueueArn"], int(attributes["VisibilityTimeout"])

    def _poll_once(self, arn: str, visibility_seconds: int) -> None:
        received = self._client.receive_message(
            QueueUrl=self._queue_url,
            MaxNumberOfMessages=_MAX_BATCH,
            WaitTimeSeconds=self._wait_seconds,
            AttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        messages = received.get("Messages", [])
        if not messages:
            return
        context = _Context(time.monotonic() + visibility_seconds)
        event = {"Records": [_record(message, arn) for message in messages]}
        try:
            answer = self._handler.handle(event, context)
        except Exception:  # noqa: BLE001, logged with its traceback
            # As for Lambda: an invocation that fails is a batch that comes again.
            _LOG.exception("invocation failed")
            return
        failed = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
        self._delete([message for message in messages if message["MessageId"] not in failed])

    def _delete(self, messages: Sequence["MessageTypeDef"]) -> None:
        if not messages:
            return
        answer = self._client.delete_message_batch(
            QueueUrl=self._queue_url,
            Entries=[
                {"Id": str(index), "ReceiptHandle": message["ReceiptHandle"]}
                for index, message in enumerate(messages)
            ],
        )
        for failure in answer.get("Failed", []):
            # It comes again, and is then found to be done.
            _LOG.warning("message not deleted", extra={"error_message": failure.get("Message")})


def _record(message: "MessageTypeDef", arn: str) -> dict[str, Any]:
    """A message as Lambda's event has it."""
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message.get("Attributes", {}),
        "messageAttributes": {
            name: _attribute(attribute)
            for name, attribute in message.get("MessageAttributes", {}).items()
        },
        "md5OfBody": message.get("MD5OfBody", ""),
        "eventSource": "aws:sqs",
        "eventSourceARN": arn,
        "awsRegion": arn.split(":")[3],
    }


def _attribute(attribute: Mapping[str, Any]) -> dict[str, Any]:
    """A message attribute as Lambda's event, which is JSON, has it."""
    return {
        name[0].lower() + name[1:]: b64encode(value).decode() if name == "BinaryValue" else value
        for name, value in attribute.items()
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the worker on the queue that QUEUE_URL names, until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m worker.poller", description=main.__doc__)
    parser.add_argument(
        "--wait-seconds",
        type=int,
        choices=range(21),
        default=_DEFAULT_WAIT_SECONDS,
        metavar="0..20",
        help="how long to wait for messages at a time, and so at most to stop when idle",
    )
    options = parser.parse_args(arguments)
    settings = Settings.from_environment()
    if settings.queue_url is None:
        raise SettingsError("QUEUE_URL is not set: the poller has to know its queue")
    handler = start_worker(settings)
    client = boto3.client("sqs", config=_CLIENT_CONFIG)
    poller = Poller(client, settings.queue_url, handler, wait_seconds=options.wait_seconds)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: poller.stop())
    try:
        poller.run()
    finally:
        handler.close()


if __name__ == "__main__":
    try:
        main()
    except LandmarkError as error:
        sys.exit(f"landmark-worker: {error}")
