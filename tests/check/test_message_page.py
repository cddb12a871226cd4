"""The examples of `docs/message.md` are valid, and it lists every error code."""

import json
import re
from pathlib import Path

import pytest

from landmarks import errors
from landmarks.job import Job
from worker.jobs import decode_message

PAGE = (Path(__file__).parents[2] / "docs" / "message.md").read_text(encoding="utf-8")
CAFE = Job(
    bucket="my-photos",
    key="photos/café 1+1.jpg",
    etag="5d41402abc4b2a76b9719d911017c592",
    sequencer="0055AED6DCD90281E5",
)
PAYLOADS = {
    ("my-photos", "payloads/7c9e6679-7425-40de-944b-e07fc1f90ae7"): '{"key": "k", "bucket": "b-1"}'
}
EXAMPLES = {
    "Direct": Job(
        bucket="my-photos",
        key="photos/a b.jpg",
        version_id="3HL4kqtJlcpXroDTDmJ",
        job_id="order 17, photo 2",
        force=True,
    ),
    "S3 event notification": CAFE,
    "EventBridge": CAFE,
    "SNS": Job(bucket="my-photos", key="photos/a b.jpg"),
    "Body in S3": Job(bucket="b-1", key="k"),
}


def example(heading: str) -> str:
    """Return the JSON below a heading."""
    (section,) = [text for text in PAGE.split("\n## ") if text.startswith(f"{heading}\n")]
    found = re.search(r"^```json\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    assert found
    return found[1]


@pytest.mark.parametrize("heading", EXAMPLES)
def test_an_example_is_the_job_that_it_looks_like(heading: str) -> None:
    """Each form is the job that the page describes."""
    jobs = decode_message(
        example(heading),
        default_bucket=None,
        read_payload=lambda bucket, key: PAYLOADS[bucket, key],
    )
    assert jobs == (EXAMPLES[heading],)


def test_every_field_of_the_direct_form_is_there() -> None:
    """The table has a row for each field of the example, and no other."""
    rows = re.findall(r"^\| `(\w+)` \| .* \| .* ?\|$", PAGE.split("## S3 event")[0], re.MULTILINE)
    assert rows == list(json.loads(example("Direct")))


def test_every_sample_event_is_linked() -> None:
    """The tables of senders have the samples of infra-sam/events, but for the mixed batch."""
    linked = set(re.findall(r"\(\.\./infra-sam/events/([^)]+)\.json\)", PAGE))
    folder = Path(__file__).parents[2] / "infra-sam" / "events"
    assert linked | {"batch"} == {path.stem for path in folder.iterdir()}


def test_every_code_has_a_row() -> None:
    """Every code of a result or a dead letter; no base classes, no errors of the reader."""
    bases = {errors.LandmarkError, errors.ImageError, errors.DetectorError, errors.PermanentError}
    bases |= {errors.TransientError, errors.SettingsError}
    readers = {errors.SeveralResultsError, errors.TableNotFoundError}
    codes = {
        error.code
        for error in vars(errors).values()
        if isinstance(error, type)
        and issubclass(error, errors.LandmarkError)
        and error not in bases | readers
    }
    section = PAGE.split("## Codes")[1].split("\n## ")[0]
    assert set(re.findall(r"^\| `([A-Z_]+)`", section, re.MULTILINE)) == codes
