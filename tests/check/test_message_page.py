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
}


def example(heading: str) -> str:
    """The JSON below a heading."""
    (section,) = [text for text in PAGE.split("\n## ") if text.startswith(f"{heading}\n")]
    found = re.search(r"^```json\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    assert found
    return found[1]


@pytest.mark.parametrize("heading", EXAMPLES)
def test_an_example_is_the_job_that_it_looks_like(heading: str) -> None:
    """Each form is the job that the page describes."""
    assert decode_message(example(heading), default_bucket=None) == (EXAMPLES[heading],)


def test_every_field_of_the_direct_form_is_there() -> None:
    """The table has a row for each field of the example, and no other."""
    rows = re.findall(r"^\| `(\w+)` \| .* \| .* ?\|$", PAGE.split("## S3 event")[0], re.MULTILINE)
    assert rows == list(json.loads(example("Direct")))


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
