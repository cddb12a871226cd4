"""Uploads and sends batches, retrying transient errors."""

import hashlib
import json
import mimetypes
import random
import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from boto3.s3.transfer import TransferConfig
from botocore import exceptions
from botocore.config import Config
from botocore.exceptions import ClientError

from landmarks.cli.enqueue.messages import Message, Unsent
from landmarks.cli.options import is_fifo

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import (
        BatchResultErrorEntryTypeDef,
        SendMessageBatchRequestEntryTypeDef,
    )

# Waits between attempts double from 0.2 s to at most 20 s, up to 66 s in total.
_ATTEMPTS: Final = 9
_FIRST_WAIT_SECONDS: Final = 0.2
_LONGEST_WAIT_SECONDS: Final = 20.0

# https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#ErrorCodeList
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html
_TRANSIENT_CODES: Final = frozenset(
    {
        *("BadDigest", "IncompleteBody", "NoSuchUpload", "OperationAborted", "RequestTimeout"),
        *("RequestLimitExceeded", "RequestThrottled", "SlowDown", "TooManyRequestsException"),
        *("Throttling", "ThrottlingException", "KmsThrottled", "KMS.ThrottlingException"),
    }
)
# Errors that would affect every other file or message too, besides those of KMS.
_GENERAL_CODES: Final = frozenset(
    {
        *("AccessDenied", "AllAccessDisabled", "AuthorizationHeaderMalformed", "ExpiredToken"),
        *("IllegalLocationConstraintException", "InvalidAccessKeyId", "InvalidBucketName"),
        *("InvalidSecurity", "InvalidToken", "NoSuchBucket", "TokenRefreshRequired"),
    }
)
_GENERAL_STATUSES: Final = frozenset({401, 403, 404, 405})
_CLIENT_ERROR, _SERVER_ERROR = 400, 500

_UPLOAD: Final = TransferConfig(use_threads=False)  # the sending threads already upload in parallel


@dataclass(slots=True)
class Receipt:
    """The outcome of sending a batch.

    Attributes:
        sent: how many messages SQS accepted.
        unsent: messages and files that were permanently rejected.
        pending: messages not sent yet, because of `error` or because sending was stopped.
        error: an error that prevents all messages from being sent.
    """

    pending: list[Message]
    sent: int = 0
    unsent: list[Unsent] = field(default_factory=list)
    error: Exception | None = None


