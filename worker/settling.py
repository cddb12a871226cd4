"""Begun jobs → what became of them, said to the log and the metrics."""

import time
from concurrent.futures import Future

from worker.errors import DeadlineError
from worker.pipeline import Delivery, Report
from worker.telemetry import Telemetry


def settle(
    delivery: Delivery, future: Future[Report], deadline: float, telemetry: Telemetry
) -> Report | Exception:
    """Wait for a job, until the deadline at the latest.

    Args:
        delivery: the job.
        future: what `Pipeline.start` gave for it.
        deadline: by the monotonic clock, in seconds.
        telemetry: is told.

    Returns:
        its report, or why it has to come again.
    """
    try:
        report = future.result(timeout=max(0, deadline - time.monotonic()))
    except TimeoutError:
        error: Exception = DeadlineError("the time ran out")
    except Exception as reason:  # noqa: BLE001, whatever it is, the job comes again
        error = reason
    else:
        telemetry.finished(report)
        return report
    telemetry.postponed(delivery, error)
    return error
