"""`landmarks status`: what it shows about queues and the table."""

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from click.testing import CliRunner, Result

from landmarks.cli.main import landmarks
from landmarks.cli.options import queue_name
from landmarks.cli.queue_status import Queue, Rate, Status, read_retrying
from landmarks.errors import ObjectNotFoundError, ServiceError
from landmarks.job import Job
from tests.conftest import MakeHandler
from tests.fakes import Cloud, closed_port, deliver
from tests.items import store
from worker.telemetry import Telemetry, configure_logging
from worker.verdict import Verdict

TERMINAL = {"FORCE_COLOR": "1", "TERM": "xterm", "COLUMNS": "200"}


def run(cloud: Cloud, *arguments: str, **environment: str | None) -> Result:
    """Run the command with the stack's settings; "" or None unsets one."""
    settings: dict[str, str | None] = {**cloud.stack.environment, **environment}
    return CliRunner().invoke(landmarks, ["status", *arguments], env=settings)


def status(cloud: Cloud, *arguments: str, **environment: str) -> dict[str, Any]:
    """Return the command's JSON."""
    result = run(cloud, "--json", *arguments, **environment)
    assert result.exit_code == 0, result.stderr
    value: dict[str, Any] = json.loads(result.stdout)
    return value


def test_queue_counts_waiting_in_flight_and_delayed(cloud: Cloud, services: dict[str, Any]) -> None:
    """Each message is counted once; without a metric, its age is unknown."""
    cloud.send({"key": "a"}, {"key": "b"}, {"key": "c"})
    services["sqs"].receive_message(QueueUrl=cloud.stack.queue_url)
    services["sqs"].send_message(
        QueueUrl=cloud.stack.queue_url, MessageBody="later", DelaySeconds=60
    )

    assert status(cloud)["queue"] == {
        "url": cloud.stack.queue_url,
        "depth": 2,
        "in_flight": 1,
        "delayed": 1,
        "oldest_age_seconds": None,
        "oldest_age_at": None,
    }


def test_dead_letter_queue_is_found_by_its_queue(cloud: Cloud, services: dict[str, Any]) -> None:
    """The queue's URL is enough to count its dead letters."""
    url = cloud.stack.dead_letter_queue_url
    services["sqs"].send_message(QueueUrl=url, MessageBody="dead")

    answer = status(cloud, DEAD_LETTER_QUEUE_URL="", RESULTS_TABLE="")

    assert (answer["dead_letters"]["url"], answer["dead_letters"]["depth"]) == (url, 1)
    assert answer["recent"] is None


def test_age_is_unknown_where_cloudwatch_is_out_of_reach(cloud: Cloud) -> None:
    """Without CloudWatch, only the age is missing."""
    with closed_port() as nowhere:
        queue = status(cloud, AWS_ENDPOINT_URL_CLOUDWATCH=nowhere)["queue"]

    assert (queue["depth"], queue["oldest_age_seconds"]) == (0, None)


def test_age_is_cloudwatchs(cloud: Cloud) -> None:
    """The age of the oldest message is CloudWatch's newest value, with its time."""
    queue_dimension = {"Name": "QueueName", "Value": queue_name(cloud.stack.queue_url)}
    metric = {
        "MetricName": "ApproximateAgeOfOldestMessage",
        "Dimensions": [queue_dimension],
        "Timestamp": datetime.now(UTC),
        "Value": 3720,
    }
    boto3.client("cloudwatch").put_metric_data(Namespace="AWS/SQS", MetricData=[metric])

    queue = status(cloud)["queue"]

    assert queue["oldest_age_seconds"] == 3720
    assert datetime.fromisoformat(queue["oldest_age_at"]) <= datetime.now(UTC)
    assert "1 h 2 min" in run(cloud).stdout


def test_recent_outcomes_and_durations(cloud: Cloud) -> None:
    """Recent items are counted by status and code, with their durations."""
    for number in range(1, 21):
        store(cloud, f"{number}.jpg", total_ms=number * 10)
    store(cloud, "empty.jpg", "not_detected", total_ms=200)
    store(cloud, "list.txt", "failed", code="NOT_AN_IMAGE", total_ms=200)
    store(cloud, "old.jpg", minutes_ago=16)
    cloud.put_item({"object_key": {"S": "not ours"}, "bucket": {"S": "camera-roll"}})

    recent = status(cloud, QUEUE_URL="", DEAD_LETTER_QUEUE_URL="")["recent"]

    assert recent.pop("duration_ms")["total"] == {"p50": 110, "p95": 200, "max": 200}
    assert recent == {
        "table": cloud.stack.table,
        "window_seconds": 900,
        "items_read": 24,
        "whole_table": True,
        "processed": 22,
        "outcomes": {"detected": 20, "not_detected": 1, "failed": 1},
        "people": None,
        "error_codes": {"NOT_AN_IMAGE": 1},
    }
    assert status(cloud, "--window", "1h")["recent"]["processed"] == 23


