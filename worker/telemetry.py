"""Logs and metrics: one log line and one set of metrics a job.

Logs are JSON lines by Powertools' formatter, a constant event name plus
fields; metrics are CloudWatch's embedded format on standard output.
"""

import logging
import sys
from typing import IO, Any, Final

from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter
from aws_lambda_powertools.metrics import Metrics, MetricUnit

from landmarks.errors import ImageError, MessageError, ServiceError, TransientError, error_code
from worker.result import Delivery, Outcome, Report

SERVICE: Final = "landmark-worker"


NAMESPACE: Final = "LandmarkWorker"


_LOG = logging.getLogger(__name__)


_METRIC_NAMES: Final = {
    Outcome.DETECTED: "Detected",
    Outcome.NOT_DETECTED: "NotDetected",
    Outcome.FAILED: "Failed",
    Outcome.DUPLICATE: "Duplicate",
    Outcome.SUPERSEDED: "Superseded",
}


def configure_logging(stream: IO[str] | None = None, level: int = logging.INFO) -> None:
    """Send this package's logs to `stream` (standard output) as JSON lines."""
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
    """Says what became of jobs; used by the thread that answers the invocation."""

    def __init__(self) -> None:
        """Have nothing to say yet, but that this is a cold start."""
        self._metrics = Metrics(namespace=NAMESPACE, service=SERVICE)
        self._cold = True
        self._restarts = 0

    def finished(self, report: Report) -> None:
        """A job that need not come again."""
        fields = _delivery_fields(report.delivery) | {"outcome": report.outcome.value}
        result = report.result
        level = logging.INFO
        if result is not None:
            fields["duration_ms"] = result.durations.total
            fields["size_bytes"] = result.identity.size_bytes
            self._count("FetchDuration", result.durations.fetch, MetricUnit.Milliseconds)
            self._count("DetectDuration", result.durations.detect, MetricUnit.Milliseconds)
            self._count("JobDuration", result.durations.total, MetricUnit.Milliseconds)
            self._count("ImageSize", result.identity.size_bytes, MetricUnit.Bytes)
            if isinstance(result.outcome, ImageError):
                level = logging.WARNING
                fields |= _error_fields(result.outcome)
        self._count(_METRIC_NAMES[report.outcome])
        _LOG.log(level, "job finished", extra=fields)

    def postponed(self, delivery: Delivery, error: Exception) -> None:
        """A job that has to come again."""
        self._count("Retried")
        fields = _delivery_fields(delivery) | _error_fields(error)
        unexpected = not isinstance(error, TransientError)
        level = logging.ERROR if unexpected else logging.WARNING
        _LOG.log(level, "job postponed", extra=fields, exc_info=error if unexpected else None)

    def given_up(self, message_id: str, error: Exception) -> None:
        """A message that went to the dead-letter queue."""
        self._count("Rejected" if isinstance(error, MessageError) else "GivenUp")
        fields = {"message_id": message_id} | _error_fields(error)
        _LOG.warning("message given up", extra=fields)

    def stranded(self, message_id: str, error: Exception, reason: ServiceError) -> None:
        """A message that should have gone to the dead-letter queue: it comes again."""
        self._count("Retried")
        fields = {"message_id": message_id, "reason": str(reason)} | _error_fields(error)
        _LOG.warning("message not given up", extra=fields)

    def end_invocation(self, detector_restarts: int) -> None:
        """Write the metrics of this invocation.

        Args:
            detector_restarts: how many there have been since the start.
        """
        self._count("ColdStart", int(self._cold))
        self._count("DetectorRestarts", detector_restarts - self._restarts)
        self._cold, self._restarts = False, detector_restarts
        self._metrics.flush_metrics()

    def _count(self, name: str, value: float = 1, unit: MetricUnit = MetricUnit.Count) -> None:
        self._metrics.add_metric(name=name, unit=unit, value=value)


def _delivery_fields(delivery: Delivery) -> dict[str, Any]:
    job = delivery.job
    fields = {
        "bucket": job.bucket,
        "key": job.key,
        "message_id": delivery.message_id,
        "job_id": job.job_id,
        "attempts": delivery.attempts,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _error_fields(error: Exception) -> dict[str, Any]:
    return {"error_code": error_code(error), "error_message": str(error)}
