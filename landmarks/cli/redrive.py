"""The dead-letter queue, read by people and emptied by them."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageAttributeValueOutputTypeDef, MessageTypeDef

# The code of letters that SQS itself has moved: it says no reason.
UNKNOWN: Final = "UNKNOWN"


# Letters that are being looked at are hidden from others for so long.
_LOOK_SECONDS: Final = 30


_BATCH: Final = 10


# Letters show up again when looking at all of them takes longer than they are hidden:
# so many answers in a row without a new one, and there is none left.
_STALE_ANSWERS: Final = 5


# What the worker says of a letter in its message attributes.
_REASONS: Final = frozenset({"error_code", "error_message", "receive_count", "original_message_id"})


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that was given up.

    Attributes:
        message_id: of the message as it was in the queue.
        letter_id: of the dead letter; the same if SQS itself moved it.
        body: as it came.
        receive_count: how often it was tried there; None if SQS itself moved it.
        error_code: why it was given up; None if SQS itself moved it.
        error_message: the same for people.
        sent_at: when the letter was sent; if SQS itself moved it, when the message was.
        attributes: the message's own.
    """

    message_id: str
    letter_id: str
    body: str
    receive_count: int | None
    error_code: str | None
    error_message: str | None
    sent_at: datetime | None
    attributes: Mapping[str, "MessageAttributeValueOutputTypeDef"] = field(repr=False)

    @property
    def code(self) -> str:
        """The error code, or that there is none."""
        return self.error_code or UNKNOWN

    @property
    def ids(self) -> frozenset[str]:
        """What people may call it."""
        return frozenset({self.message_id, self.letter_id})


@dataclass(frozen=True, slots=True)
class Choice:
    """Which dead letters are meant: those with one of the ids, or with the code, or all."""

    ids: frozenset[str] = frozenset()
    code: str | None = None

    def includes(self, letter: DeadLetter) -> bool:
        """Whether the letter is meant."""
        if self.ids:
            return bool(self.ids & letter.ids)
        return self.code in (None, letter.code)


@dataclass(frozen=True, slots=True)
class Picked:
    """What was done.

    Attributes:
        count: with how many dead letters.
        missing: the ids that no dead letter has.
    """

    count: int
    missing: tuple[str, ...]


class Look:
    """Dead letters in hand, hidden from others; those that are left go back at the end."""

    def __init__(self, sqs: "SQSClient", url: str) -> None:
        """Look into the queue at `url`."""
        self._sqs = sqs
        self._url = url
        self._held: dict[str, str] = {}

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _: TracebackType | None,
    ) -> None:
        """Let others see what is left. Where SQS can't be told, they do so within 30 s."""
        receipts = iter(self._held.values())
        with contextlib.suppress(BotoCoreError, ClientError):
            while part := list(islice(receipts, _BATCH)):
                self._sqs.change_message_visibility_batch(
                    QueueUrl=self._url,
                    Entries=[
                        {"Id": str(place), "ReceiptHandle": receipt, "VisibilityTimeout": 0}
                        for place, receipt in enumerate(part)
                    ],
                )

    def __iter__(self) -> Iterator[DeadLetter]:
        """Take every letter in hand, each once.

        Raises:
            ClientError: SQS refuses.
            BotoCoreError: SQS can't be reached.
        """
        seen: set[str] = set()
        stale = 0
        while stale < _STALE_ANSWERS and (messages := self._receive()):
            fresh = [message for message in messages if message["MessageId"] not in seen]
            stale = 0 if fresh else stale + 1
            self._held |= {message["MessageId"]: message["ReceiptHandle"] for message in messages}
            seen |= {message["MessageId"] for message in fresh}
            yield from map(_dead_letter, fresh)

    def delete(self, letter: DeadLetter) -> None:
        """Delete a letter that is in hand."""
        self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=self._held[letter.letter_id])
        del self._held[letter.letter_id]

    def _receive(self) -> list["MessageTypeDef"]:
        answer = self._sqs.receive_message(
            QueueUrl=self._url,
            MaxNumberOfMessages=_BATCH,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["SentTimestamp"],
            VisibilityTimeout=_LOOK_SECONDS,
            WaitTimeSeconds=1,
        )
        return answer.get("Messages", [])


def read_dead_letters(sqs: "SQSClient", url: str, limit: int) -> Iterator[DeadLetter]:
    """Up to `limit` messages of the dead-letter queue at `url`; they stay there."""
    with Look(sqs, url) as look:
        yield from islice(look, limit)


def find_dead_letter(sqs: "SQSClient", url: str, message_id: str) -> DeadLetter | None:
    """The dead letter with that id, its own or its message's; it stays there."""
    with Look(sqs, url) as look:
        return next((letter for letter in look if message_id in letter.ids), None)


def start_move(sqs: "SQSClient", dead_letter_url: str, queue_url: str) -> str:
    """Have SQS itself move all dead letters back to the queue; returns the task's handle.

    The destination is named, because SQS knows no source queue of messages that the
    worker itself has put aside.
    """
    answer = sqs.start_message_move_task(
        SourceArn=_arn(sqs, dead_letter_url), DestinationArn=_arn(sqs, queue_url)
    )
    return answer["TaskHandle"]


def move_one_by_one(
    sqs: "SQSClient", dead_letter_url: str, queue_url: str, choice: Choice
) -> Picked:
    """Send each chosen dead letter to the queue, then delete it.

    A message may arrive twice when this is interrupted, and never get lost. What the
    worker has given up again in the meantime is left where it is.
    """
    sent: set[str] = set()

    def send(letter: DeadLetter) -> bool:
        if letter.message_id in sent:
            return False
        answer = sqs.send_message(
            QueueUrl=queue_url, MessageBody=letter.body, MessageAttributes=letter.attributes
        )
        sent.add(answer["MessageId"])
        return True

    return _pick(sqs, dead_letter_url, choice, send)


def drop_dead_letters(sqs: "SQSClient", url: str, choice: Choice) -> Picked:
    """Delete the chosen dead letters for good."""
    return _pick(sqs, url, choice, lambda _: True)


def _pick(sqs: "SQSClient", url: str, choice: Choice, done: Callable[[DeadLetter], bool]) -> Picked:
    """Delete what is chosen and `done`; what was asked for by ids is looked for until found."""
    count, missing = 0, choice.ids
    with Look(sqs, url) as look:
        for letter in look:
            if choice.includes(letter) and done(letter):
                look.delete(letter)
                count += 1
                missing -= letter.ids
            if choice.ids and not missing:
                break
    return Picked(count, tuple(sorted(missing)))


def _dead_letter(message: "MessageTypeDef") -> DeadLetter:
    attributes = message.get("MessageAttributes", {})
    said = {name: attributes[name].get("StringValue") for name in _REASONS & attributes.keys()}
    receive_count = said.get("receive_count")
    sent_ms = message.get("Attributes", {}).get("SentTimestamp")
    return DeadLetter(
        message_id=said.get("original_message_id") or message["MessageId"],
        letter_id=message["MessageId"],
        body=message["Body"],
        receive_count=int(receive_count) if receive_count else None,
        error_code=said.get("error_code"),
        error_message=said.get("error_message"),
        sent_at=datetime.fromtimestamp(int(sent_ms) / 1000, UTC) if sent_ms else None,
        attributes={name: value for name, value in attributes.items() if name not in _REASONS},
    )


def _arn(sqs: "SQSClient", url: str) -> str:
    answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return answer["Attributes"]["QueueArn"]
