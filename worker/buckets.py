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
    """

    default: str | None = None
    allowed: frozenset[str] | None = None

    def check(self, job: Job) -> Job:
        """The job, if its bucket is allowed.

        Raises:
            MessageError: it is not.
        """
        if self.allowed is not None and job.bucket not in self.allowed:
            raise MessageError(f"bucket: {job.bucket} is not allowed here")
        return job
