"""Everything the worker tells SQS: delays of failed messages, and dead letters."""

import logging
import random
import time
from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NotRequired, Self, TypedDict

from botocore.exceptions import BotoCoreError, ClientError

from landmarks.errors import DeadlineError, ServiceError, error_code
from landmarks.job import REASON_ATTRIBUTES

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageAttributeValueTypeDef

    Attributes = Mapping[str, MessageAttributeValueTypeDef]

_LOG = logging.getLogger(__name__)

# 1 minute, 4, 16, then an hour each time: with 8 receives an outage may last 2.2 to 4.4 hours
# before the first innocent message becomes a dead letter.
_GROWTH: Final = 4
_MAX_DELAY_SECONDS: Final = 3600

# A job that was not started, or ran out of time, is not at fault: soon, but not at once.
_UNSTARTED_DELAY_SECONDS: Final = 5

# Delays are spread from this share of their full length up to it.
_SPREAD_FROM: Final = 0.5

_FIFO: Final = ".fifo"  # ends every FIFO queue's name, and no other's

_MAX_BATCH: Final = 10  # SQS's limit
_MAX_ATTRIBUTES: Final = 10  # SQS's limit

# Attributes count towards a message's size: the reason must not make it too large.
_MAX_REASON_CHARACTERS: Final = 300


@dataclass(frozen=True, slots=True)
class ReceivedMessage:
    """An SQS message as it was received.

    Attributes:
        message_id: SQS's name for it.
        receipt_handle: of this receive.
        body: as it was sent.
        attempts: how often it has been received.
        attributes: the producer's message attributes, in the form that Lambda gives them.
        group: the message group whose order a FIFO queue keeps; None in a standard queue.
    """

    message_id: str
    receipt_handle: str
    body: str
    attempts: int
    attributes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    group: str | None = None

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """The message in a record of Lambda's event."""
        # Standard queues have groups as well, without an order.
        in_order = record.get("eventSourceARN", "").endswith(_FIFO)
        return cls(
            message_id=record["messageId"],
            receipt_handle=record["receiptHandle"],
            body=record["body"],
            attempts=int(record["attributes"]["ApproximateReceiveCount"]),
            attributes=record.get("messageAttributes") or {},
            group=record["attributes"].get("MessageGroupId") if in_order else None,
        )


class Retries:
    """Delays failed messages, by their visibility timeout.

    Args:
        client: for SQS.
        queue_url: the queue; None delays nothing, and the queue's own visibility timeout holds.
        base_seconds: the longest first delay.
    """

    def __init__(self, client: "SQSClient", queue_url: str | None, base_seconds: float) -> None:
        self._client = client
        self._queue_url = queue_url
        self._base_seconds = base_seconds

    def delay(self, failed: Sequence[tuple[ReceivedMessage, Exception]], deadline: float) -> None:
        """Set when SQS delivers failed messages again.

        If SQS can't be told, the queue's own visibility timeout holds.

        Args:
            failed: messages, and why they failed.
            deadline: by the monotonic clock, in seconds; SQS is not asked after it.
        """
        for start in range(0, len(failed), _MAX_BATCH):
            if self._queue_url is None or time.monotonic() > deadline:
                return
            try:
                answer = self._client.change_message_visibility_batch(
                    QueueUrl=self._queue_url,
                    Entries=[
                        {
                            "Id": str(index),
                            "ReceiptHandle": message.receipt_handle,
                            "VisibilityTimeout": self.delay_seconds(message.attempts, error),
                        }
                        for index, (message, error) in enumerate(failed[start : start + _MAX_BATCH])
                    ],
                )
            except (BotoCoreError, ClientError) as error:
                _LOG.warning("retries not delayed", extra={"error_message": str(error)})
                return
            for failure in answer.get("Failed", []):
                _LOG.warning("retry not delayed", extra={"error_message": failure["Code"]})

    def delay_seconds(self, attempts: int, error: Exception) -> int:
        """How long a message that failed for the n-th time is hidden, at random within limits."""
        if isinstance(error, DeadlineError):
            longest: float = min(_UNSTARTED_DELAY_SECONDS, self._base_seconds)
        else:
            growth = _GROWTH ** min(attempts - 1, 10)
            longest = min(self._base_seconds * growth, _MAX_DELAY_SECONDS)
        return round(longest * random.uniform(_SPREAD_FROM, 1))  # noqa: S311, not a secret


