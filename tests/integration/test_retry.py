"""`landmarks retry`: stored objects are enqueued again."""

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
    """Run `landmarks retry`, by default for failures."""
    return run(cloud, "retry", *arguments)


def retry_changed(cloud: Cloud, *arguments: str, **environment: str) -> Result:
    """Run `landmarks retry --options-changed`."""
    return run(cloud, "retry", "--options-changed", *arguments, **environment)


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
        (("--failed",), {"a/list.txt", "b/é 1+1.jpg", "a/far.jpg"}),
        (("--error-code", "DETECTOR_TIMEOUT"), {"b/é 1+1.jpg", "a/far.jpg"}),
        (("--code", "DETECTOR_TIMEOUT", "a/"), {"a/far.jpg"}),
        (
            ("--error-code", "NOT_AN_IMAGE", "--error-code", "DETECTOR_TIMEOUT", "a/"),
            {"a/list.txt", "a/far.jpg"},
        ),
        (("a",), {"a/list.txt", "a/far.jpg"}),
        (("a/f*", "--bucket", "far-away"), {"a/far.jpg"}),
        (("a/far.jpg",), {"a/far.jpg"}),
        (("b/é",), set()),
        (("none/",), set()),
    ],
)
def test_retry_sends_what_is_asked_for(
    failures: Cloud, services: dict[str, Any], arguments: tuple[str, ...], keys: set[str]
) -> None:
    """Prefix, bucket and codes select failures."""
    assert retry(failures, *arguments).exit_code == 0
    assert jobs(failures, services).keys() == keys


def test_only_recent_failures_can_be_sent(failures: Cloud, services: dict[str, Any]) -> None:
    """--since looks at when an object was processed."""
    store(failures, "a/old.jpg", "failed", code="DETECTOR_TIMEOUT", minutes_ago=90)

    assert retry(failures, "--since", "1h", "a/").stderr.startswith("2 sent in ")
    assert "a/old.jpg" not in jobs(failures, services)


def test_a_dry_run_prints_and_sends_nothing(failures: Cloud) -> None:
    """Objects and codes go to standard output; counts and cost to standard error."""
    result = run(failures, "retry", "--dry-run", QUEUE_URL="")

    assert result.exit_code == 0
    assert "s3://far-away/a/far.jpg  DETECTOR_TIMEOUT" in result.stdout.splitlines()
    assert len(result.stdout.splitlines()) == 3
    assert result.stderr.startswith(
        "3 would be sent\n"
        "SQS requests: 1, $0.0000004\n"
        "reading the table: about $0.0000006 (late 2025)\n"
        "storing results: $0.000015 if everyone shows face and hands"
    )
    assert result.stderr.endswith("\n5 items of the table read\n")
    assert failures.queued() == 0


def test_a_dry_run_counts_every_batch(cloud: Cloud) -> None:
    """A request carries ten jobs, and costs more for a FIFO queue."""
    for number in range(11):
        store(cloud, f"{number}.jpg", "failed", code="DETECTOR_TIMEOUT")

    result = retry(cloud, "--dry-run", "--queue-url", "https://sqs/1/jobs.fifo")

    assert len(result.stdout.splitlines()) == 11
    assert result.stderr.startswith("11 would be sent\nSQS requests: 2, $0.000001\n")


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
        ("retry", "--options-hash", "0"),
        ("retry", "s3://far-away/", "--bucket", "other"),
        ("retry", "s3:///2026"),
        ("retry", "--since", "yesterday"),
    ],
)
def test_an_unclear_choice_is_wrong_usage(cloud: Cloud, arguments: tuple[str, ...]) -> None:
    """A filter that can't be understood, or contradicts another, sends nothing."""
    assert run(cloud, *arguments).exit_code == 2
    assert cloud.queued() == 0


def test_an_unknown_code_is_wrong_usage(failures: Cloud) -> None:
    """A misspelt error code is an error that lists the codes."""
    result = retry(failures, "--code", "DETECTOR_TIMOUT")

    assert result.exit_code == 2
    assert "'DETECTOR_TIMEOUT'" in result.stderr


