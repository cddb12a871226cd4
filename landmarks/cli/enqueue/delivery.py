"""One batch → SQS, again and again where that helps."""

import mimetypes
import random
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from botocore import exceptions
from botocore.config import Config
from botocore.exceptions import ClientError

from landmarks.cli.enqueue.batches import Batch, Message
from landmarks.cli.enqueue.entries import Refusal
from landmarks.cli.enqueue.state import InterruptedReadingError, Interruption, State

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import BatchResultErrorEntryTypeDef

# Tries, and the waits between them: 0.2 s, then twice as long, up to 20 s: 66 s in all at most.
_TRIES: Final = 9


_FIRST_WAIT_SECONDS: Final = 0.2


_LONGEST_WAIT_SECONDS: Final = 20.0


_SERVER_ERROR: Final = 500


_THROTTLED: Final = frozenset(
    {
        "RequestLimitExceeded",
        "RequestThrottled",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "KmsThrottled",
        "KMS.ThrottlingException",
    }
)


def client_config(concurrency: int) -> Config:
    """For clients that serve so many threads; what fails is tried again here, not by botocore."""
    return Config(
        connect_timeout=5,
        read_timeout=20,
        max_pool_connections=concurrency,
        retries={"total_max_attempts": 1},
    )


@dataclass(slots=True)
class Receipt:
    """What became of a batch.

    Attributes:
        sent: accepted by SQS.
        refused: SQS, or the file to upload, will never be right.
        pending: not sent yet, because of `error` or because sending was stopped.
        error: why no message can be sent now; None if it was only stopped.
    """

    sent: list[Message] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    pending: list[Message] = field(default_factory=list)
    error: Exception | None = None


Upload = Callable[[Message], None]


@dataclass(frozen=True)
class Sender:
    """Sends batches to one queue; for many threads at once.

    Attributes:
        sqs: a client with `client_config`.
        queue_url: of the queue.
        stopped: once set, no try follows the present one.
        delay_seconds: how long SQS keeps the messages back.
        upload: brings a message's file to S3.
    """

    sqs: "SQSClient" = field(repr=False)
    queue_url: str
    stopped: threading.Event
    delay_seconds: int = 0
    upload: Upload | None = None

    def send(self, messages: list[Message]) -> Receipt:
        """Send a batch; never raises what S3, SQS or the network say."""
        receipt = Receipt(pending=list(messages))
        for wait in _waits():
            if self.stopped.is_set() or not receipt.pending:
                return receipt
            receipt.error = None
            try:
                self._upload_pending(receipt)
                self._send_pending(receipt)
            except Exception as error:  # noqa: BLE001, the thread that confirms raises it again
                receipt.error = error
                if not _may_pass(error):
                    return receipt
            if receipt.pending and wait:
                self.stopped.wait(wait)
        return receipt if receipt.error else _given_up(receipt)

    def _upload_pending(self, receipt: Receipt) -> None:
        if not self.upload:
            return
        for message in tuple(receipt.pending):
            place = receipt.pending.index(message)
            try:
                self.upload(message)
            except OSError as error:  # the file's: what the network says is none
                receipt.refused.append(Refusal(str(message.file), str(error)))
                del receipt.pending[place]
            else:
                receipt.pending[place] = replace(message, file=None)

    def _send_pending(self, receipt: Receipt) -> None:
        if not receipt.pending:
            return
        by_id = {str(number): message for number, message in enumerate(receipt.pending)}
        answer = self.sqs.send_message_batch(
            QueueUrl=self.queue_url,
            Entries=[
                {"Id": name, "MessageBody": message.body, "DelaySeconds": self.delay_seconds}
                for name, message in by_id.items()
            ],
        )
        failed = {failure["Id"]: failure for failure in answer.get("Failed", [])}
        receipt.sent += [message for name, message in by_id.items() if name not in failed]
        receipt.pending = [
            by_id[name] for name, failure in failed.items() if not failure["SenderFault"]
        ]
        receipt.refused += [
            Refusal(by_id[name].body, _reason(failure))
            for name, failure in failed.items()
            if failure["SenderFault"]
        ]


