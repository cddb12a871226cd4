"""`landmarks retry` and `landmarks reprocess`: stored objects are enqueued again."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from landmarks.cli.main import landmarks
from landmarks.cli.retry import StoredObjects
from landmarks.item import LandmarkItem
from tests.fakes import Cloud
from tests.items import OPTIONS_HASH, store
from worker.model import ModelOptions, options_hash


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the command in the test's folder, because it writes files."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def failures(cloud: Cloud) -> Cloud:
    """Three failures among other results, one of them in another bucket."""
    store(cloud, "a/good.jpg")
    store(cloud, "a/empty.jpg", "not_detected")
    store(cloud, "a/list.txt", "failed", code="NOT_AN_IMAGE", job_id="order-7")
    store(cloud, "b/é 1+1.jpg", "failed", code="DETECTOR_TIMEOUT")
    store(cloud, "a/far.jpg", "failed", code="DETECTOR_TIMEOUT", bucket="far-away")
    return cloud


def run(cloud: Cloud, *arguments: str, **environment: str) -> Result:
    """Run a command with the stack's settings; "" unsets one."""
    return CliRunner().invoke(landmarks, arguments, env={**cloud.stack.environment, **environment})


def retry(cloud: Cloud, *arguments: str) -> Result:
    """Run `landmarks retry --failed`."""
    return run(cloud, "retry", "--failed", *arguments)


def reprocess(cloud: Cloud, place: str, *arguments: str, **environment: str) -> Result:
    """Run `landmarks reprocess --options-changed`."""
    return run(cloud, "reprocess", place, "--options-changed", *arguments, **environment)


