"""Receives messages, hands them to the handler, deletes those that succeeded.

Two receivers take turns: while one has its batch handled, the other deletes its last batch and
receives the next. The turn passes when the batch's last job has been started, so that the detectors
need not wait for its end.
"""

import logging
import threading
import time
from base64 import b64encode
from collections.abc import Mapping, Sequence
from concurrent import futures
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, Protocol

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnectionError

from landmarks.errors import ServiceError
from worker.poller.health import Health
from worker.poller.heartbeat import Heartbeat
from worker.poller.options import Options

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

    from worker.batch import AllStarted, BeforeRetry
    from worker.handler import InvocationContext

    Messages = Sequence[MessageTypeDef]

_LOG = logging.getLogger(__name__)

_BATCH: Final = 10  # SQS's limit for one receive or delete
_RECEIVERS: Final = 2
_OUTAGE_SECONDS: Final = 2.0  # between attempts while SQS fails
_CHECK_SECONDS: Final = 0.1  # how often waiting threads check whether to stop

_NO_QUEUE: Final = "there is no such queue: check the URL and AWS_REGION"
_REJECTED: Final = "AWS rejects the credentials: `aws sts get-caller-identity` checks them"
_DENIED: Final = "access is denied: the worker's role must allow sqs:GetQueueAttributes on it"
# What to do about SQS's refusals, by their codes.
_ADVICE: Final = {
    "NonExistentQueue": _NO_QUEUE,
    "QueueDoesNotExist": _NO_QUEUE,
    "InvalidAddress": _NO_QUEUE,
    "AccessDenied": _DENIED,
    "AccessDeniedException": _DENIED,
    "ExpiredToken": "the AWS credentials have expired",
    "InvalidClientTokenId": _REJECTED,
    "SignatureDoesNotMatch": _REJECTED,
    "UnrecognizedClientException": _REJECTED,
}


class EventHandler(Protocol):
    """What the poller needs of `worker.handler.Handler`."""

    @property
    def detectors_failing(self) -> bool:
        """See `Handler.detectors_failing`."""

    def handle(
        self,
        event: Mapping[str, Any],
        context: "InvocationContext",
        *,
        before_retry: "BeforeRetry | None",
        all_started: "AllStarted | None",
    ) -> Mapping[str, Any]:
        """See `Handler.handle`."""


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue as SQS describes it."""

    url: str
    arn: str
    visibility_seconds: int


@dataclass(frozen=True, slots=True)
class _Context:
    """Stands in for Lambda's context object."""

    deadline: float

    def get_remaining_time_in_millis(self) -> int:
        return max(0, round((self.deadline - time.monotonic()) * 1000))


def describe_queue(client: "SQSClient", url: str) -> Queue:
    """Ask SQS about a queue, and wait while SQS is unreachable or failing.

    Raises:
        ServiceError: the queue does not exist or this worker may not use it.
    """
    while True:
        try:
            attributes = client.get_queue_attributes(
                QueueUrl=url, AttributeNames=["QueueArn", "VisibilityTimeout"]
            )["Attributes"]
            return Queue(url, attributes["QueueArn"], int(attributes["VisibilityTimeout"]))
        except (BotoCoreError, ClientError, KeyError) as error:
            if not _is_outage(error):
                reason = f"QUEUE_URL={url!r} can't be polled: {_advice(error)}"
                raise ServiceError(reason) from error
            _LOG.warning("queue unavailable", extra={"error_message": str(error)})
            time.sleep(_OUTAGE_SECONDS)


def _advice(error: Exception) -> str:
    """What is wrong with the queue or the settings, and what to do about it."""
    code = error.response["Error"]["Code"] if isinstance(error, ClientError) else ""
    return _ADVICE.get(code.removeprefix("AWS.SimpleQueueService."), str(error))


def _is_outage(error: Exception) -> bool:
    """Whether SQS or the network failed, rather than the settings being wrong."""
    if isinstance(error, ClientError):
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        throttled = "Throttl" in error.response["Error"]["Code"]
        return throttled or status >= HTTPStatus.INTERNAL_SERVER_ERROR
    # botocore parses an answer that was cut short as an empty one, hence KeyError.
    return isinstance(error, (NoConnectionError, HTTPClientError, KeyError))


