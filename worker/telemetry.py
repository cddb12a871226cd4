"""Logs and metrics: one log line and one set of metrics for each job.

Logs are JSON lines by Powertools' formatter, a constant event name plus fields. Metrics are in
CloudWatch's embedded format, on standard output.
"""

import logging
import sys
import threading
from typing import IO, Any, Final

from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter
from aws_lambda_powertools.metrics import Metrics, MetricUnit

from landmarks.enums import DETECTED, FAILED, NOT_DETECTED
from landmarks.errors import ImageError, PermanentError, ServiceError, TransientError, error_code
from landmarks.job import Job
from worker.result import Result
from worker.verdict import Verdict

SERVICE: Final = "landmark-worker"
NAMESPACE: Final = "LandmarkWorker"

_LOG = logging.getLogger(__name__)
_METRIC_NAMES: Final[dict[str, str]] = {
    DETECTED: "Detected",
    NOT_DETECTED: "NotDetected",
    FAILED: "Failed",
    Verdict.DUPLICATE: "Duplicate",
    Verdict.SUPERSEDED: "Superseded",
}


def configure_logging(stream: IO[str] | None = None, level: int = logging.INFO) -> None:
    """Send this package's logs to `stream` (default: standard output) as JSON lines."""
    handler = logging.StreamHandler(stream or sys.stdout)
    formatter = LambdaPowertoolsFormatter(
        service=SERVICE,
        location=None,  # the event's name says it
        utc=True,
        use_rfc3339=True,
    )
    handler.setFormatter(formatter)
    logger = logging.getLogger("worker")
    logger.handlers = [handler]
    logger.setLevel(level)
    logger.propagate = False


class Telemetry:
    """Reports what became of jobs and messages. Thread-safe."""

    def __init__(self) -> None:
        self._metrics = Metrics(namespace=NAMESPACE, service=SERVICE)
        self._lock = threading.RLock()  # Powertools' metrics have none
        self._cold = True
        self._restarts = 0

    def finished(self, job: Job, outcome: Result | Verdict) -> None:
        """A job that is done, or had nothing left to do."""
        fields = _job_fields(job)
        level = logging.INFO
        if isinstance(outcome, Result):
            size_bytes = outcome.identity.size_bytes
            fields |= {"duration_ms": outcome.total_ms, "size_bytes": size_bytes}
            self._count("FetchDuration", outcome.fetch_ms, MetricUnit.Milliseconds)
            self._count("DetectDuration", outcome.detect_ms, MetricUnit.Milliseconds)
            self._count("JobDuration", outcome.total_ms, MetricUnit.Milliseconds)
            self._count("ImageSize", size_bytes, MetricUnit.Bytes)
            if isinstance(outcome.outcome, ImageError):
                level = logging.WARNING
                fields |= _error_fields(outcome.outcome)
        word = _word(outcome)
        if word in _METRIC_NAMES:
            self._count(_METRIC_NAMES[word])
        _LOG.log(level, "job finished", extra=fields | {"outcome": word})

    def retried(self, job: Job, error: Exception) -> None:
        """A job that has to be retried."""
        self._count("Retried")
        unexpected = not isinstance(error, TransientError)
        level = logging.ERROR if unexpected else logging.WARNING
        fields = _job_fields(job) | _error_fields(error)
        _LOG.log(level, "job postponed", extra=fields, exc_info=error if unexpected else None)

    def unread(self, message_id: str | None, error: TransientError) -> None:
        """A message or event that can't be read yet, because its body in S3 can't."""
        self._count("Retried")
        _LOG.warning("message postponed", extra={"message_id": message_id, **_error_fields(error)})

    def given_up(self, message_id: str, error: Exception) -> None:
        """A message that went to the dead-letter queue."""
        self._count("Rejected" if isinstance(error, PermanentError) else "GivenUp")
        _LOG.warning("message given up", extra={"message_id": message_id, **_error_fields(error)})

    def stranded(self, message_id: str, error: Exception, reason: ServiceError) -> None:
        """A message that should have gone to the dead-letter queue, and is retried instead."""
        self._count("Retried")
        fields = {"message_id": message_id, "reason": str(reason), **_error_fields(error)}
        _LOG.warning("message not given up", extra=fields)

    def held_back(self, message_id: str) -> None:
        """A message that is retried only because an earlier one of its group is."""
        _LOG.info("message held back", extra={"message_id": message_id})

    def refused(self, error: PermanentError) -> None:
        """An event straight to the function that asks for no job, or one that can't be done."""
        self._count("Rejected")
        _LOG.warning("event refused", extra=_error_fields(error))

    def end_invocation(self, detector_restarts: int) -> None:
        """Write the metrics of this invocation.

        Args:
            detector_restarts: since the worker's start.
        """
        with self._lock:
            self._count("ColdStart", int(self._cold))
            self._count("DetectorRestarts", detector_restarts - self._restarts)
            self._cold, self._restarts = False, detector_restarts
            self._metrics.flush_metrics()

    def _count(self, name: str, value: float = 1, unit: MetricUnit = MetricUnit.Count) -> None:
        with self._lock:
            self._metrics.add_metric(name=name, unit=unit, value=value)


def _word(outcome: Result | Verdict) -> str:
    if isinstance(outcome, Verdict):
        return outcome.value
    return Verdict.SUPERSEDED.value if outcome.superseded else outcome.status


def _job_fields(job: Job) -> dict[str, Any]:
    fields = {
        "bucket": job.bucket,
        "key": job.key,
        "message_id": job.message_id,
        "job_id": job.job_id,
        "attempts": job.attempts,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _error_fields(error: Exception) -> dict[str, Any]:
    return {"error_code": error_code(error), "error_message": str(error)}
