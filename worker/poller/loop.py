"""A queue's messages to the handler, and what succeeded out of the queue.

The handler is one thread's at a time, because its metrics are. So two receivers take turns: while
one has the handler, the other deletes what its last batch has done and receives the next.
"""

import logging
import threading
import time
from base64 import b64encode
from collections.abc import Mapping, Sequence
from concurrent import futures
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, Protocol

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnectionError

from landmarks.errors import ServiceError
from worker.poller.health import Health
from worker.poller.leases import Leases

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

    from worker.batch import BeforeRetry
    from worker.handler import InvocationContext


def record_of(message: "MessageTypeDef", arn: str) -> dict[str, Any]:
    """A message of the queue `arn` as a record of Lambda's event."""
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


_LOG = logging.getLogger(__name__)


# SQS's own limit, of a receive and of a delete.
_BATCH: Final = 10


_LANES: Final = 2


# After SQS itself has failed.
_PAUSE_SECONDS: Final = 2.0


# How often those who wait look whether it is time to stop.
_GLANCE_SECONDS: Final = 0.1


class EventHandler(Protocol):
    """What the poller needs of `Handler`."""

    @property
    def detectors_failing(self) -> bool:
        """See `Handler.detectors_failing`."""
        ...

    def handle(
        self,
        event: Mapping[str, Any],
        context: "InvocationContext",
        *,
        before_retry: "BeforeRetry | None",
    ) -> Mapping[str, Any]:
        """See `Handler.handle`."""
        ...


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue as SQS describes it."""

    url: str
    arn: str
    visibility_seconds: int


def describe_queue(client: "SQSClient", url: str) -> Queue:
    """Ask SQS, as often as it takes while it is out of reach or out of order.

    Raises:
        ServiceError: there is no such queue for this worker, and waiting would not help.
    """
    while True:
        try:
            attributes = client.get_queue_attributes(
                QueueUrl=url, AttributeNames=["QueueArn", "VisibilityTimeout"]
            )["Attributes"]
            return Queue(url, attributes["QueueArn"], int(attributes["VisibilityTimeout"]))
        except (BotoCoreError, ClientError, KeyError) as error:
            if not _may_pass(error):
                raise ServiceError(f"QUEUE_URL={url!r} can't be polled: {error}") from error
            _LOG.warning("queue unavailable", extra={"error_message": str(error)})
            time.sleep(_PAUSE_SECONDS)


def _may_pass(error: Exception) -> bool:
    """Whether an error may be SQS's or the network's, rather than the settings'.

    botocore makes an empty answer of one that was cut short, hence KeyError.
    """
    if isinstance(error, ClientError):
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        throttled = "Throttl" in error.response["Error"]["Code"]
        return throttled or status >= HTTPStatus.INTERNAL_SERVER_ERROR
    return isinstance(error, (NoConnectionError, HTTPClientError, KeyError))


@dataclass(frozen=True, slots=True)
class Pace:
    """How much is received and handed over at a time, and how long things may take.

    Attributes:
        wait_seconds: of one long poll.
        batches: of ten messages, handed over together.
        batch_seconds: how long they may take; None is the queue's visibility timeout.
        drain_seconds: from the first `Poller.stop` to the end of `Poller.run`, at most.
    """

    wait_seconds: int = 10
    batches: int = 1
    batch_seconds: int | None = None
    drain_seconds: float = 25


@dataclass(frozen=True, slots=True)
class _Context:
    """Stands for Lambda's context."""

    deadline: float

    def get_remaining_time_in_millis(self) -> int:
        return max(0, round((self.deadline - time.monotonic()) * 1000))


