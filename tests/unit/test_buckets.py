"""Which buckets jobs may use."""

import pytest

from landmarks.errors import MessageError
from landmarks.job import Job
from worker.jobs import Buckets


@pytest.mark.parametrize(
    "buckets",
    [
        Buckets(),
        Buckets(default="other"),
        Buckets(allowed=frozenset({"photos"})),
        Buckets(masks="masks"),
    ],
)
def test_job_in_an_allowed_bucket_is_accepted(buckets: Buckets) -> None:
    """Without a list, all buckets are allowed."""
    job = Job("photos", "photo.jpg")
    assert buckets.check(job) is job


def test_job_in_another_bucket_is_refused() -> None:
    """The error has the bucket's name."""
    with pytest.raises(MessageError, match="photos is not allowed here"):
        Buckets(allowed=frozenset({"uploads"})).check(Job("photos", "photo.jpg"))


@pytest.mark.parametrize("allowed", [None, frozenset({"photos"}), frozenset({"masks"})])
def test_job_in_the_bucket_of_masks_is_refused(allowed: frozenset[str] | None) -> None:
    """A job for a mask would create another mask, and so on."""
    with pytest.raises(MessageError, match="masks holds segmentation masks"):
        Buckets(allowed=allowed, masks="masks").check(Job("masks", "photos/photo.jpg/feed.png"))