def test_no_more_items_are_read_than_allowed(cloud: Cloud) -> None:
    """A sample is labelled as such; with 0, the table need not exist."""
    for number in range(7):
        store(cloud, f"{number}.jpg")

    recent = status(cloud, "--max-items", "5")["recent"]

    assert (recent["items_read"], recent["whole_table"]) == (5, False)
    assert "of the first 5 items read" in run(cloud, "--max-items", "5").stdout
    assert status(cloud, "--max-items", "0", RESULTS_TABLE="no-such-table")["recent"] is None


def test_people_see_every_part(cloud: Cloud) -> None:
    """All parts are shown, without control characters."""
    cloud.send({"key": "a"})
    store(cloud, "a.jpg", total_ms=1234)
    store(cloud, "b.jpg", "failed", code="\x1b[31mRED")

    output = run(cloud).stdout

    assert all(word in output for word in ("waiting", "in flight", "delayed", "Dead letters"))
    assert "1,234" in output
    assert "\x1b" not in output


@pytest.mark.parametrize(
    ("host", "shown"),
    [("https://sqs.us-east-1.amazonaws.com", True), ("http://127.0.0.1:5000", False)],
)
def test_age_is_only_missed_on_aws(cloud: Cloud, host: str, *, shown: bool) -> None:
    """Elsewhere, nothing measures it: there is no line for it."""
    url = f"{host}/123456789012/{queue_name(cloud.stack.queue_url)}"

    result = run(cloud, QUEUE_URL=url)

    line = "  oldest          unknown  no data from CloudWatch"
    assert result.exit_code == 0, result.stderr
    assert (line in result.stdout.splitlines()) == shown


@pytest.fixture
def worker_log(tmp_path: Path) -> Iterator[Path]:
    """A file that this process's worker logs to."""
    logger, path = logging.getLogger("worker"), tmp_path / "worker.log"
    before = logger.handlers, logger.level, logger.propagate
    with path.open("a", encoding="utf-8") as file:
        configure_logging(file)
        yield path
    logger.handlers, logger.level, logger.propagate = before


def test_errors_that_are_retried_are_counted(
    cloud: Cloud, services: dict[str, Any], make_handler: MakeHandler, worker_log: Path
) -> None:
    """The worker's log says why messages are in flight."""
    cloud.send({"key": "a"}, {"key": "b"})
    services["sqs"].receive_message(QueueUrl=cloud.stack.queue_url, MaxNumberOfMessages=2)
    assert deliver(make_handler(), {"key": "missing.jpg"}, {"key": "nor.jpg"}) == [0, 1]

    assert status(cloud, WORKER_LOG=str(worker_log))["retrying"] == {"OBJECT_NOT_FOUND": 2}
    lines = run(cloud, "--worker-log", str(worker_log)).stdout.splitlines()
    assert "  retried               2  OBJECT_NOT_FOUND 2" in lines


def test_only_what_still_waits_is_retried(worker_log: Path) -> None:
    """Done and given up messages no longer count, nor does what was retried long ago."""
    telemetry, error = Telemetry(), ServiceError("S3: down")
    jobs = {key: Job("bucket", key, message_id=f"id-{key}") for key in "abcd"}
    worker_log.write_text('cut off"}\n["no entry"]\n')
    for job in jobs.values():
        telemetry.retried(job, error)
    telemetry.retried(jobs["a"], ObjectNotFoundError("no such object"))
    telemetry.finished(jobs["b"], Verdict.DUPLICATE)
    telemetry.finished(Job("bucket", "other", message_id="id-c"), Verdict.DUPLICATE)
    telemetry.given_up("id-d", error)

    retried = {"OBJECT_NOT_FOUND": 1, "SERVICE_UNAVAILABLE": 1}
    assert read_retrying(worker_log) == retried

    tailed = [f"2026-11-28T16:00:00 {line}\n" for line in worker_log.read_text().splitlines()]
    worker_log.write_text("".join(tailed))  # as `aws logs tail` prints it
    assert read_retrying(worker_log) == retried

    long_ago = worker_log.read_text().replace(f'"{datetime.now(UTC).year}-', '"2020-')
    worker_log.write_text(long_ago)
    assert read_retrying(worker_log) == {}
    assert read_retrying(worker_log.with_name("none.log")) is None


def reading(seconds: float, depth: int, in_flight: int = 0) -> Status:
    """A status of a queue, this long after the first."""
    at = datetime(2026, 11, 28, tzinfo=UTC) + timedelta(seconds=seconds)
    return Status(at, Queue("https://sqs/jobs", depth, in_flight, 0), None, None)


@pytest.mark.parametrize(
    ("first", "second", "rate"),
    [
        (reading(0, 100, 10), reading(5, 60, 10), Rate(5, 8, 9)),
        (reading(0, 100), reading(4, 100), Rate(4, 0, None)),
        (reading(0, 100), reading(5, 120), Rate(5, -4, None)),
        (reading(0, 0, 3), reading(2, 0, 2), Rate(2, 0.5, 4)),
        (reading(0, 100), reading(0, 60), None),
        (None, reading(0, 60), None),
        (replace(reading(0, 60), queue=None), reading(5, 60), None),
    ],
    ids=["shrinks", "stands still", "grows", "in flight", "at once", "first", "no queue"],
)
def test_rate_is_that_of_the_last_interval(
    first: Status | None, second: Status, rate: Rate | None
) -> None:
    """Only a queue that shrinks has a time left."""
    assert second.since(first).rate == rate


