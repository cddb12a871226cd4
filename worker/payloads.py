"""Message bodies that the SQS extended client's producers leave in S3."""

from concurrent.futures import ThreadPoolExecutor
from time import monotonic

from landmarks.errors import DeadlineError, ImageError, MessageError
from landmarks.job import Job, bucket_name
from worker.jobs import Buckets
from worker.s3 import ObjectReader

MAX_PAYLOAD_BYTES = 2_000_000


class PayloadReader:
    """Reads bodies from S3.

    Args:
        objects: reads them, `MAX_PAYLOAD_BYTES` at most.
        buckets: which ones pointers may name.
    """

    def __init__(self, objects: ObjectReader, buckets: Buckets) -> None:
        self._objects = objects
        self._buckets = buckets
        # S3 may hang for longer than there is time.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="payload")

    def read(self, bucket: str, key: str, deadline: float) -> str:
        """The body that a pointer names.

        Args:
            bucket: any text.
            key: any text.
            deadline: by the monotonic clock, in seconds.

        Raises:
            MessageError: the bucket is not allowed, or the body will never be readable.
            TransientError: there is no such body, access is denied, S3 fails or is too slow.
        """
        place = Job(bucket_name({"s3BucketName": bucket}, "s3BucketName"), key)
        self._buckets.check(place)
        future = self._thread.submit(self._read, place, deadline)
        try:
            content = future.result(timeout=max(0, deadline - monotonic()))
            return content.decode()
        except TimeoutError as error:
            raise DeadlineError("the time ran out while reading the payload") from error
        except (ImageError, UnicodeError) as error:
            raise MessageError(f"payload: {error}") from error

    def _read(self, place: Job, deadline: float) -> bytes:
        with self._objects.open(place) as body:
            # None would be content whose ETag was named, and none is.
            return body.read(deadline) if body else b""
