"""Lambda's invocations: which kind one is, and how much time there is for it."""

import time
from collections.abc import Mapping
from typing import Any, Final, Protocol

from worker.batch import AllStarted, BatchHandler, BeforeRetry
from worker.batch_operations import BatchOperationsHandler, is_batch_operation
from worker.detector.pool import DetectorPool
from worker.direct import DirectHandler, is_direct
from worker.events import EventHandler
from worker.pipeline import Pipeline
from worker.telemetry import Telemetry

# Reserved at the invocation's end to tell SQS about failures (2.5 s at most: see SQS_CONFIG in
# composition.py), to write metrics and to answer; but only a share of a short invocation.
_RESERVE_SECONDS: Final = 3.0
_RESERVE_SHARE: Final = 0.25


class InvocationContext(Protocol):
    """What is used of Lambda's context object."""

    def get_remaining_time_in_millis(self) -> int:
        """The time until the sandbox is stopped."""
        ...


class Handler:
    """Answers invocations: batches of SQS messages, one image directly, or events."""

    def __init__(
        self,
        batch: BatchHandler,
        direct: DirectHandler,
        events: EventHandler,
        batch_operations: BatchOperationsHandler,
        pipeline: Pipeline,
        detectors: DetectorPool,
        telemetry: Telemetry,
    ) -> None:
        self._batch = batch
        self._direct = direct
        self._events = events
        self._batch_operations = batch_operations
        self._pipeline = pipeline
        self._detectors = detectors
        self._telemetry = telemetry

    def handle(
        self,
        event: object,
        context: InvocationContext,
        *,
        before_retry: BeforeRetry | None = None,
        all_started: AllStarted | None = None,
    ) -> Mapping[str, Any]:
        """Answer one invocation within its time.

        Args:
            event: any JSON.
            context: knows how much time is left.
            before_retry: called with the receipt handles of the messages that failed, before their
                visibility timeout is changed.
            all_started: called when all jobs of a batch have been started. Another thread may hand
                over the next batch then.

        Raises:
            Exception: an event that came without a queue is not done.
        """
        seconds = context.get_remaining_time_in_millis() / 1000
        deadline = time.monotonic() + seconds - min(_RESERVE_SECONDS, seconds * _RESERVE_SHARE)
        try:
            records = sqs_records(event)
            if records is not None:
                return self._batch.handle(records, deadline, before_retry, all_started)
            if is_batch_operation(event):
                return self._batch_operations.handle(event, deadline)
            if is_direct(event):
                return self._direct.handle(event, deadline)
            return self._events.handle(event, deadline)
        finally:
            self._telemetry.end_invocation(self._detectors.restarts)

    def connect(self, bucket: str | None) -> None:
        """See `Pipeline.connect`."""
        self._pipeline.connect(bucket)

    @property
    def detectors_failing(self) -> bool:
        """Whether the last attempt to start a detector failed."""
        return self._detectors.failing

    def close(self) -> None:
        """End threads and processes."""
        self._pipeline.close()
        self._detectors.close()


def sqs_records(event: object) -> list[dict[str, Any]] | None:
    """The messages of an SQS event, or of an EventBridge Pipe; None if it is another event."""
    records = event.get("Records") if isinstance(event, Mapping) else event or None
    if not isinstance(records, list):
        return None
    from_sqs = (isinstance(r, dict) and r.get("eventSource") == "aws:sqs" for r in records)
    return records if all(from_sqs) else None
