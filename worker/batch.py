"""A batch of SQS messages in, a partial batch response out."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from landmarks.errors import MessageError, ServiceError
from worker.jobs import Buckets, decode_message
from worker.pipeline import Pipeline, settle
from worker.queue import DeadLetterQueue, Postponement, Retries
from worker.result import Delivery, Report
from worker.telemetry import Telemetry

# After jobs that took all the time, SQS is still told to delay them, out of the time
# that `handler.py` keeps back.
_LAST_WORDS_SECONDS: Final = 0.3


BeforeRetry = Callable[[Sequence[str]], None]


@dataclass(frozen=True, slots=True)
class _Message:
    """One SQS message, decoded: the jobs it asks for, or why it asks for none."""

    record: SQSRecord
    deliveries: Sequence[Delivery] = ()
    error: MessageError | None = None
    futures: list[Future[Report]] = field(default_factory=list)

    @property
    def attempts(self) -> int:
        return int(self.record.attributes.approximate_receive_count)


class BatchHandler:
    """Sees to it that each message of a batch ends in one right place."""

    def __init__(
        self,
        pipeline: Pipeline,
        dead_letters: DeadLetterQueue,
        retries: Retries,
        telemetry: Telemetry,
        *,
        buckets: Buckets,
        max_receive_count: int | None,
    ) -> None:
        """Join the parts.

        Args:
            pipeline: does the jobs.
            dead_letters: takes the messages that are given up.
            retries: delays those that come again.
            telemetry: is told of all.
            buckets: which ones jobs may name.
            max_receive_count: from this receive on a message is given up when it
                fails; None leaves that to the queue.
        """
        self._pipeline = pipeline
        self._dead_letters = dead_letters
        self._retries = retries
        self._telemetry = telemetry
        self._buckets = buckets
        self._max_receive_count = max_receive_count

    def handle(
        self,
        records: list[dict[str, Any]],
        deadline: float,
        before_retry: BeforeRetry | None = None,
    ) -> PartialItemFailureResponse:
        """Do all that is asked for until the deadline, and report what has to come again."""
        messages = [self._decode(SQSRecord(record)) for record in records]
        deliveries = [delivery for message in messages for delivery in message.deliveries]
        futures = iter(self._pipeline.start(deliveries, deadline))
        for message in messages:
            message.futures.extend(islice(futures, len(message.deliveries)))
        by_id = {message.record.message_id: message for message in messages}
        postponements: list[Postponement] = []

        def finish(record: SQSRecord) -> None:
            message = by_id[record.message_id]
            error = self._finish(message, deadline)
            if error is not None:
                handle = record.receipt_handle
                postponements.append(Postponement(handle, message.attempts, error))
                raise error

        processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)
        with processor(records, handler=finish):
            processor.process()
        if before_retry:
            before_retry([each.receipt_handle for each in postponements])
        self._retries.postpone(postponements, deadline + _LAST_WORDS_SECONDS)
        return processor.response()

    def _decode(self, record: SQSRecord) -> _Message:
        try:
            jobs = decode_message(record.body, default_bucket=self._buckets.default)
            jobs = tuple(map(self._buckets.check, jobs))
        except MessageError as error:
            return _Message(record, error=error)
        attempts = _Message(record).attempts
        return _Message(record, [Delivery(job, record.message_id, attempts) for job in jobs])

    def _finish(self, message: _Message, deadline: float) -> Exception | None:
        """See a message to its end; returns why it has to come again, if it has to."""
        pairs = zip(message.deliveries, message.futures, strict=True)
        outcomes = [
            settle(delivery, future, deadline, self._telemetry) for delivery, future in pairs
        ]
        errors = (outcome for outcome in outcomes if isinstance(outcome, Exception))
        error = message.error or next(errors, None)
        if error is not None and self._is_hopeless(message, error):
            return self._give_up(message, error, deadline)
        return error

    def _is_hopeless(self, message: _Message, error: Exception) -> bool:
        if isinstance(error, MessageError):
            return True
        last = self._max_receive_count
        return last is not None and message.attempts >= last

    def _give_up(self, message: _Message, error: Exception, deadline: float) -> Exception | None:
        """Put a message aside with the reason; returns why that was not possible, if so."""
        message_id = message.record.message_id
        try:
            self._dead_letters.put(
                message.record.body,
                message_id=message_id,
                attempts=message.attempts,
                error=error,
                deadline=deadline,
            )
        except ServiceError as reason:
            self._telemetry.stranded(message_id, error, reason)
            return reason
        self._telemetry.given_up(message_id, error)
        return None
