"""Runs jobs in parallel until a deadline: look up, fetch, detect, save."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import replace
from typing import Final, Protocol

from landmarks.errors import DeadlineError, ImageError, PermanentError
from landmarks.job import Job, ObjectName
from worker.deadline import Forecast, Stopwatch
from worker.result import Detection, Result
from worker.s3 import MaskStore, ObjectReader, OpenObject
from worker.table import ResultsTable
from worker.telemetry import Telemetry
from worker.verdict import Stored, Verdict, done_etag, judge

# Jobs that fetch or save while all detectors are busy with others.
_JOBS_IN_TRANSIT: Final = 3

# How long the start waits for connections at most. With TLS they took 0.08 s on a busy machine.
_CONNECT_SECONDS: Final = 1.0

Lookup = dict[ObjectName, Stored | None]

Outcome = Result | Verdict | Exception


class ImageDetector(Protocol):
    """The part of `DetectorPool` that the pipeline uses."""

    size: int

    def detect(self, content: bytes, deadline: float) -> Detection:
        """See `DetectorPool.detect`."""
        ...


class Pipeline:
    """Takes jobs from S3 through a detector to the results table.

    Args:
        objects: reads images.
        detectors: detects landmarks; its size determines how many jobs run in parallel.
        results: the results table.
        telemetry: records the outcome of each job.
        masks: stores masks; None without segmentation.
    """

    def __init__(
        self,
        objects: ObjectReader,
        detectors: ImageDetector,
        results: ResultsTable,
        telemetry: Telemetry,
        masks: MaskStore | None = None,
        *,
        max_people: int = 1,
    ) -> None:
        self._objects = objects
        self._detectors = detectors
        self._results = results
        self._telemetry = telemetry
        self._masks = masks
        self._forecast = Forecast(max_people)
        self._threads = ThreadPoolExecutor(
            max_workers=detectors.size + _JOBS_IN_TRANSIT, thread_name_prefix="job"
        )

    def process(self, job: Job, deadline: float, known: Lookup) -> Result | Verdict:
        """Process one job.

        Args:
            job: the job.
            deadline: on the monotonic clock, in seconds.
            known: results of earlier lookups; the entry of the job's object is removed.

        Returns:
            the result, or the verdict that there was nothing to do.

        Raises:
            TransientError: the job must be retried.
            PermanentError: the job can't be done, and there is nothing to store.
        """
        clock = Stopwatch()
        stored = self._look_up(job, known)
        if judge(job, stored) is Verdict.DUPLICATE:
            return Verdict.DUPLICATE
        with self._objects.open(job, unless_etag=done_etag(job, stored)) as source:
            if source is None:
                return Verdict.DUPLICATE
            if source.is_folder_marker:
                return Verdict.IGNORED
            verdict = judge(job, stored, source.identity)
            if verdict is not Verdict.NEW:
                return verdict
            result = self._detect(job, source, clock, deadline)
        result = replace(self._store_mask(result), total_ms=clock.total_ms())
        return replace(result, superseded=not self._results.save(result, over=stored))

    def run(
        self,
        jobs: Sequence[Job],
        deadline: float,
        all_started: Callable[[], None] | None = None,
    ) -> Iterator[Outcome]:
        """Start all jobs, and return an iterator that waits for each.

        Jobs for the same object run one after another, so that a duplicate finds the first one's
        result.

        Args:
            jobs: the jobs.
            deadline: on the monotonic clock, in seconds. Jobs that can't finish before it are not
                started, and the iterator waits no longer.
            all_started: called by another thread when no job waits for its start any more.

        Returns:
            the outcome of each job, in order; a PermanentError if the job can't be done, any other
            exception if it must be retried.
        """
        known = self._results.stored_together(jobs) if len(jobs) > 1 else {}
        futures: list[Future[Outcome]] = [Future() for _ in jobs]
        same_object = defaultdict[ObjectName, list[tuple[Job, Future[Outcome]]]](list)
        pairs = list(zip(jobs, futures, strict=True))
        for job, future in pairs:
            same_object[job.object_name].append((job, future))
        for group in same_object.values():
            self._threads.submit(self._process_in_turn, group, deadline, known)
        if all_started:
            self._threads.submit(all_started)
        return (self._wait(job, future, deadline) for job, future in pairs)

    def connect(self, bucket: str | None) -> None:
        """Connect to DynamoDB and, if there is a bucket, to S3, by asking for what is not there.

        The first job then finds open connections, and botocore has loaded what it loads on first
        use. Failures are ignored here: jobs report them.
        """
        job = Job(bucket or "none", "landmark-worker/connect")
        requests: list[Future[object]] = [self._threads.submit(self._results.stored, job)]
        if bucket:
            requests.append(self._threads.submit(self._look_for, job))
        wait(requests, _CONNECT_SECONDS)

    def close(self) -> None:
        """Cancel the queued jobs, and wait for those that have started."""
        self._threads.shutdown(cancel_futures=True)

    def _process_in_turn(
        self, group: list[tuple[Job, Future[Outcome]]], deadline: float, known: Lookup
    ) -> None:
        while group:
            job, future = group.pop(0)
            future.set_result(self._attempt(job, deadline, known))
            # An error's traceback leads to this frame. If the frame led to the future, which holds
            # the error, the cycle would keep the image until the garbage collector runs.
            del future

    def _attempt(self, job: Job, deadline: float, known: Lookup) -> Outcome:
        try:
            self._forecast.require_time(deadline)
            with self._forecast.measured():
                return self.process(job, deadline, known)
        except Exception as error:  # noqa: BLE001, the job is retried
            return error

    def _wait(self, job: Job, future: Future[Outcome], deadline: float) -> Outcome:
        try:
            outcome = future.result(timeout=max(0, deadline - time.monotonic()))
        except TimeoutError:
            outcome = DeadlineError("time ran out")
        if not isinstance(outcome, Exception):
            self._telemetry.finished(job, outcome)
        elif not isinstance(outcome, PermanentError):
            self._telemetry.retried(job, outcome)
        return outcome

    def _look_up(self, job: Job, known: Lookup) -> Stored | None:
        # Used only once per object, so that the next job for it sees the first one's result.
        if job.object_name in known:
            return known.pop(job.object_name)
        return self._results.stored(job)

    def _look_for(self, job: Job) -> None:
        with self._objects.open(job):
            pass

    def _detect(self, job: Job, source: OpenObject, clock: Stopwatch, deadline: float) -> Result:
        outcome: Detection | ImageError
        try:
            try:
                content = source.read(deadline)
            finally:
                fetch_ms = clock.lap_ms()
            outcome = self._detectors.detect(content, deadline)
        except ImageError as error:
            # The traceback's frames hold the image, and this one the error: a reference cycle.
            outcome = error.with_traceback(None)
        return Result(job, source.identity, outcome, fetch_ms=fetch_ms, detect_ms=clock.lap_ms())

    def _store_mask(self, result: Result) -> Result:
        """Store the mask, if any, before an item refers to it, and remove it from the result."""
        outcome = result.outcome
        if self._masks is None or isinstance(outcome, ImageError) or outcome.mask is None:
            return result
        place = self._masks.put(result.job, result.identity.etag, outcome.mask)
        return replace(result, outcome=replace(outcome, mask=None), segmentation=place)