def test_no_queue_is_wrong_usage(failures: Cloud) -> None:
    """A missing queue exits with 2 before anything is read."""
    result = run(failures, "retry", QUEUE_URL="")

    assert result.exit_code == 2
    assert "QUEUE_URL" in result.stderr


def test_a_table_that_is_not_there_is_named(failures: Cloud) -> None:
    """The error is one line with advice."""
    result = run(failures, "retry", RESULTS_TABLE="gone")

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


def test_retry_sends_what_has_other_options(cloud: Cloud, services: dict[str, Any]) -> None:
    """Objects below the prefix with another hash are sent, whatever their status, unforced."""
    store(cloud, "a/old.jpg", options_hash="f" * 16)
    store(cloud, "a/new.jpg")
    store(cloud, "a/empty.jpg", "not_detected", options_hash="f" * 16)
    store(cloud, "a/list.txt", "failed", code="NOT_AN_IMAGE", options_hash="f" * 16)
    store(cloud, "b/old.jpg", options_hash="f" * 16)
    store(cloud, "a/far.jpg", options_hash="f" * 16, bucket="far-away")

    result = retry_changed(cloud, f"s3://{cloud.stack.bucket}/a/", "--options-hash", OPTIONS_HASH)

    assert result.exit_code == 0
    assert result.stderr.startswith("3 sent in ")
    assert result.stderr.endswith("\n6 items of the table read\n")
    keys = ("a/old.jpg", "a/empty.jpg", "a/list.txt")
    assert jobs(cloud, services) == {
        key: {"bucket": cloud.stack.bucket, "key": key} for key in keys
    }


@pytest.mark.parametrize("filters", [("--failed",), ("--error-code", "NOT_AN_IMAGE")])
def test_filters_narrow_down_what_has_other_options(
    cloud: Cloud, services: dict[str, Any], filters: tuple[str, ...]
) -> None:
    """An object has to match every filter."""
    store(cloud, "old.jpg", options_hash="f" * 16)
    store(cloud, "old.txt", "failed", code="NOT_AN_IMAGE", options_hash="f" * 16)
    store(cloud, "new.txt", "failed", code="NOT_AN_IMAGE")

    retry_changed(cloud, "--options-hash", OPTIONS_HASH, *filters)

    assert jobs(cloud, services).keys() == {"old.txt"}


def test_retry_knows_the_hash_of_the_settings_here(cloud: Cloud) -> None:
    """By default, the hash of the environment's settings is used and printed."""
    present = options_hash(ModelOptions(model_complexity=1))
    store(cloud, "same.jpg", options_hash=present)
    store(cloud, "other.jpg", options_hash=options_hash(ModelOptions(model_complexity=0)))

    result = retry_changed(cloud, f"s3://{cloud.stack.bucket}", "--dry-run", MODEL_COMPLEXITY="1")

    assert result.stdout == f"s3://{cloud.stack.bucket}/other.jpg\n"
    assert f"options_hash {present}" in result.stderr
    assert "complexity 1" in result.stderr


def test_retry_refuses_wrong_settings(cloud: Cloud) -> None:
    """A setting that the worker would reject is an error."""
    result = retry_changed(cloud, f"s3://{cloud.stack.bucket}", MODEL_COMPLEXITY="7")

    assert result.exit_code == 1
    assert "MODEL_COMPLEXITY" in result.stderr


def test_reprocess_is_now_a_filter(cloud: Cloud) -> None:
    """The former command names the new one, in one line."""
    result = run(cloud, "reprocess", "s3://camera-roll", "--options-changed")

    assert result.exit_code == 2
    assert result.stderr == (
        "Error: `reprocess` is now: landmarks retry --options-changed [s3://BUCKET/FOLDER]\n"
    )


def test_an_endpoint_can_be_named(failures: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """--endpoint-url takes precedence for the queue and the table."""
    endpoint = os.environ["AWS_ENDPOINT_URL"]
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")

    assert retry(failures, "--endpoint-url", endpoint).exit_code == 0