def jobs(cloud: Cloud, services: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Remove the queue's messages and return them by key."""
    found: dict[str, dict[str, Any]] = {}
    url = cloud.stack.queue_url
    receive = services["sqs"].receive_message
    while messages := receive(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        decoded = [json.loads(message["Body"]) for message in messages]
        found |= {job["key"]: job for job in decoded}
    return found


def test_retry_sends_every_failure(failures: Cloud, services: dict[str, Any]) -> None:
    """Each failure becomes a forced job with the producer's job id."""
    result = retry(failures)

    assert result.exit_code == 0
    assert result.stderr.startswith("3 sent in ")
    assert result.stderr.endswith("\n5 items of the table read\n")
    bucket = failures.stack.bucket
    assert jobs(failures, services) == {
        "a/list.txt": {
            "bucket": bucket,
            "key": "a/list.txt",
            "force": True,
            "job_id": "order-7",
        },
        "b/é 1+1.jpg": {"bucket": bucket, "key": "b/é 1+1.jpg", "force": True},
        "a/far.jpg": {"bucket": "far-away", "key": "a/far.jpg", "force": True},
    }


@pytest.mark.parametrize(
    ("arguments", "keys"),
    [
        (("a/",), {"a/list.txt", "a/far.jpg"}),
        (("--bucket", "far-away"), {"a/far.jpg"}),
        (("s3://far-away/a/",), {"a/far.jpg"}),
        (("--code", "DETECTOR_TIMEOUT"), {"b/é 1+1.jpg", "a/far.jpg"}),
        (("--code", "DETECTOR_TIMEOUT", "a/"), {"a/far.jpg"}),
        (("none/",), set()),
    ],
)
def test_retry_sends_what_is_asked_for(
    failures: Cloud, services: dict[str, Any], arguments: tuple[str, ...], keys: set[str]
) -> None:
    """Prefix, bucket and code select failures."""
    assert retry(failures, *arguments).exit_code == 0
    assert jobs(failures, services).keys() == keys


def test_a_dry_run_prints_and_sends_nothing(failures: Cloud) -> None:
    """Objects and codes go to standard output, counts to standard error."""
    result = run(failures, "retry", "--failed", "--dry-run", QUEUE_URL="")

    assert result.exit_code == 0
    assert "s3://far-away/a/far.jpg  DETECTOR_TIMEOUT" in result.stdout.splitlines()
    assert len(result.stdout.splitlines()) == 3
    assert result.stderr == "3 would be sent\n5 items of the table read\n"
    assert failures.queued() == 0


@pytest.mark.parametrize("arguments", [(), ("--dry-run",)])
def test_folder_markers_are_left_out(failures: Cloud, arguments: tuple[str, ...]) -> None:
    """Earlier versions stored them as failed."""
    store(failures, "a/", "failed", code="NOT_AN_IMAGE")
    store(failures, "a_$folder$", "failed", code="NOT_AN_IMAGE")

    result = retry(failures, *arguments)

    assert result.stderr.startswith("3 would be sent" if arguments else "3 sent in ")
    assert result.stderr.endswith("\n7 items of the table read\n")
    assert failures.queued() == (0 if arguments else 3)


def test_retry_goes_through_many_pages(cloud: Cloud, services: dict[str, Any]) -> None:
    """Each failure is sent once, from a table of several pages."""
    for number in range(25):
        store(cloud, f"{number}.jpg", "failed", code="X" * 100_000)  # a page ends at 1 MB

    assert retry(cloud).stderr.startswith("25 sent in ")
    assert len(jobs(cloud, services)) == 25


@pytest.mark.parametrize(
    "arguments",
    [
        ("retry",),
        ("reprocess", "s3://far-away/"),
        ("retry", "--failed", "s3://far-away/", "--bucket", "other"),
    ],
)
def test_an_unclear_choice_is_wrong_usage(cloud: Cloud, arguments: tuple[str, ...]) -> None:
    """Without --failed or --options-changed, or with two buckets, nothing is sent."""
    assert run(cloud, *arguments).exit_code == 2


def test_an_unknown_code_is_wrong_usage(failures: Cloud) -> None:
    """A misspelt error code is an error that lists the codes."""
    result = retry(failures, "--code", "DETECTOR_TIMOUT")

    assert result.exit_code == 2
    assert "'DETECTOR_TIMEOUT'" in result.stderr


def test_no_queue_is_wrong_usage(failures: Cloud) -> None:
    """A missing queue exits with 2 before anything is read."""
    result = run(failures, "retry", "--failed", QUEUE_URL="")

    assert result.exit_code == 2
    assert "QUEUE_URL" in result.stderr


def test_a_table_that_is_not_there_is_named(failures: Cloud) -> None:
    """The error is one line with advice."""
    result = run(failures, "retry", "--failed", RESULTS_TABLE="gone")

    assert result.exit_code == 1
    assert "no such table" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_interrupted_it_says_what_is_sent(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """After Ctrl-C, the first batch is in the queue and counted."""
    for number in range(12):
        store(cloud, f"{number}.jpg", "failed", code="DETECTOR_TIMEOUT")
    read = StoredObjects.__iter__

    def interrupted(found: StoredObjects) -> Iterator[LandmarkItem]:
        for number, item in enumerate(read(found)):
            if number == 10:
                signal.raise_signal(signal.SIGINT)
            yield item

    monkeypatch.setattr(StoredObjects, "__iter__", interrupted)

    result = retry(cloud)

    assert result.exit_code == 130
    assert result.stderr.startswith("10 sent in ")
    assert "the rest was not sent" in result.stderr
    assert cloud.queued() == 10


def test_reprocess_sends_what_has_other_options(cloud: Cloud, services: dict[str, Any]) -> None:
    """Only objects below the prefix with another hash are sent, without force."""
    store(cloud, "a/old.jpg", options_hash="f" * 16)
    store(cloud, "a/new.jpg")
    store(cloud, "b/old.jpg", options_hash="f" * 16)
    store(cloud, "a/far.jpg", options_hash="f" * 16, bucket="far-away")

    result = reprocess(cloud, f"s3://{cloud.stack.bucket}/a/", "--options-hash", OPTIONS_HASH)

    assert result.exit_code == 0
    assert result.stderr.startswith("1 sent in ")
    assert result.stderr.endswith("\n4 items of the table read\n")
    job = {"bucket": cloud.stack.bucket, "key": "a/old.jpg"}
    assert jobs(cloud, services) == {"a/old.jpg": job}


def test_reprocess_knows_the_hash_of_the_settings_here(cloud: Cloud) -> None:
    """By default, the hash of the environment's settings is used and printed."""
    present = options_hash(ModelOptions(model_complexity=1))
    store(cloud, "same.jpg", options_hash=present)
    store(cloud, "other.jpg", options_hash=options_hash(ModelOptions(model_complexity=0)))

    result = reprocess(cloud, f"s3://{cloud.stack.bucket}", "--dry-run", MODEL_COMPLEXITY="1")

    assert result.stdout == f"s3://{cloud.stack.bucket}/other.jpg\n"
    assert f"options_hash {present}" in result.stderr
    assert "complexity 1" in result.stderr


def test_reprocess_refuses_wrong_settings(cloud: Cloud) -> None:
    """A setting that the worker would reject is an error."""
    result = reprocess(cloud, f"s3://{cloud.stack.bucket}", MODEL_COMPLEXITY="7")

    assert result.exit_code == 1
    assert "MODEL_COMPLEXITY" in result.stderr


@pytest.mark.parametrize("place", ["camera-roll/2026", "s3:///2026"])
def test_reprocess_needs_an_address(cloud: Cloud, place: str) -> None:
    """Anything but an S3 address is rejected with an example."""
    result = reprocess(cloud, place)

    assert result.exit_code == 2
    assert "s3://bucket/prefix" in result.stderr


def test_an_endpoint_can_be_named(failures: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """--endpoint-url takes precedence for the queue and the table."""
    endpoint = os.environ["AWS_ENDPOINT_URL"]
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")

    assert retry(failures, "--endpoint-url", endpoint).exit_code == 0
