"""Segmentation masks → S3, each under a key that tells whose it is."""

import hashlib
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

from worker.jobs import Job
from worker.landmarks import MaskPlace
from worker.objects import refusal, service_errors

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# Of a key, in UTF-8: S3's limit.
_MAX_KEY_BYTES: Final = 1024


class MaskStore:
    """Puts masks into one bucket."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        """Write to `bucket` with `client`."""
        self._client = client
        self._bucket = bucket

    def put(self, job: Job, etag: str, png: bytes) -> MaskPlace:
        """Store the mask of one content of a job's object, and tell where.

        Raises:
            TransientError: the bucket isn't there, isn't ours to write to, or S3 fails.
        """
        place = MaskPlace(self._bucket, mask_key(job, etag))
        try:
            with service_errors():
                self._client.put_object(
                    Bucket=place.bucket, Key=place.key, Body=png, ContentType="image/png"
                )
        except ClientError as error:
            raise refusal(error, f"the mask {place.key!r} in bucket {place.bucket!r}") from error
        return place


def mask_key(job: Job, etag: str) -> str:
    """The key of a mask: bucket and key of the image, and which content of it.

    An older content's mask, put late, so never takes the place of a newer one's.
    """
    key = f"{job.bucket}/{job.key}/{etag}.png"
    if len(key.encode()) <= _MAX_KEY_BYTES:
        return key
    return f"{job.bucket}/sha256/{hashlib.sha256(key.encode()).hexdigest()}.png"
