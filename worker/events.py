"""Events of S3, SNS or EventBridge that come straight to the function, with no queue between.

Their sender does not read the answer: it counts as success. So whatever has to be tried again, or
can't be read, ends in an exception, and Lambda's own retries and failure destination take over.
"""

from collections.abc import Mapping
from typing import Any

from landmarks.errors import LandmarkError
from worker.jobs import Buckets, decode_event
from worker.pipeline import Pipeline
from worker.telemetry import Telemetry


class EventHandler:
    """Does the jobs of an event.

    Args:
        pipeline: does the jobs.
        telemetry: is told about events that can't be read.
        buckets: which ones jobs may name.
    """

    def __init__(self, pipeline: Pipeline, telemetry: Telemetry, *, buckets: Buckets) -> None:
        self._pipeline = pipeline
        self._telemetry = telemetry
        self._buckets = buckets

    def handle(self, event: object, deadline: float) -> Mapping[str, Any]:
        """Do every job of an event, and return how many there were.

        Raises:
            MessageError: the event is in no known form.
            Exception: why a job has to be tried again; the others are done.
        """
        try:
            jobs = decode_event(event, default_bucket=self._buckets.default)
            jobs = tuple(map(self._buckets.check, jobs))
        except LandmarkError as error:
            self._telemetry.refused(error)
            raise
        for outcome in list(self._pipeline.run(jobs, deadline)):
            if isinstance(outcome, Exception):
                raise outcome
        return {"jobs": len(jobs)}
