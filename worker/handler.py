"""Lambda's events in, Lambda's answers out; what lies between is `pipeline.py`'s."""

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import islice
from typing import Any, Final, Protocol

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from worker.dead_letters import DeadLetterQueue
from worker.detector.pool import DetectorPool
from worker.errors import DeadlineError, LandmarkError, MessageError, ObjectNotFoundError
from worker.jobs import decode_direct, decode_message
from worker.landmarks import Landmarks
from worker.pipeline import Delivery, Outcome, Pipeline, Report
from worker.results.reading import landmarks_as_json, landmarks_of
from worker.results.table import ResultsTable
from worker.telemetry import Telemetry

# What is kept back of the invocation's time to write metrics and to answer.
_RESERVE_SECONDS: Final = 1.0


class InvocationContext(Protocol):
    """What is used of Lambda's context object."""

    def get_remaining_time_in_millis(self) -> int:
        """Until the sandbox is stopped."""
        ...


@dataclass(frozen=True, slots=True)
class _Message:
    """One SQS message, decoded: the jobs it asks for, or why it asks for none."""

    record: SQSRecord
    deliveries: Sequence[Delivery] = ()
    error: MessageError | None = None
    futures: list[Future[Report]] = field(default_factory=list)


class Handler:
    """Answers invocations: batches of SQS messages, or one image directly."""

    def __init__(
        self,
        *,
        pipeline: Pipeline,
        results: ResultsTable,
        dead_letters: DeadLetterQueue,
        detectors: DetectorPool,
        telemetry: Telemetry,
        image_bucket: str | None,
    ) -> None:
        """Join the parts; `composition.py` makes them."""
        self._pipeline = pipeline
        self._results = results
        self._dead_letters = dead_letters
        self._detectors = detectors
        self._telemetry = telemetry
        self._image_bucket = image_bucket

    def handle(self, event: Mapping[str, Any], context: InvocationContext) -> Mapping[str, Any]:
        """Answer one invocation, within its time."""
        seconds = context.get_remaining_time_in_millis() / 1000 - _RESERVE_SECONDS
        deadline = time.monotonic() + seconds
        try:
            if _is_sqs_event(event):
                return self._handle_batch(event["Records"], deadline)
            return self._handle_direct(event, deadline)
        finally:
            self._telemetry.end_invocation(self._detectors.restarts)

    def close(self) -> None:
        """End threads and processes."""
        self._pipeline.close()
        self._detectors.close()

    def _handle_batch(
        self, records: list[dict[str, Any]], deadline: float
    ) -> PartialItemFailureResponse:
        messages = [self._decode(SQSRecord(record)) for record in records]
        deliveries = [delivery for message in messages for delivery in message.deliveries]
        futures = iter(self._pipeline.start(deliveries, deadline))
        for message in messages:
            message.futures.extend(islice(futures, len(message.deliveries)))
        by_id = {message.record.message_id: message for message in messages}

        def finish(record: SQSRecord) -> None:
            self._finish(by_id[record.message_id], deadline)

        processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)
        with processor(records, handler=finish):
            processor.process()
        return processor.response()

    def _decode(self, record: SQSRecord) -> _Message:
        try:
            jobs = decode_message(record.body, default_bucket=self._image_bucket)
        except MessageError as error:
            return _Message(record, error=error)
        attempts = _attempts(record)
        return _Message(record, [Delivery(job, record.message_id, attempts) for job in jobs])

    def _finish(self, message: _Message, deadline: float) -> None:
        """See a message to its end.

        Raises:
            Exception: one of its jobs has to come again, and so the message.
        """
        if message.error is not None:
            self._reject(message.record, message.error)
        pairs = zip(message.deliveries, message.futures, strict=True)
        outcomes = [self._settle(delivery, future, deadline) for delivery, future in pairs]
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome

    def _reject(self, record: SQSRecord, error: MessageError) -> None:
        self._dead_letters.put(
            record.body, message_id=record.message_id, attempts=_attempts(record), error=error
        )
        self._telemetry.rejected(record.message_id, error)

    def _settle(
        self, delivery: Delivery, future: Future[Report], deadline: float
    ) -> Report | Exception:
        """What became of a job, said to the log and the metrics."""
        try:
            report = future.result(timeout=max(0, deadline - time.monotonic()))
        except TimeoutError:
            error: Exception = DeadlineError("the time ran out")
        except Exception as reason:  # noqa: BLE001, whatever it is, the job comes again
            error = reason
        else:
            self._telemetry.finished(report)
            return report
        self._telemetry.postponed(delivery, error)
        return error

    def _handle_direct(self, event: Mapping[str, Any], deadline: float) -> Mapping[str, Any]:
        try:
            job = decode_direct(event, default_bucket=self._image_bucket)
        except MessageError as error:
            return _answer(HTTPStatus.BAD_REQUEST, str(error))
        delivery = Delivery(job)
        (future,) = self._pipeline.start([delivery], deadline)
        outcome = self._settle(delivery, future, deadline)
        if isinstance(outcome, Exception):
            return _error_answer(outcome)
        return self._report_answer(outcome)

    def _report_answer(self, report: Report) -> Mapping[str, Any]:
        if report.outcome is Outcome.DUPLICATE:
            item = self._results.get(report.delivery.job)
            return _landmarks_answer(landmarks_of(item))
        if report.outcome is Outcome.SUPERSEDED or report.result is None:
            message = "a newer version of this object is already stored"
            return _answer(HTTPStatus.INTERNAL_SERVER_ERROR, message)
        found = report.result.outcome
        if isinstance(found, LandmarkError):
            return _answer(HTTPStatus.UNPROCESSABLE_ENTITY, f"{found.code}: {found}")
        return _landmarks_answer(found.landmarks)


def _is_sqs_event(event: Mapping[str, Any]) -> bool:
    records = event.get("Records")
    return isinstance(records, list) and all(
        isinstance(record, dict) and record.get("eventSource") == "aws:sqs" for record in records
    )


def _attempts(record: SQSRecord) -> int:
    return int(record.attributes.approximate_receive_count)


def _landmarks_answer(landmarks: Landmarks) -> Mapping[str, Any]:
    if not landmarks.person_found:
        return _answer(HTTPStatus.UNPROCESSABLE_ENTITY, "no person found in the image")
    return _answer(HTTPStatus.OK, None, landmarks_as_json(landmarks))


def _error_answer(error: Exception) -> Mapping[str, Any]:
    missing = isinstance(error, ObjectNotFoundError)
    status = HTTPStatus.NOT_FOUND if missing else HTTPStatus.INTERNAL_SERVER_ERROR
    code = error.code if isinstance(error, LandmarkError) else type(error).__name__
    return _answer(status, f"{code}: {error}")


def _answer(
    status: HTTPStatus, message: str | None, data: Mapping[str, Any] | None = None
) -> Mapping[str, Any]:
    return {"statusCode": int(status), "body": {"message": message, "data": data}}
