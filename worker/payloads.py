"""Reads message bodies that producers with the SQS extended client store in S3."""

from concurrent.futures import ThreadPoolExecutor
from time import monotonic

from landmarks.errors import DeadlineError, MessageError, PermanentError
from landmarks.job import Job, bucket_name
from worker.jobs import Buckets
from worker.s3 import ObjectReader

MAX_PAYLOAD_BYTES = 2_000_000


class PayloadReader:
    """Reads bodies from S3.

    Args:
        objects: reads at most `MAX_PAYLOAD_BYTES`.
        buckets: the buckets that pointers may use.
    """

    def __init__(self, objects: ObjectReader, buckets: Buckets) -> None:
        self._objects = objects
        self._buckets = buckets
        # S3 may hang for longer than the time left.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="payload")

    def read(self, bucket: str, key: str, deadline: float) -> str:
        """Return the body that a pointer refers to.

        Args:
            bucket: any string.
            key: any string.
            deadline: on the monotonic clock, in seconds.

        Raises:
            MessageError: the bucket is not allowed, or the body can never be read.
            TransientError: the body does not exist, access is denied, or S3 fails or is too slow.
        """
        place = Job(bucket_name({"s3BucketName": bucket}, "s3BucketName"), key)
        self._buckets.check(place)
        future = self._thread.submit(self._read, place, deadline)
        try:
            content = future.result(timeout=max(0, deadline - monotonic()))
            return content.decode()
        except TimeoutError as error:
            raise DeadlineError("time ran out while reading the payload") from error
        except (PermanentError, UnicodeError) as error:
            raise MessageError(f"payload: {error}") from error

    def _read(self, place: Job, deadline: float) -> bytes:
        with self._objects.open(place) as body:
            # Never None, because no ETag is given.
            return body.read(deadline) if body else b""