def interrupt_second_wait(monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[], object]) -> None:
    """Call `meanwhile` during the command's first wait, and press Ctrl-C during its second."""
    happenings = iter([meanwhile])

    def sleep(_seconds: float) -> None:
        happening = next(happenings, None)
        if happening is None:
            raise KeyboardInterrupt
        happening()

    monkeypatch.setattr("landmarks.cli.status.time", SimpleNamespace(sleep=sleep, strftime=str))


def test_watch_prints_json_lines(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each refresh prints a line of JSON, until Ctrl-C."""
    interrupt_second_wait(monkeypatch, lambda: cloud.send({"key": "a"}))

    result = run(cloud, "--watch", "--json")

    assert result.exit_code == 0
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["queue"]["depth"] for line in lines] == [0, 1]
    assert lines[0]["rate"] is None
    assert lines[1]["rate"].keys() == {"interval_seconds", "messages_per_second", "seconds_left"}


@pytest.mark.parametrize("terminal", [{}, TERMINAL], ids=["pipe", "terminal"])
@pytest.mark.parametrize(
    ("waiting", "change", "words"),
    [
        (2, "receive", "nothing was done in the last"),
        (2, "delete", "until the queue is empty"),
        (2, "send", "more messages arrive than are done"),
        (2, "nothing", "no messages are being received"),
        (0, "nothing", "the queue is empty"),
    ],
)
def test_watch_shows_rate_and_time_left(
    cloud: Cloud,
    services: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    terminal: dict[str, str],
    waiting: int,
    change: str,
    words: str,
) -> None:
    """In words, where a number says nothing."""
    cloud.send(*waiting * [{"key": "a"}])

    def meanwhile() -> None:
        url = cloud.stack.queue_url
        if change == "send":
            cloud.send({"key": "b"})
        if change in {"receive", "delete"}:
            (message,) = services["sqs"].receive_message(QueueUrl=url)["Messages"]
            if change == "delete":
                handle = message["ReceiptHandle"]
                services["sqs"].delete_message(QueueUrl=url, ReceiptHandle=handle)

    interrupt_second_wait(monkeypatch, meanwhile)

    result = run(cloud, "--watch", **terminal)

    assert result.exit_code == 0, result.stderr
    first, second = result.stdout.rindex("waiting  "), result.stdout.rindex("time left")
    assert first < second
    assert words in result.stdout[first:]


def test_watch_survives_later_errors(
    cloud: Cloud, services: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a terminal, the last status stays, with the error below it."""
    url = cloud.stack.queue_url
    interrupt_second_wait(monkeypatch, lambda: services["sqs"].delete_queue(QueueUrl=url))

    result = run(cloud, "--watch", "2", **TERMINAL)

    assert result.exit_code == 0
    last = result.stdout.rindex("waiting")
    assert "no such queue" in result.stdout[last:]


@pytest.mark.parametrize("terminal", [{}, TERMINAL])
def test_watch_can_be_ended_while_it_reads(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, terminal: dict[str, str]
) -> None:
    """Ctrl-C also works during a request."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    interrupt_second_wait(
        monkeypatch, lambda: monkeypatch.setattr("landmarks.cli.status.read_queue", interrupt)
    )

    result = run(cloud, "--watch", "2", **terminal)

    assert (result.exit_code, result.stderr) == (0, "")


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"QUEUE_URL": "http://127.0.0.1/1/gone"}, "no such queue"),
        ({"RESULTS_TABLE": "gone"}, "no such table"),
        ({"AWS_REGION": None, "AWS_DEFAULT_REGION": None}, "set AWS_DEFAULT_REGION"),
        ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "no AWS credentials"),
    ],
)
def test_what_is_missing_is_one_line(cloud: Cloud, environment: dict[str, str], words: str) -> None:
    """A missing resource is an error in one line, with advice."""
    result = run(cloud, **environment, AWS_EC2_METADATA_DISABLED="true")

    assert result.exit_code == 1
    assert words in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_nothing_to_show_is_wrong_usage(cloud: Cloud) -> None:
    """Without a queue or table, the command exits with 2 and advice."""
    result = run(cloud, QUEUE_URL="", DEAD_LETTER_QUEUE_URL="", RESULTS_TABLE="")

    assert result.exit_code == 2
    assert "--queue-url" in result.stderr


@pytest.mark.parametrize("window", ["15", "0m", "-1m", "m"])
def test_a_window_needs_a_unit(cloud: Cloud, window: str) -> None:
    """Anything but a duration is rejected with examples."""
    result = run(cloud, "--window", window)

    assert result.exit_code == 2
    assert "90s" in result.stderr
