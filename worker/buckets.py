"""Which buckets jobs may name."""

from dataclasses import dataclass

from worker.errors import MessageError
from worker.jobs import Job


@dataclass(frozen=True, slots=True)
class Buckets:
    """The bucket of jobs that name none, and those that may be named.

    Attributes:
        default: None where every job has to name its bucket.
        allowed: None allows every bucket that the worker's credentials can read.
        masks: where the worker itself puts segmentation masks, none of which is a job; None
            where it puts none.
    """

    default: str | None = None
    allowed: frozenset[str] | None = None
    masks: str | None = None

    def check(self, job: Job) -> Job:
        """The job, if its bucket is allowed.

        Raises:
            MessageError: it is not.
        """
        if job.bucket == self.masks:
            raise MessageError(f"bucket: {job.bucket} holds segmentation masks, not photographs")
        if self.allowed is not None and job.bucket not in self.allowed:
            raise MessageError(f"bucket: {job.bucket} is not allowed here")
        return job
