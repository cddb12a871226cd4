"""Messages that are given up → the dead-letter queue, with the reason."""

import time
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError

from worker.errors import ServiceError, error_code

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageAttributeValueTypeDef

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
                    "error_code": _text(error_code(error)),
                    "error_message": _text(str(error)[:_MAX_REASON_CHARACTERS]),
                    "receive_count": {"DataType": "Number", "StringValue": str(attempts)},
                    "original_message_id": _text(message_id),
                },
            )
        except (BotoCoreError, ClientError) as reason:
            raise ServiceError(f"SQS: {reason}") from reason


def _text(value: str) -> "MessageAttributeValueTypeDef":
    # SQS takes no control characters in attributes.
    printable = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in value)
    return {"DataType": "String", "StringValue": printable or "-"}