class Poller:
    """Polls a queue until it is stopped, and drains."""

    def __init__(
        self,
        client: "SQSClient",
        queue: Queue,
        handler: EventHandler,
        heartbeat: Heartbeat,
        options: Options,
        health: Health,
    ) -> None:
        self._client = client
        self._queue = queue
        self._handler = handler
        self._heartbeat = heartbeat
        self._options = options
        self._health = health
        self._turn = threading.Lock()
        self._stopping = threading.Event()
        self._drained_by = float("inf")

    @property
    def drain_seconds_left(self) -> float:
        """How long unfinished work may still take; infinite before `stop`."""
        return max(0.0, self._drained_by - time.monotonic())

    def stop(self) -> None:
        """Stop receiving and have `run` return once drained; a second call ends the drain.

        Signal handlers may call it, even while it is running.
        """
        if self._drained_by < float("inf"):
            self._drained_by = time.monotonic()
            return
        self._drained_by = time.monotonic() + self._options.drain_seconds
        self._stopping.set()

    def run(self) -> bool:
        """Poll until `stop`.

        Returns:
            whether the work in progress was finished. If not, its messages are visible to
            others again, and its threads run on until the process ends.
        """
        facts = {"queue": self._queue.arn, "visibility_timeout": self._queue.visibility_seconds}
        _LOG.info("polling", extra=facts)
        self._heartbeat.start()
        executor = futures.ThreadPoolExecutor(_RECEIVERS, thread_name_prefix="receiver")
        receivers = [executor.submit(self._poll) for _ in range(_RECEIVERS)]
        finished = self._wait_for(set(receivers))
        given_back = self._heartbeat.release()
        self._heartbeat.close()
        _LOG.info("stopped", extra={"queue": self._queue.arn, "given_back": given_back})
        for receiver in receivers:
            if receiver.done():
                receiver.result()  # raises what only a bug can have raised
        return finished

    def _wait_for(self, running: set[futures.Future[None]]) -> bool:
        """Wait until the receivers have ended, or the drain; returns whether all have ended."""
        while running and self.drain_seconds_left:
            done, running = futures.wait(running, timeout=_CHECK_SECONDS)
            self._health.tick()
            if done and not self._stopping.is_set():
                self.stop()  # only a bug ends a receiver before `stop`
        return not running

    def _poll(self) -> None:
        while not self._stopping.is_set():
            try:
                self._poll_once()
            except (BotoCoreError, ClientError) as error:
                _LOG.warning("queue unavailable", extra={"error_message": str(error)})
                self._stopping.wait(_OUTAGE_SECONDS)

    def _poll_once(self) -> None:
        messages = self._receive_all()
        if not messages:
            return
        handles = [message["ReceiptHandle"] for message in messages]
        if not self._wait_for_turn():
            self._heartbeat.release(handles)
            return
        turn = [self._turn]

        def pass_turn() -> None:
            with suppress(IndexError):  # it has passed already
                turn.pop().release()

        try:
            done = self._handle(messages, pass_turn)
        finally:
            pass_turn()
            self._heartbeat.remove(handles)
        self._delete(done)

    def _receive_all(self) -> list["MessageTypeDef"]:
        """Up to as many batches as are handed over together, if they are there."""
        # A poll that outlasts the drain would receive what has just been given back.
        messages = self._receive(min(self._options.wait_seconds, self._options.drain_seconds))
        for batches in range(1, self._options.batches or 1):
            if len(messages) < batches * _BATCH or self._stopping.is_set():
                break
            try:
                messages += self._receive(0)
            except (BotoCoreError, ClientError) as error:  # handle what has arrived
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
        self._heartbeat.add([message["ReceiptHandle"] for message in messages])
        self._health.polled()
        return messages

    def _wait_for_turn(self) -> bool:
        """Wait for the handler; returns False if the poller is to stop instead."""
        while not self._turn.acquire(timeout=_CHECK_SECONDS):
            if self._stopping.is_set():
                return False
        if self._stopping.is_set():
            self._turn.release()
            return False
        return True

    def _handle(self, messages: "Messages", all_started: "AllStarted") -> "Messages":
        """Hand messages over; returns those to delete."""
        seconds = self._options.batch_seconds or self._queue.visibility_seconds
        records = [record_of(message, self._queue.arn) for message in messages]
        due = self._health.began(seconds)
        try:
            answer = self._handler.handle(
                {"Records": records},
                _Context(time.monotonic() + seconds),
                before_retry=self._heartbeat.remove,
                all_started=all_started,
            )
        except Exception:  # noqa: BLE001, logged with its traceback
            # As with Lambda: the messages of a failed invocation are received again.
            _LOG.exception("invocation failed")
            return []
        finally:
            self._health.ended(due, detectors_failing=self._handler.detectors_failing)
        failed = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
        return [message for message in messages if message["MessageId"] not in failed]

    def _delete(self, messages: "Messages") -> None:
        for start in range(0, len(messages), _BATCH):
            answer = self._client.delete_message_batch(
                QueueUrl=self._queue.url,
                Entries=[
                    {"Id": str(index), "ReceiptHandle": message["ReceiptHandle"]}
                    for index, message in enumerate(messages[start : start + _BATCH])
                ],
            )
            for failure in answer.get("Failed", []):
                # It will be received again, and skipped as a duplicate.
                _LOG.warning("message not deleted", extra={"error_message": failure.get("Message")})


def record_of(message: "MessageTypeDef", queue_arn: str) -> dict[str, Any]:
    """A message as a record of the event that Lambda would get."""
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
        "eventSourceARN": queue_arn,
        "awsRegion": queue_arn.split(":")[3],
    }


def _attribute(attribute: Mapping[str, Any]) -> dict[str, Any]:
    """Names begin in lower case there, and JSON has binary values as base64."""
    return {
        name[0].lower() + name[1:]: b64encode(value).decode() if name == "BinaryValue" else value
        for name, value in attribute.items()
    }