class DeadLetterQueue:
    """Where messages that are given up wait for a person.

    Args:
        client: for SQS.
        url: the queue; None has `put` refuse every message.
    """

    def __init__(self, client: "SQSClient", url: str | None) -> None:
        self._client = client
        self._url = url

    def put(self, message: ReceivedMessage, error: Exception, deadline: float) -> None:
        """Keep a message as it came, with the reason as message attributes.

        The producer's own attributes are kept, and so is the message group if this is a FIFO queue.
        Attributes that do not fit beside the reason are named in `error_message`.

        Args:
            message: what is given up.
            error: why.
            deadline: by the monotonic clock, in seconds; SQS is not asked after it.

        Raises:
            ServiceError: it could not be sent, or there is no such queue; the message has to stay
                where it is.
        """
        if self._url is None:
            raise ServiceError("DEAD_LETTER_QUEUE_URL is not set")
        if time.monotonic() > deadline:
            raise ServiceError("no time left to ask SQS")
        kept = _kept(message)
        try:
            try:
                self._send(self._url, message, error, kept)
            except ClientError as refused:
                if not kept or refused.response["Error"]["Code"] != "InvalidParameterValue":
                    raise
                self._send(self._url, message, error, {})  # it was too large with them
        except (BotoCoreError, ClientError) as reason:
            raise ServiceError(f"SQS: {reason}") from reason

    def _send(
        self, url: str, message: ReceivedMessage, error: Exception, kept: "Attributes"
    ) -> None:
        lost = [name for name in message.attributes if name not in kept]
        words = str(error)[:_MAX_REASON_CHARACTERS]
        if lost:
            words += f" (message attributes left out: {', '.join(lost)})"
        reason = (
            _string(error_code(error)),
            _string(words),
            _number(message.attempts),
            _string(message.message_id),
        )
        self._client.send_message(
            QueueUrl=url,
            MessageBody=message.body,
            MessageAttributes={**kept, **dict(zip(REASON_ATTRIBUTES, reason, strict=True))},
            **_place_in_group(url, message),
        )


class _Group(TypedDict):
    MessageGroupId: NotRequired[str]
    MessageDeduplicationId: NotRequired[str]


def _place_in_group(url: str, message: ReceivedMessage) -> _Group:
    """What a FIFO queue wants to know; a message that is sent twice is there once."""
    if not url.endswith(_FIFO):
        return {}
    return {
        "MessageGroupId": message.group or message.message_id,
        "MessageDeduplicationId": message.message_id,
    }


def _kept(message: ReceivedMessage) -> "Attributes":
    """The producer's attributes that fit beside the reason, as SQS takes them."""
    names = [name for name in message.attributes if name not in REASON_ATTRIBUTES]
    names = names[: _MAX_ATTRIBUTES - len(REASON_ATTRIBUTES)]
    return {name: _attribute(message.attributes[name]) for name in names}


def _attribute(attribute: Mapping[str, Any]) -> "MessageAttributeValueTypeDef":
    """A message attribute from Lambda's event, which is JSON: bytes are base64 there."""
    if attribute["dataType"].startswith("Binary"):
        return {
            "DataType": attribute["dataType"],
            "BinaryValue": b64decode(attribute["binaryValue"]),
        }
    return {"DataType": attribute["dataType"], "StringValue": attribute["stringValue"]}


def _string(value: str) -> "MessageAttributeValueTypeDef":
    # SQS takes no control characters in attributes.
    printable = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in value)
    return {"DataType": "String", "StringValue": printable or "-"}


def _number(value: int) -> "MessageAttributeValueTypeDef":
    return {"DataType": "Number", "StringValue": str(value)}
