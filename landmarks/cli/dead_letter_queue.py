"""Reads, redrives and deletes dead letters."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Final, Self, TypedDict

from botocore.exceptions import BotoCoreError, ClientError

from landmarks.cli.options import is_aws, is_fifo
from landmarks.cli.terminal import one_line
from landmarks.errors import LandmarkError
from landmarks.job import REASON_ATTRIBUTES

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageAttributeValueOutputTypeDef, MessageTypeDef

# The code of dead letters that SQS itself moved, without a reason.
UNKNOWN: Final = "UNKNOWN"

_HIDDEN_SECONDS: Final = 30
_BATCH: Final = 10  # SQS's limit for one request
# In a large queue, dead letters become visible again while we read. After this many answers in a
# row without a new one, we have seen all of them.
_MAX_STALE_ANSWERS: Final = 5


# What a service answers to an operation that it doesn't know.
_UNKNOWN_OPERATION: Final = frozenset({"InvalidAction", "UnknownOperationException"})


class NoMoveTaskError(LandmarkError):
    """Raised when an emulator of SQS can't move messages by itself."""

    code = "NO_MOVE_TASK"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message in the dead-letter queue.

    After too many receives, SQS itself moves a message there, unchanged and with its id. The
    worker sends a copy with the reasons in its message attributes.

    Attributes:
        message_id: the message's id in the job queue.
        letter_id: the id in the dead-letter queue; the same if SQS moved the message.
        body: the producer's message body.
        receive_count: how often the message was received; None if SQS moved it.
        error_code: why the worker moved it; None if SQS did.
        error_message: explanation of the error code; None if SQS moved it.
        sent_at: when the copy was sent; if SQS moved it, when the original message was sent.
        attributes: the producer's message attributes.
        trace_header: the producer's X-Ray trace header (SQS's AWSTraceHeader).
        group: the message group; None if it has none.
    """

    message_id: str
    letter_id: str
    body: str
    receive_count: int | None
    error_code: str | None
    error_message: str | None
    sent_at: datetime | None
    attributes: Mapping[str, "MessageAttributeValueOutputTypeDef"]
    trace_header: str | None
    group: str | None

    @property
    def code(self) -> str:
        """The error code, or UNKNOWN."""
        return self.error_code or UNKNOWN

    @property
    def ids(self) -> frozenset[str]:
        """Both ids; users may specify either."""
        return frozenset({self.message_id, self.letter_id})


@dataclass(frozen=True, slots=True)
class Choice:
    """Selects dead letters by id, by code, or all of them."""

    ids: frozenset[str] = frozenset()
    code: str | None = None

    def includes(self, letter: DeadLetter) -> bool:
        """Return whether the dead letter is selected."""
        if self.ids:
            return bool(self.ids & letter.ids)
        return self.code in (None, letter.code)


class DeadLetterReader:
    """Receives each dead letter once, and makes them visible again when the block ends."""

    def __init__(self, sqs: "SQSClient", url: str) -> None:
        self._sqs = sqs
        self._url = url
        self._receipt_handles: dict[str, str] = {}

    def __enter__(self) -> Self:
        """Return the reader. Nothing is received before iteration."""
        return self

    def __exit__(self, *_: object) -> None:
        """Make the remaining dead letters visible. If that fails, they are after 30 seconds."""
        handles = iter(self._receipt_handles.values())
        with contextlib.suppress(BotoCoreError, ClientError):
            while part := list(islice(handles, _BATCH)):
                self._sqs.change_message_visibility_batch(
                    QueueUrl=self._url,
                    Entries=[
                        {"Id": str(index), "ReceiptHandle": handle, "VisibilityTimeout": 0}
                        for index, handle in enumerate(part)
                    ],
                )

    def __iter__(self) -> Iterator[DeadLetter]:
        """Receive dead letters until the queue has no more.

        Raises:
            ClientError: SQS rejected the request.
            BotoCoreError: SQS can't be reached.
        """
        seen: set[str] = set()
        stale = 0
        while stale < _MAX_STALE_ANSWERS and (messages := self._receive()):
            self._receipt_handles |= {m["MessageId"]: m["ReceiptHandle"] for m in messages}
            fresh = [message for message in messages if message["MessageId"] not in seen]
            stale = 0 if fresh else stale + 1
            seen |= {message["MessageId"] for message in fresh}
            yield from map(_dead_letter, fresh)

    def delete(self, letter: DeadLetter) -> None:
        """Delete a dead letter that this reader received."""
        handle = self._receipt_handles[letter.letter_id]
        self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=handle)
        del self._receipt_handles[letter.letter_id]

    def _receive(self) -> list["MessageTypeDef"]:
        answer = self._sqs.receive_message(
            QueueUrl=self._url,
            MaxNumberOfMessages=_BATCH,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["SentTimestamp", "AWSTraceHeader", "MessageGroupId"],
            VisibilityTimeout=_HIDDEN_SECONDS,
            WaitTimeSeconds=1,
        )
        return answer.get("Messages", [])


def read_dead_letters(sqs: "SQSClient", url: str, limit: int | None = None) -> Iterator[DeadLetter]:
    """Read up to `limit` dead letters without removing them from the queue."""
    with DeadLetterReader(sqs, url) as reader:
        yield from islice(reader, limit)


def start_move_task(sqs: "SQSClient", dead_letter_url: str, queue_url: str) -> str:
    """Start moving all dead letters to the queue, and return the handle of SQS's task.

    The messages keep the worker's reasons in their attributes. The worker ignores them, and
    replaces them if the message fails again. The destination is required because SQS does not
    know the source queue of copies that the worker sent.

    Raises:
        NoMoveTaskError: this is an emulator of SQS without move tasks.
        ClientError: SQS rejected the request.
        BotoCoreError: SQS can't be reached.
    """
    source, destination = _arn(sqs, dead_letter_url), _arn(sqs, queue_url)
    try:
        answer = sqs.start_message_move_task(SourceArn=source, DestinationArn=destination)
    except ClientError as error:
        code = error.response["Error"].get("Code", "")
        if is_aws(sqs.meta.endpoint_url) and code not in _UNKNOWN_OPERATION:
            raise
        raise NoMoveTaskError(f"this SQS has no move task ({one_line(code)})") from error
    return answer["TaskHandle"]


def send_back(
    sqs: "SQSClient", dead_letter_url: str, queue_url: str, choice: Choice
) -> tuple[int, list[str]]:
    """Send dead letters to the queue as their producer sent them, then delete them.

    An interruption can duplicate a message, but never loses one. Messages that fail again in the
    meantime stay in the dead-letter queue.

    Returns:
        how many were sent, and the selected ids that were not found.
    """
    sent_ids: set[str] = set()

    def send(letter: DeadLetter) -> bool:
        if letter.message_id in sent_ids:
            return False
        trace = letter.trace_header
        answer = sqs.send_message(
            QueueUrl=queue_url,
            MessageBody=letter.body,
            MessageAttributes=letter.attributes,
            MessageSystemAttributes=(
                {"AWSTraceHeader": {"DataType": "String", "StringValue": trace}} if trace else {}
            ),
            **(_place_in_group(letter) if is_fifo(queue_url) else {}),
        )
        sent_ids.add(answer["MessageId"])
        return True

    return _delete(sqs, dead_letter_url, choice, send)


def delete_dead_letters(sqs: "SQSClient", url: str, choice: Choice) -> tuple[int, list[str]]:
    """Delete dead letters permanently.

    Returns:
        how many were deleted, and the selected ids that were not found.
    """
    return _delete(sqs, url, choice, lambda _: True)


def _delete(
    sqs: "SQSClient", url: str, choice: Choice, may_delete: Callable[[DeadLetter], bool]
) -> tuple[int, list[str]]:
    count, missing = 0, choice.ids
    with DeadLetterReader(sqs, url) as reader:
        for letter in reader:
            if choice.includes(letter) and may_delete(letter):
                reader.delete(letter)
                count += 1
                missing -= letter.ids
            if choice.ids and not missing:
                break
    return count, sorted(missing)


def _dead_letter(message: "MessageTypeDef") -> DeadLetter:
    attributes, system = dict(message.get("MessageAttributes", {})), message.get("Attributes", {})
    reasons: dict[str, str] = {}
    # The worker always writes all four. A producer may use `error_code` for itself.
    if attributes.keys() >= set(REASON_ATTRIBUTES):
        reasons = {name: attributes.pop(name).get("StringValue", "") for name in REASON_ATTRIBUTES}
    receive_count = reasons.get("receive_count", "")
    sent_ms = system.get("SentTimestamp")
    return DeadLetter(
        message_id=reasons.get("original_message_id") or message["MessageId"],
        letter_id=message["MessageId"],
        body=message["Body"],
        receive_count=int(receive_count) if receive_count.isdecimal() else None,
        error_code=reasons.get("error_code"),
        error_message=reasons.get("error_message"),
        sent_at=datetime.fromtimestamp(int(sent_ms) / 1000, UTC) if sent_ms else None,
        attributes=attributes,
        trace_header=system.get("AWSTraceHeader"),
        group=system.get("MessageGroupId"),
    )


class _Group(TypedDict, total=False):
    MessageGroupId: str
    MessageDeduplicationId: str


def _place_in_group(letter: DeadLetter) -> _Group:
    # The producer's deduplication id could still be known to SQS, which would drop the message.
    return {
        "MessageGroupId": letter.group or letter.message_id,
        "MessageDeduplicationId": letter.letter_id,
    }


def _arn(sqs: "SQSClient", url: str) -> str:
    answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return answer["Attributes"]["QueueArn"]
