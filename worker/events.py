"""Handles events that S3, SNS or EventBridge send directly to the function, without a queue.

Their sender ignores the answer and counts it as success. Jobs to retry and undecodable events
therefore raise an exception, so that Lambda's own retries and failure destination take over.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from landmarks.errors import MessageError, PermanentError, TransientError
from landmarks.job import Job
from worker.jobs import Buckets, decode_event
from worker.payloads import PayloadReader
from worker.pipeline import Pipeline
from worker.telemetry import Telemetry


class EventHandler:
    """Runs the jobs of an event.

    Args:
        pipeline: runs the jobs.
        telemetry: records events that can't be decoded.
        payloads: reads message bodies that producers stored in S3.
        buckets: the buckets that jobs may use.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        telemetry: Telemetry,
        *,
        payloads: PayloadReader,
        buckets: Buckets,
    ) -> None:
        self._pipeline = pipeline
        self._telemetry = telemetry
        self._payloads = payloads
        self._buckets = buckets

    def handle(self, event: object, deadline: float) -> Mapping[str, Any]:
        """Run all jobs of an event, and return their number.

        Raises:
            MessageError: the event has no known format.
            Exception: the error of a job that must be retried; the others are done.
        """
        jobs = self._decode(event, deadline)
        for outcome in list(self._pipeline.run(jobs, deadline)):
            if isinstance(outcome, PermanentError):
                self._telemetry.refused(outcome)
            if isinstance(outcome, Exception):
                raise outcome
        return {"jobs": len(jobs)}

    def _decode(self, event: object, deadline: float) -> tuple[Job, ...]:
        try:
            jobs = decode_event(
                event,
                default_bucket=self._buckets.default,
                read_payload=partial(self._payloads.read, deadline=deadline),
            )
            return tuple(map(self._buckets.check, jobs))
        except MessageError as error:
            self._telemetry.refused(error)
            raise
        except TransientError as error:
            self._telemetry.unread(None, error)
            raise
