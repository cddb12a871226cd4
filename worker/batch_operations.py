"""Handles S3 Batch Operations: takes one task per object, and returns a result for each.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/batch-ops-invoke-lambda.html
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple, TypeGuard

from landmarks.errors import ImageError, MessageError, PermanentError, error_code
from landmarks.job import Fields, Job, bucket_name, required_text, text
from worker.envelopes import as_object
from worker.jobs import Buckets
from worker.pipeline import Pipeline
from worker.result import Result
from worker.telemetry import Telemetry
from worker.verdict import Verdict

_MAX_WORDS: Final = 300  # for a cell of the job's report


class _TaskResult(NamedTuple):
    code: str
    words: str


class BatchOperationsHandler:
    """Runs the tasks of S3 Batch Operations, and reports which of them to retry.

    Args:
        pipeline: runs the jobs.
        telemetry: records tasks that can't be decoded.
        buckets: the buckets that tasks may use.
    """

    def __init__(self, pipeline: Pipeline, telemetry: Telemetry, *, buckets: Buckets) -> None:
        self._pipeline = pipeline
        self._telemetry = telemetry
        self._buckets = buckets

    def handle(self, event: Fields, deadline: float) -> Mapping[str, Any]:
        """Return a result for each task.

        Raises:
            MessageError: the event is not in S3's format.
        """
        try:
            version = required_text(event, "invocationSchemaVersion")
            invocation_id = required_text(event, "invocationId")
            tasks = [(required_text(task, "taskId"), task) for task in _tasks(event)]
        except MessageError as error:
            self._telemetry.refused(error)
            raise
        decoded = [self._decode(event, task) for _, task in tasks]
        outcomes = self._pipeline.run([job for job in decoded if isinstance(job, Job)], deadline)
        results = [self._result(next(outcomes)) if isinstance(job, Job) else job for job in decoded]
        return {
            "invocationSchemaVersion": version,
            "treatMissingKeysAs": "TemporaryFailure",
            "invocationId": invocation_id,
            "results": [
                {"taskId": task_id, "resultCode": code, "resultString": words[:_MAX_WORDS]}
                for (task_id, _), (code, words) in zip(tasks, results, strict=True)
            ],
        }

    def _decode(self, event: Fields, task: Fields) -> Job | _TaskResult:
        """Return the job of a task, or the task's result if it is not a valid job."""
        try:
            return self._buckets.check(_job(event, task))
        except MessageError as error:
            self._telemetry.refused(error)
            return _TaskResult("PermanentFailure", f"{error.code}: {error}")

    def _result(self, outcome: Result | Verdict | Exception) -> _TaskResult:
        if isinstance(outcome, PermanentError):
            self._telemetry.refused(outcome)
            return _TaskResult("PermanentFailure", f"{outcome.code}: {outcome}")
        if isinstance(outcome, Exception):
            return _TaskResult("TemporaryFailure", f"{error_code(outcome)}: {outcome}")
        if isinstance(outcome, Verdict):
            return _TaskResult("Succeeded", outcome.value)
        if outcome.superseded:
            return _TaskResult("Succeeded", Verdict.SUPERSEDED.value)
        if isinstance(outcome.outcome, ImageError):
            return _TaskResult("PermanentFailure", f"{outcome.outcome.code}: {outcome.outcome}")
        return _TaskResult("Succeeded", outcome.status)


def is_batch_operation(event: object) -> TypeGuard[Fields]:
    """Return whether an event is from S3 Batch Operations."""
    return isinstance(event, Mapping) and "invocationSchemaVersion" in event


def _tasks(event: Fields) -> Iterator[Fields]:
    tasks = event.get("tasks")
    if not isinstance(tasks, list) or not tasks:
        raise MessageError("tasks: expected a list of at least one task")
    return (as_object(task, "tasks[]") for task in tasks)


def _job(event: Fields, task: Fields) -> Job:
    """Decode a task. Schema 1.0 has the bucket's ARN, 2.0 its name and the user's arguments."""
    if "s3BucketArn" in task:
        arn = required_text(task, "s3BucketArn")
        name = arn if ":accesspoint" in arn else arn.rpartition(":")[2]
        bucket = bucket_name({"s3BucketArn": name}, "s3BucketArn")
    else:
        bucket = bucket_name(task, "s3Bucket")
    batch = as_object(event.get("job") or {}, "job")
    arguments = as_object(batch.get("userArguments") or {}, "userArguments")
    return Job(
        bucket,
        required_text(task, "s3Key", form_encoded=True),
        version_id=text(task, "s3VersionId") or None,
        job_id=text(batch, "id"),
        force=arguments.get("force") == "true",
    )
