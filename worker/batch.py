"""A batch of SQS messages in, a partial batch response out."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from landmarks.errors import (
    LandmarkError,
    MessageError,
    PermanentError,
    ServiceError,
    TransientError,
)
from landmarks.job import Job
from worker.jobs import Buckets, decode_message
from worker.payloads import PayloadReader
from worker.pipeline import Pipeline
from worker.queue import DeadLetterQueue, ReceivedMessage, Retries
from worker.telemetry import Telemetry

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse

BeforeRetry = Callable[[Sequence[str]], None]
AllStarted = Callable[[], None]

# Even after jobs that took all the time, SQS is told to delay them, in the time that `handler.py`
# reserves.
_FINAL_CALL_SECONDS: Final = 0.3


class BatchHandler:
    """Sees each message of a batch through: done, retried, or given up.

    Args:
        pipeline: does the jobs.
        dead_letters: takes the messages that are given up.
        retries: delays the ones that are retried.
        telemetry: is told about messages that are given up.
        payloads: reads bodies that producers left in S3.
        buckets: which ones jobs may name.
        max_receive_count: a message that fails this often is given up; None leaves that to the
            queue.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        dead_letters: DeadLetterQueue,
        retries: Retries,
        telemetry: Telemetry,
        *,
        payloads: PayloadReader,
        buckets: Buckets,
        max_receive_count: int | None,
    ) -> None:
        self._pipeline = pipeline
        self._dead_letters = dead_letters
        self._retries = retries
        self._telemetry = telemetry
        self._payloads = payloads
        self._buckets = buckets
        self._max_receive_count = max_receive_count

    def handle(
        self,
        records: Iterable[Mapping[str, Any]],
        deadline: float,
        before_retry: BeforeRetry | None = None,
        all_started: AllStarted | None = None,
    ) -> "PartialItemFailureResponse":
        """Do everything that the messages ask for, and report the ones to be retried.

        A message group of a FIFO queue keeps its order: behind a message to be retried, all others
        of its group are, too.
        """
        messages = [ReceivedMessage.from_record(record) for record in records]
        decoded = [self._decode(message, deadline) for message in messages]
        every_job = [job for jobs, _ in decoded for job in jobs]
        outcomes = self._pipeline.run(every_job, deadline, all_started)
        failed: list[tuple[ReceivedMessage, Exception]] = []
        stopped: dict[str | None, Exception] = {}
        for message, (jobs, error) in zip(messages, decoded, strict=True):
            errors = [each for each in islice(outcomes, len(jobs)) if isinstance(each, Exception)]
            # A job that can't be done must not end the retries of the message's other jobs.
            errors.sort(key=lambda each: isinstance(each, PermanentError))
            reason = stopped.get(message.group)
            if reason is None:
                reason = self._finish(message, error or next(iter(errors), None), deadline)
            else:
                self._telemetry.held_back(message.message_id)
            if reason is None:
                continue
            failed.append((message, reason))
            if message.group is not None:
                stopped[message.group] = reason
        if before_retry:
            before_retry([message.receipt_handle for message, _ in failed])
        self._retries.delay(failed, deadline + _FINAL_CALL_SECONDS)
        message_ids = dict.fromkeys(message.message_id for message, _ in failed)
        return {"batchItemFailures": [{"itemIdentifier": each} for each in message_ids]}

    def _decode(
        self, message: ReceivedMessage, deadline: float
    ) -> tuple[Sequence[Job], LandmarkError | None]:
        """The jobs that a message asks for, or why it asks for none."""
        try:
            jobs = decode_message(
                message.body,
                default_bucket=self._buckets.default,
                read_payload=partial(self._payloads.read, deadline=deadline),
            )
            jobs = tuple(map(self._buckets.check, jobs))
        except MessageError as error:
            return (), error
        except TransientError as error:
            self._telemetry.unread(message.message_id, error)
            return (), error
        return [
            replace(job, message_id=message.message_id, attempts=message.attempts) for job in jobs
        ], None

    def _finish(
        self, message: ReceivedMessage, error: Exception | None, deadline: float
    ) -> Exception | None:
        """Give up a hopeless message; return why a message is retried, if it is."""
        if error is None or not self._is_hopeless(message, error):
            return error
        try:
            self._dead_letters.put(message, error, deadline)
        except ServiceError as reason:
            self._telemetry.stranded(message.message_id, error, reason)
            return reason
        self._telemetry.given_up(message.message_id, error)
        return None

    def _is_hopeless(self, message: ReceivedMessage, error: Exception) -> bool:
        last = self._max_receive_count
        return isinstance(error, PermanentError) or (last is not None and message.attempts >= last)