def uploader(s3: "S3Client") -> Upload:
    """Uploads with a client, one file a call."""
    from boto3.s3.transfer import TransferConfig  # noqa: PLC0415, only uploads need it

    config = TransferConfig(use_threads=False)  # each of the sender's threads uploads already

    def upload(message: Message) -> None:
        if message.file and message.bucket:
            kind, _ = mimetypes.guess_type(message.key)
            arguments = {"ContentType": kind} if kind else {}
            s3.upload_file(
                str(message.file), message.bucket, message.key, ExtraArgs=arguments, Config=config
            )

    return upload


def _waits() -> list[float]:
    """How long to wait after each try, spread by chance; not at all after the last."""
    longest = [
        min(_LONGEST_WAIT_SECONDS, _FIRST_WAIT_SECONDS * 2**number) for number in range(_TRIES - 1)
    ]
    return [random.uniform(wait / 2, wait) for wait in longest] + [0]  # noqa: S311, no secret


def _may_pass(error: Exception) -> bool:
    """Tell whether the same request may succeed in a while."""
    from boto3.exceptions import S3UploadFailedError  # noqa: PLC0415, only uploads need it

    if isinstance(error, S3UploadFailedError) and isinstance(error.__context__, ClientError):
        error = error.__context__
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return status >= _SERVER_ERROR or error.response["Error"]["Code"] in _THROTTLED
    return isinstance(error, exceptions.ConnectionError | exceptions.HTTPClientError)


def _given_up(receipt: Receipt) -> Receipt:
    """What SQS has refused one by one, each time, is refused for good."""
    receipt.refused += [
        Refusal(message.body, f"SQS refused it {_TRIES} times") for message in receipt.pending
    ]
    receipt.pending = []
    return receipt


def _reason(failure: "BatchResultErrorEntryTypeDef") -> str:
    return f"{failure['Code']}: {failure.get('Message', '')}".rstrip(": ")


# So that one slow batch doesn't leave the other threads without work.
_BATCHES_A_THREAD: Final = 2


def _ignore(_: object) -> None:
    """For whoever doesn't want to know."""


@dataclass
class Delivery:
    """Sends batches and keeps account of them in a state.

    Attributes:
        sender: sends one batch.
        state: where the account is kept.
        interruption: ends the delivery early; set here, too, when an error ends it.
        concurrency: how many threads send.
        save: writes the state down.
        refuse: writes refusals down, before the state.
    """

    sender: Sender
    state: State
    interruption: Interruption
    concurrency: int
    save: Callable[[State], None] = _ignore
    refuse: Callable[[list[Refusal]], None] = _ignore
    error: Exception | None = field(default=None, init=False)

    def deliver(self, batches: Iterator[Batch]) -> bool:
        """Send all batches; tells whether there were no more and all are settled.

        Raises:
            Exception: what the batches' source raised, after everything in flight is settled,
                or what made sending impossible.
        """
        window: deque[tuple[Batch, Future[Receipt]]] = deque()
        ended = False
        with ThreadPoolExecutor(self.concurrency, "sender") as threads:
            try:
                while batch := self._next(batches):
                    window.append((batch, threads.submit(self.sender.send, batch.messages)))
                    self._settle(window, leave=self.concurrency * _BATCHES_A_THREAD - 1)
                ended = not self.interruption.stopped.is_set()
            finally:
                self._settle(window, leave=0)
        if self.error:
            raise self.error
        return ended and not self.state.pending

    def _next(self, batches: Iterator[Batch]) -> Batch | None:
        try:
            with self.interruption.reading():
                return next(batches, None)
        except InterruptedReadingError:
            return None

    def _settle(self, window: deque[tuple[Batch, Future[Receipt]]], leave: int) -> None:
        """Settle what is done, and wait until no more than `leave` batches are under way."""
        while window and (len(window) > leave or window[0][1].done()):
            batch, future = window.popleft()
            self._account(batch, future.result())

    def _account(self, batch: Batch, receipt: Receipt) -> None:
        refused = batch.refused + receipt.refused
        if refused:
            self.refuse(refused)
        if receipt.error and not self.error:
            self.error = receipt.error
            self.interruption.stopped.set()
        state, tally = self.state, self.state.tally
        state.position = batch.position
        settled = {id(message) for message in batch.messages}
        left = [message for message in state.pending if id(message) not in settled]
        state.pending = left + receipt.pending
        tally.sent += len(receipt.sent)
        tally.refused += len(refused)
        tally.left_out += batch.left_out
        tally.object_bytes += sum(message.size_bytes for message in receipt.sent)
        self.save(state)