class Poller:
    """Receives, hands over, deletes what succeeded."""

    def __init__(
        self,
        client: "SQSClient",
        queue: Queue,
        handler: EventHandler,
        leases: Leases,
        *,
        pace: Pace,
        health: Health,
    ) -> None:
        """Join the parts."""
        self._client = client
        self._queue = queue
        self._handler = handler
        self._leases = leases
        self._pace = pace
        self._health = health
        self._turn = threading.Lock()
        self._stopping = threading.Event()
        self._drained_by = float("inf")

    @property
    def drain_seconds_left(self) -> float:
        """Until what has been begun has to have ended; infinite before `stop`."""
        return max(0.0, self._drained_by - time.monotonic())

    def stop(self) -> None:
        """Receive nothing more and have `run` return in time; the second time, at once.

        May be called by a signal's handler: nothing here waits for the thread it interrupts.
        """
        if self._drained_by < float("inf"):
            self._drained_by = time.monotonic()
            return
        self._drained_by = time.monotonic() + self._pace.drain_seconds
        self._stopping.set()

    def run(self) -> bool:
        """Poll until `stop`.

        Returns:
            whether all that was begun has ended. If not, its messages have been given
            back to the queue, and threads are left that only the process's end ends.
        """
        _LOG.info(
            "polling",
            extra={
                "queue": self._queue.arn,
                "visibility_timeout": self._queue.visibility_seconds,
            },
        )
        self._leases.start()
        executor = futures.ThreadPoolExecutor(_LANES, thread_name_prefix="lane")
        lanes = [executor.submit(self._poll) for _ in range(_LANES)]
        ended = self._wait_for(lanes)
        given_back = self._leases.give_back()
        self._leases.close()
        _LOG.info("stopped", extra={"queue": self._queue.arn, "given_back": given_back})
        for lane in lanes:
            if lane.done():
                lane.result()  # raises what should not have happened
        return ended

    def _wait_for(self, lanes: Sequence[futures.Future[None]]) -> bool:
        """Wait for the lanes, at most as long as a drain may take; returns whether all ended."""
        running: set[futures.Future[None]] = set(lanes)
        while running and self.drain_seconds_left:
            done, running = futures.wait(running, timeout=_GLANCE_SECONDS)
            self._health.tick()
            if done and not self._stopping.is_set():
                self.stop()  # a lane ends by itself only of a mistake of ours
        return not running

    def _poll(self) -> None:
        while not self._stopping.is_set():
            try:
                self._poll_once()
            except (BotoCoreError, ClientError) as error:
                _LOG.warning("queue unavailable", extra={"error_message": str(error)})
                self._stopping.wait(_PAUSE_SECONDS)

    def _poll_once(self) -> None:
        messages = self._receive_all()
        receipts = [message["ReceiptHandle"] for message in messages]
        if not messages:
            return
        if not self._wait_for_turn():
            self._leases.give_back(receipts)
            return
        try:
            done = self._handle(messages)
        finally:
            self._turn.release()
            self._leases.end(*receipts)
        self._delete(done)

    def _receive_all(self) -> list["MessageTypeDef"]:
        """So many batches as there are at once, and no more than are handed over together."""
        messages = self._receive(self._pace.wait_seconds)
        for batches in range(1, self._pace.batches):
            if len(messages) < batches * _BATCH or self._stopping.is_set():
                break
            try:
                messages += self._receive(0)
            except (BotoCoreError, ClientError) as error:  # there is work in hand
                _LOG.warning("queue unavailable", extra={"error_message": str(error)})
                break
        return messages

    def _receive(self, wait_seconds: int) -> list["MessageTypeDef"]:
        received = self._client.receive_message(
            QueueUrl=self._queue.url,
            MaxNumberOfMessages=_BATCH,
            WaitTimeSeconds=wait_seconds,
            AttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        messages = received.get("Messages", [])
        self._leases.take([message["ReceiptHandle"] for message in messages])
        self._health.polled()
        return messages

    def _wait_for_turn(self) -> bool:
        """Wait for the handler; returns False when it is time to stop instead."""
        while not self._turn.acquire(timeout=_GLANCE_SECONDS):
            if self._stopping.is_set():
                return False
        if self._stopping.is_set():
            self._turn.release()
            return False
        return True

    def _handle(self, messages: Sequence["MessageTypeDef"]) -> Sequence["MessageTypeDef"]:
        """Hand messages over; returns those that need not come again."""
        seconds = self._pace.batch_seconds or self._queue.visibility_seconds
        context = _Context(time.monotonic() + seconds)
        records = [record_of(message, self._queue.arn) for message in messages]
        self._health.began(seconds)
        try:
            answer = self._handler.handle(
                {"Records": records},
                context,
                before_retry=lambda handles: self._leases.end(*handles),
            )
        except Exception:  # noqa: BLE001, logged with its traceback
            # As for Lambda: an invocation that fails is a batch that comes again.
            _LOG.exception("invocation failed")
            return []
        finally:
            self._health.ended(detectors_failing=self._handler.detectors_failing)
        failed = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
        return [message for message in messages if message["MessageId"] not in failed]

    def _delete(self, messages: Sequence["MessageTypeDef"]) -> None:
        for start in range(0, len(messages), _BATCH):
            answer = self._client.delete_message_batch(
                QueueUrl=self._queue.url,
                Entries=[
                    {"Id": str(index), "ReceiptHandle": message["ReceiptHandle"]}
                    for index, message in enumerate(messages[start : start + _BATCH])
                ],
            )
            for failure in answer.get("Failed", []):
                # It comes again, and is then found to be done.
                _LOG.warning("message not deleted", extra={"error_message": failure.get("Message")})
