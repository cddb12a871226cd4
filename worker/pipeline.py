"""The way of a job: fetch, detect, save; and of many at once, before a deadline."""

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Final, Protocol

from landmarks.errors import DeadlineError, ImageError
from landmarks.job import Job, ObjectName
from worker.deadline import Pace, Stopwatch
from worker.result import Delivery, Detection, Durations, Outcome, Report, Result
from worker.s3 import MaskStore, ObjectReader, OpenObject
from worker.table import ResultsTable
from worker.telemetry import Telemetry
from worker.verdict import Stored

# Beyond one job a detector, so many are being fetched or saved meanwhile.
_JOBS_IN_TRANSIT: Final = 3


class ImageDetector(Protocol):
    """What the pipeline needs of `DetectorPool`."""

    size: int

    def detect(self, content: bytes, deadline: float) -> Detection:
        """See `DetectorPool.detect`."""
        ...


class Pipeline:
    """Carries jobs from S3 through a detector into the results table."""

    def __init__(
        self,
        objects: ObjectReader,
        detectors: ImageDetector,
        results: ResultsTable,
        masks: MaskStore | None = None,
    ) -> None:
        """Join them, `masks` where masks are wanted; threads start with the first job."""
        self._objects = objects
        self._detectors = detectors
        self._results = results
        self._masks = masks
        self._pace = Pace()
        self._threads = ThreadPoolExecutor(
            max_workers=detectors.size + _JOBS_IN_TRANSIT, thread_name_prefix="job"
        )

    def process(
        self, delivery: Delivery, deadline: float, stored_of: Callable[[Job], Stored | None]
    ) -> Report:
        """Do one job.

        Args:
            delivery: the job and where it came from.
            deadline: by the monotonic clock, in seconds.
            stored_of: tells what is stored for the job's object.

        Raises:
            TransientError: it has to come again.
        """
        job, clock = delivery.job, Stopwatch()
        stored = stored_of(job)
        done_etag = self._results.done_etag(job, stored)
        if done_etag is not None and done_etag == job.etag:
            return Report(delivery, Outcome.DUPLICATE)
        with self._objects.open(job, unless_etag=done_etag) as source:
            if source is None:
                return Report(delivery, Outcome.DUPLICATE)
            if stored is not None and stored.is_newer_than(source.identity):
                return Report(delivery, Outcome.SUPERSEDED)
            if not job.force and self._results.holds(stored, source.identity):
                return Report(delivery, Outcome.DUPLICATE)
            result = self._detect(delivery, source, clock, deadline)
        result = self._store_mask(result)
        saved = self._results.save(result)
        return Report(delivery, Outcome(result.status) if saved else Outcome.SUPERSEDED, result)

    def start(self, deliveries: Sequence[Delivery], deadline: float) -> list[Future[Report]]:
        """Begin many jobs and return at once.

        Jobs on the same object go one after the other, so that a duplicate finds
        its twin's result.

        Returns:
            one future a delivery, in order; a job that can't finish before the
            deadline isn't started and its future raises `DeadlineError`.
        """
        futures: list[Future[Report]] = []
        same_object = defaultdict[ObjectName, list[Callable[[], None]]](list)
        stored_of = self._first_look([delivery.job for delivery in deliveries])
        for delivery in deliveries:
            future: Future[Report] = Future()
            futures.append(future)
            task = self._task(delivery, deadline, stored_of, future)
            same_object[delivery.job.object_name].append(task)
        for tasks in same_object.values():
            self._threads.submit(_run_all, tasks)
        return futures

    def close(self) -> None:
        """Wait for the jobs that have begun."""
        self._threads.shutdown(cancel_futures=True)

    def _first_look(self, jobs: Sequence[Job]) -> Callable[[Job], Stored | None]:
        """What is stored for each object, asked for at once; from the second job on it, anew."""
        if len(jobs) == 1:
            return self._results.stored
        known = self._results.stored_together(jobs)

        def stored_of(job: Job) -> Stored | None:
            try:
                return known.pop(job.object_name)
            except KeyError:
                return self._results.stored(job)

        return stored_of

    def _task(
        self,
        delivery: Delivery,
        deadline: float,
        stored_of: Callable[[Job], Stored | None],
        future: Future[Report],
    ) -> Callable[[], None]:
        def run() -> None:
            try:
                self._pace.require_time(deadline)
                with self._pace.measured():
                    report = self.process(delivery, deadline, stored_of)
            except Exception as error:  # noqa: BLE001, whoever waits for it raises it
                future.set_exception(error)
            else:
                future.set_result(report)

        return run

    def _detect(
        self, delivery: Delivery, source: OpenObject, clock: Stopwatch, deadline: float
    ) -> Result:
        fetch_ms = 0
        try:
            content = source.read(deadline)
            fetch_ms = clock.lap_ms()
            outcome: Detection | ImageError = self._detectors.detect(content, deadline)
        except ImageError as error:
            outcome = error
        return Result(
            job=delivery.job,
            identity=source.identity,
            outcome=outcome,
            message_id=delivery.message_id,
            attempts=delivery.attempts,
            durations=Durations(fetch=fetch_ms, detect=clock.lap_ms(), total=clock.total_ms()),
        )

    def _store_mask(self, result: Result) -> Result:
        """Store the mask, if there is one, before an item says where it is; and forget it."""
        outcome = result.outcome
        if self._masks is None or isinstance(outcome, ImageError) or outcome.mask is None:
            return result
        place = self._masks.put(result.job, result.identity.etag, outcome.mask)
        return replace(result, outcome=replace(outcome, mask=None), segmentation=place)


def _run_all(tasks: list[Callable[[], None]]) -> None:
    for task in tasks:
        task()


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