@dataclass(frozen=True)
class Sender:
    """Sends batches to one queue. Thread-safe.

    Attributes:
        sqs: SQS client with its own retries disabled.
        queue_url: URL of the queue.
        stopped: once set, nothing is retried.
        s3: S3 client with its own retries disabled; None without uploads.
        delay_seconds: how long SQS delays delivery; FIFO queues can't.
        run_id: tells jobs of this run from equal jobs of other runs, in FIFO queues.
    """

    sqs: "SQSClient" = field(repr=False)
    queue_url: str
    stopped: threading.Event
    s3: "S3Client | None" = field(default=None, repr=False)
    delay_seconds: int = 0
    run_id: str = ""

    def send(self, messages: list[Message]) -> Receipt:
        """Send a batch. Errors of S3, SQS and the network are returned in the receipt."""
        receipt = Receipt(list(messages))
        for wait in _waits():
            if self.stopped.is_set() or not receipt.pending:
                receipt.error = None
                return receipt
            receipt.error = None
            try:
                self._upload(receipt)
                self._send(receipt)
            except Exception as error:  # noqa: BLE001, re-raised by the main thread
                receipt.error = error
                if not _is_transient(error):
                    return receipt
            if receipt.pending and wait:
                self.stopped.wait(wait)
        if not receipt.error:
            reason = f"SQS rejected it {_ATTEMPTS} times"
            receipt.unsent += [Unsent(message.body, reason) for message in receipt.pending]
            receipt.pending = []
        return receipt

    def _upload(self, receipt: Receipt) -> None:
        for message in tuple(receipt.pending):
            if not message.file:
                continue
            place = receipt.pending.index(message)
            try:
                self._put(message)
            except (OSError, ClientError) as error:
                if not (reason := _why_refused(error)):
                    raise
                receipt.unsent.append(Unsent(str(message.file), reason))
                del receipt.pending[place]
            else:
                receipt.pending[place] = replace(message, file=None)

    def _put(self, message: Message) -> None:
        if not (self.s3 and message.file and message.bucket):
            raise TypeError("an upload needs a client, a file and a bucket")
        kind, _ = mimetypes.guess_type(message.key)
        arguments = {"ContentType": kind} if kind else {}
        with message.file.open("rb") as file:
            self.s3.upload_fileobj(
                file, message.bucket, message.key, ExtraArgs=arguments, Config=_UPLOAD
            )

    def _send(self, receipt: Receipt) -> None:
        if not receipt.pending:
            return
        by_id = {str(number): message for number, message in enumerate(receipt.pending)}
        answer = self.sqs.send_message_batch(
            QueueUrl=self.queue_url,
            Entries=[self._entry(name, message) for name, message in by_id.items()],
        )
        failures = answer.get("Failed", [])
        receipt.sent += len(by_id) - len(failures)
        receipt.pending = []
        for failure in failures:
            message, code = by_id[failure["Id"]], failure["Code"]
            if _is_general(code):
                receipt.error = _as_error(failure)
            if failure["SenderFault"] and not (_is_general(code) or code in _TRANSIENT_CODES):
                receipt.unsent.append(Unsent(message.body, _words(_as_error(failure))))
            else:
                receipt.pending.append(message)
        if receipt.error:
            raise receipt.error

    def _entry(self, name: str, message: Message) -> "SendMessageBatchRequestEntryTypeDef":
        if not is_fifo(self.queue_url):
            return {"Id": name, "MessageBody": message.body, "DelaySeconds": self.delay_seconds}
        # A group of its own for each object: SQS delivers different objects in parallel, and one
        # that is retried holds up nothing else.
        #
        # SQS drops what has the same deduplication id as a message of the last five minutes and
        # reports it as sent. So only the same entry of the same run has the same id: it is sent
        # again after a lost answer or a crash. A second run has other ids, because a photograph
        # that was replaced or a failure that was fixed since the first must not be lost. Behind
        # the first one's message in its group, the worker skips what is done.
        return {
            "Id": name,
            "MessageBody": message.body,
            "MessageGroupId": _digest(message.bucket, message.key),
            "MessageDeduplicationId": _digest(self.run_id, message.origin, message.body),
        }


def client_config(concurrency: int) -> Config:
    """Return a config for clients shared by this many threads. `Sender` handles retries."""
    return Config(
        connect_timeout=5,
        read_timeout=20,
        max_pool_connections=concurrency,
        retries={"total_max_attempts": 1},
    )


def _digest(*parts: str | None) -> str:
    """Return a hash that SQS accepts as an id: keys have other characters and are longer."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _waits() -> list[float]:
    """Return the wait after each attempt, with jitter; 0 after the last."""
    longest = [min(_LONGEST_WAIT_SECONDS, _FIRST_WAIT_SECONDS * 2**n) for n in range(_ATTEMPTS - 1)]
    return [random.uniform(wait / 2, wait) for wait in longest] + [0]  # noqa: S311, not a secret


def _is_transient(error: Exception) -> bool:
    """Return whether the same request may succeed later."""
    if isinstance(error, ClientError):
        return _status(error) >= _SERVER_ERROR or _code(error) in _TRANSIENT_CODES
    return isinstance(error, exceptions.ConnectionError | exceptions.HTTPClientError)


def _is_general(code: str) -> bool:
    """Return whether the error would affect every other file or message too."""
    return code not in _TRANSIENT_CODES and (
        code in _GENERAL_CODES or code.upper().startswith("KMS")
    )


def _why_refused(error: OSError | ClientError) -> str | None:
    """Return why a file can never be uploaded; None if the error is transient or general."""
    if isinstance(error, OSError):
        return error.strerror or str(error)
    status = _status(error)
    general = status in _GENERAL_STATUSES or _is_general(_code(error))
    refused = status >= _CLIENT_ERROR and not general and not _is_transient(error)
    return _words(error) if refused else None


def _as_error(failure: "BatchResultErrorEntryTypeDef") -> ClientError:
    code, message = failure["Code"], failure.get("Message", "")
    return ClientError({"Error": {"Code": code, "Message": message}}, "SendMessageBatch")


def _code(error: ClientError) -> str:
    return error.response["Error"].get("Code", "")


def _status(error: ClientError) -> int:
    return error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)


def _words(error: ClientError) -> str:
    return f"{_code(error)}: {error.response['Error'].get('Message', '')}".rstrip(": ")
