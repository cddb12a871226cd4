"""The photograph of a result, as it was processed."""

import time

from worker.errors import AccessDeniedError
from worker.jobs import Job
from worker.objects import ObjectReader


def processed_content(
    objects: ObjectReader, job: Job, etag: str | None, *, seconds: float
) -> bytes | None:
    """The content that was processed: that very version, or what still has its ETag.

    Args:
        objects: reads from S3, up to its own limit of bytes.
        job: bucket, key and, in buckets that keep versions, version of the content.
        etag: of the content.
        seconds: how long it may take.

    Returns:
        None if the object has another content by now.

    Raises:
        ObjectNotFoundError: it is gone.
        TooManyBytesError: it is larger than `objects` allows.
        AccessDeniedError: these credentials may not read it.
        TransientError: S3 fails, or takes too long.
    """
    try:
        return _content(objects, job, etag, seconds)
    except AccessDeniedError:
        if job.version_id is None:
            raise
    # Versions need a permission of their own; the object may still be this one.
    return _content(objects, Job(job.bucket, job.key), etag, seconds)


def _content(objects: ObjectReader, job: Job, etag: str | None, seconds: float) -> bytes | None:
    with objects.open(job) as source:
        if source is None or source.identity.etag != etag:
            return None
        return source.read(time.monotonic() + seconds)
