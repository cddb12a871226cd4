"""Events of S3, SNS or EventBridge that come straight to the function, with no queue between.

Their sender does not read the answer: it counts as success. So whatever has to be tried again, or
can't be read, ends in an exception, and Lambda's own retries and failure destination take over.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from landmarks.errors import MessageError, TransientError
from landmarks.job import Job
from worker.jobs import Buckets, decode_event
from worker.payloads import PayloadReader
from worker.pipeline import Pipeline
from worker.telemetry import Telemetry


class EventHandler:
    """Does the jobs of an event.

    Args:
        pipeline: does the jobs.
        telemetry: is told about events that can't be read.
        payloads: reads message bodies that producers left in S3.
        buckets: which ones jobs may name.
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
        """Do every job of an event, and return how many there were.

        Raises:
            MessageError: the event is in no known form.
            Exception: why a job has to be tried again; the others are done.
        """
        jobs = self._decode(event, deadline)
        for outcome in list(self._pipeline.run(jobs, deadline)):
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
