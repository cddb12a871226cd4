"""The dead-letter queue, read by people and emptied by them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

# Letters that are being looked at are hidden from others for so long.
_LOOK_SECONDS: Final = 30
_BATCH: Final = 10


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that was given up.

    Attributes:
        message_id: of the message as it was in the queue.
        body: as it came.
        receive_count: how often it was tried there; None if SQS itself moved it.
        error_code: why it was given up; None if SQS itself moved it.
        error_message: the same for people.
    """

    message_id: str
    body: str
    receive_count: int | None
    error_code: str | None
    error_message: str | None


def read_dead_letters(sqs: "SQSClient", url: str, limit: int) -> Iterator[DeadLetter]:
    """Up to `limit` messages of the dead-letter queue at `url`; they stay there."""
    seen: set[str] = set()
    while len(seen) < limit:
        messages = _receive(sqs, url)
        fresh = [message for message in messages if message["MessageId"] not in seen]
        if not fresh:
            return
        for message in fresh[: limit - len(seen)]:
            seen.add(message["MessageId"])
            yield _dead_letter(message)


def start_move(sqs: "SQSClient", dead_letter_url: str, queue_url: str) -> str:
    """Have SQS itself move all dead letters back to the queue; returns the task's handle.

    The destination is named, because SQS knows no source queue of messages that the
    worker itself has put aside.
    """
    answer = sqs.start_message_move_task(
        SourceArn=_arn(sqs, dead_letter_url), DestinationArn=_arn(sqs, queue_url)
    )
    return answer["TaskHandle"]


def move_one_by_one(sqs: "SQSClient", dead_letter_url: str, queue_url: str) -> int:
    """Send each dead letter to the queue, then delete it; returns how many there were.

    For services that have no move task. A message may arrive twice when this is
    interrupted, and never get lost.
    """
    moved = 0
    while messages := _receive(sqs, dead_letter_url):
        for message in messages:
            sqs.send_message(QueueUrl=queue_url, MessageBody=message["Body"])
            sqs.delete_message(QueueUrl=dead_letter_url, ReceiptHandle=message["ReceiptHandle"])
            moved += 1
    return moved


def _receive(sqs: "SQSClient", url: str) -> list["MessageTypeDef"]:
    answer = sqs.receive_message(
        QueueUrl=url,
        MaxNumberOfMessages=_BATCH,
        MessageAttributeNames=["All"],
        VisibilityTimeout=_LOOK_SECONDS,
        WaitTimeSeconds=1,
    )
    return answer.get("Messages", [])


def _dead_letter(message: "MessageTypeDef") -> DeadLetter:
    attributes = {
        name: attribute.get("StringValue")
        for name, attribute in message.get("MessageAttributes", {}).items()
    }
    receive_count = attributes.get("receive_count")
    return DeadLetter(
        message_id=attributes.get("original_message_id") or message["MessageId"],
        body=message["Body"],
        receive_count=int(receive_count) if receive_count else None,
        error_code=attributes.get("error_code"),
        error_message=attributes.get("error_message"),
    )


def _arn(sqs: "SQSClient", url: str) -> str:
    answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return answer["Attributes"]["QueueArn"]
