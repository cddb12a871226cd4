"""When a message that failed comes again: later each time, and not all at once."""

import logging
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError

from landmarks.errors import DeadlineError, ServiceError, error_code

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageAttributeValueTypeDef

_LOG = logging.getLogger(__name__)


# 1 minute, 4, 16, then an hour each time: with 8 receives an outage may last
# 2.2 to 4.4 hours before the first innocent message is a dead letter.
_GROWTH: Final = 4


_MAX_DELAY_SECONDS: Final = 3600


# A message whose turn never came is not at fault: soon, but not at once.
_UNSTARTED_DELAY_SECONDS: Final = 5


# Delays are spread from this share of their full length up to it.
_SPREAD_FROM: Final = 0.5


# SQS's limit for one request.
_BATCH: Final = 10


@dataclass(frozen=True, slots=True)
class Postponement:
    """A message that comes again.

    Attributes:
        receipt_handle: of this receive.
        attempts: how often it has been received.
        error: why it comes again.
    """

    receipt_handle: str
    attempts: int
    error: Exception


class Retries:
    """Gives failed messages their delay, by their visibility timeout."""

    def __init__(self, client: "SQSClient", queue_url: str | None, base_seconds: float) -> None:
        """Delay the first retry by up to `base_seconds`, the next ones by more.

        Without a `queue_url` nothing is delayed: the queue's visibility timeout holds.
        """
        self._client = client
        self._queue_url = queue_url
        self._base_seconds = base_seconds

    def postpone(self, postponements: Sequence[Postponement], deadline: float) -> None:
        """Set when messages come again; where SQS can't be told, the queue's own time holds.

        Args:
            postponements: the messages that failed.
            deadline: by the monotonic clock, in seconds; after it SQS is asked nothing.
        """
        for start in range(0, len(postponements), _BATCH):
            if self._queue_url is None or time.monotonic() > deadline:
                return
            part = postponements[start : start + _BATCH]
            try:
                answer = self._client.change_message_visibility_batch(
                    QueueUrl=self._queue_url,
                    Entries=[
                        {
                            "Id": str(index),
                            "ReceiptHandle": postponement.receipt_handle,
                            "VisibilityTimeout": self.delay_seconds(postponement),
                        }
                        for index, postponement in enumerate(part)
                    ],
                )
            except (BotoCoreError, ClientError) as error:
                _LOG.warning("retries not delayed", extra={"error_message": str(error)})
                return
            for failure in answer.get("Failed", []):
                _LOG.warning("retry not delayed", extra={"error_message": failure["Code"]})

    def delay_seconds(self, postponement: Postponement) -> int:
        """How long a message stays away, chance included."""
        if isinstance(postponement.error, DeadlineError):
            longest: float = min(_UNSTARTED_DELAY_SECONDS, self._base_seconds)
        else:
            growth = _GROWTH ** min(postponement.attempts - 1, 10)
            longest = min(self._base_seconds * growth, _MAX_DELAY_SECONDS)
        return round(longest * random.uniform(_SPREAD_FROM, 1))  # noqa: S311, chance, not a secret


# Attributes count towards a message's size: the reason must not make it too large.
_MAX_REASON_CHARACTERS: Final = 300


class DeadLetterQueue:
    """Where messages that are given up wait for a person."""

    def __init__(self, client: "SQSClient", url: str | None) -> None:
        """Send to the queue at `url`; with None, `put` refuses."""
        self._client = client
        self._url = url

    def put(
        self, body: str, *, message_id: str, attempts: int, error: Exception, deadline: float
    ) -> None:
        """Keep a message as it came, with the reason as message attributes.

        Args:
            body: the message's.
            message_id: the message's.
            attempts: its receive count.
            error: why it is given up.
            deadline: by the monotonic clock, in seconds; after it SQS is not asked.

        Raises:
            ServiceError: it could not be sent, or there is no such queue; the
                message has to stay where it is.
        """
        if self._url is None:
            raise ServiceError("DEAD_LETTER_QUEUE_URL is not set")
        if time.monotonic() > deadline:
            raise ServiceError("no time left to ask SQS")
        try:
            self._client.send_message(
                QueueUrl=self._url,
                MessageBody=body,
                MessageAttributes={
                    "error_code": _string_attribute(error_code(error)),
                    "error_message": _string_attribute(str(error)[:_MAX_REASON_CHARACTERS]),
                    "receive_count": {"DataType": "Number", "StringValue": str(attempts)},
                    "original_message_id": _string_attribute(message_id),
                },
            )
        except (BotoCoreError, ClientError) as reason:
            raise ServiceError(f"SQS: {reason}") from reason


def _string_attribute(value: str) -> "MessageAttributeValueTypeDef":
    # SQS takes no control characters in attributes.
    printable = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in value)
    return {"DataType": "String", "StringValue": printable or "-"}
