"""The poller in its own process, on a real queue: what Lambda would have done, it does."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import (
    ClientError,
    EndpointConnectionError,
    HTTPClientError,
    NoCredentialsError,
)

from landmarks.errors import ServiceError
from landmarks.local.stack import MAX_RECEIVE_COUNT, embedded_services
from tests.events import QUEUE_ARN, sqs_event
from tests.fakes import Cloud, closed_port, nobody, person
from worker.handler import InvocationContext
from worker.poller.health import Health
from worker.poller.leases import Leases
from worker.poller.loop import Pace, Poller, describe_queue

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

ROOT = Path(__file__).parents[2]


def command(*arguments: str) -> list[str]:
    """The poller's command line."""
    return [sys.executable, "-m", "worker.poller", *arguments]


def environment(cloud: Cloud, **changes: str) -> dict[str, str]:
    """The environment of a worker on the test's stack."""
    return {
        **os.environ,
        **cloud.stack.environment,
        "MODEL_COMPLEXITY": "1",
        "DETECTORS": "1",
        **changes,
    }


@contextmanager
def poller(cloud: Cloud, **changes: str) -> Iterator[subprocess.Popen[str]]:
    """A running poller, killed at the latest when the block ends."""
    with subprocess.Popen(
        command("--wait-seconds", "1"),
        env=environment(cloud, **changes),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def start(cloud: Cloud, **changes: str) -> subprocess.CompletedProcess[str]:
    """A poller that ends by itself."""
    return subprocess.run(
        command(),
        env=environment(cloud, **changes),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def wait_until(condition: Callable[[], bool], seconds: float = 45) -> None:
    """Wait for something to become true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.1)


def children(pid: int) -> list[int]:
    """The processes that a process has started and not yet buried."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_queue_is_drained(cloud: Cloud) -> None:
    """Of twelve messages eleven are done; one that keeps failing is redriven; then it stops."""
    cloud.put("person.jpg", person())
    cloud.put("notes.txt", b"words")
    expected = {"person.jpg": "detected", "notes.txt": "failed"}
    for number in range(9):
        cloud.put(f"{number}.png", nobody())
        expected[f"{number}.png"] = "not_detected"
    cloud.send({"key": "missing.jpg"}, *({"key": key} for key in expected))

    with poller(cloud, RETRY_BASE_SECONDS="0") as process:
        wait_until(lambda: cloud.queued() == 0)
        detectors = children(process.pid)
        asked = time.monotonic()
        process.send_signal(signal.SIGTERM)
        output, errors = process.communicate(timeout=30)
        seconds = time.monotonic() - asked

    assert cloud.statuses() == expected
    (letter,) = cloud.dead_letters()
    assert json.loads(letter["Body"]) == {"key": "missing.jpg"}
    assert (process.returncode, errors) == (0, "")
    assert seconds < 6
    assert len(detectors) == 1
    assert not any(Path(f"/proc/{pid}").exists() for pid in detectors)
    logged = [json.loads(line) for line in output.splitlines()]
    messages = [line["message"] for line in logged if "message" in line]
    assert (messages[0], messages[-1]) == ("polling", "stopped")
    assert messages.count("job finished") == 11
    assert messages.count("job postponed") == MAX_RECEIVE_COUNT


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"QUEUE_URL": ""}, "QUEUE_URL is not set: the poller has to know its queue"),
        (
            {"QUEUE_URL": "landmarks", "DETECTORS": "none"},
            (
                "QUEUE_URL='landmarks' is not allowed: must be a queue's URL; "
                "DETECTORS='none' is not allowed: must be a whole number from 1 to 64"
            ),
        ),
    ],
)
def test_wrong_settings_stop_it_with_one_line(
    changes: dict[str, str], complaint: str, cloud: Cloud
) -> None:
    """A person reads what to set, and no traceback."""
    ended = start(cloud, **changes)

    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == f"landmark-worker: {complaint}\n"


def test_queue_that_is_not_there_stops_it_with_one_line(cloud: Cloud) -> None:
    """The line names the address."""
    url = f"{cloud.stack.queue_url}-gone"

    ended = start(cloud, QUEUE_URL=url)

    assert ended.returncode == 1
    assert ended.stderr.startswith(f"landmark-worker: QUEUE_URL='{url}' can't be polled: ")
    assert len(ended.stderr.splitlines()) == 1


Answer = Callable[[Mapping[str, Any]], Mapping[str, Any]]


def all_done(_event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Report no failure."""
    return {"batchItemFailures": []}


def second_failed(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Report one failure."""
    return {"batchItemFailures": [{"itemIdentifier": event["Records"][1]["messageId"]}]}


def mistake(_event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Raise."""
    raise RuntimeError("a mistake of ours")


class Recorder:
    """A handler that keeps the events, answers as told, and then ends the poller.

    It counts messages, not batches: those that become visible again one after the other
    may well be received so.
    """

    def __init__(self, *answers: Answer, messages: int) -> None:
        """Give these answers, one a batch and the last from then on, until so many came."""
        self.answers = list(answers)
        self.messages = messages
        self.events: list[Mapping[str, Any]] = []
        self.seconds: list[float] = []
        self.poller: Poller | None = None

    def handle(self, event: Mapping[str, Any], context: InvocationContext) -> Mapping[str, Any]:
        """Note the event and answer."""
        self.events.append(event)
        self.seconds.append(context.get_remaining_time_in_millis() / 1000)
        self.messages -= len(event["Records"])
        if self.messages <= 0 and self.poller:
            self.poller.stop()
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return answer(event)

    def receive_counts(self) -> list[dict[str, str]]:
        """Of each event's messages, by body."""
        return [
            {
                record["body"]: record["attributes"]["ApproximateReceiveCount"]
                for record in event["Records"]
            }
            for event in self.events
        ]

    def poll(self, cloud: Cloud, client: "SQSClient | None" = None) -> None:
        """Run a poller until the answers are used up."""
        client = client or boto3.client("sqs")
        queue = describe_queue(client, cloud.stack.queue_url)
        leases = Leases(client, queue.url, queue.visibility_seconds)
        pace = Pace(wait_seconds=1)
        self.poller = Poller(client, queue, self, leases, pace=pace, health=Health(60))
        assert self.poller.run()


def test_event_is_the_one_that_lambda_hands_over(cloud: Cloud) -> None:
    """Same fields, same spelling, and JSON through and through."""
    cloud.send('{"key": "ü.jpg"}', attributes={"note": "text", "count": 7, "raw": b"\0\xff"})
    recorder = Recorder(all_done, messages=1)

    recorder.poll(cloud)

    (record,) = json.loads(json.dumps(recorder.events[0]))["Records"]
    (like_lambdas,) = sqs_event('{"key": "ü.jpg"}')["Records"]
    assert record.keys() == like_lambdas.keys()
    assert record["attributes"].keys() >= like_lambdas["attributes"].keys()
    assert record["attributes"]["ApproximateReceiveCount"] == "1"
    for name in ("body", "md5OfBody", "eventSource"):
        assert record[name] == like_lambdas[name]
    assert record["eventSourceARN"].split(":")[:3] == QUEUE_ARN.split(":")[:3]
    assert record["awsRegion"] == record["eventSourceARN"].split(":")[3]
    values = {
        name: (attribute["dataType"], attribute.get("stringValue", attribute.get("binaryValue")))
        for name, attribute in record["messageAttributes"].items()
    }
    assert values == {
        "note": ("String", "text"),
        "count": ("Number", "7"),
        "raw": ("Binary", "AP8="),
    }


def test_time_of_an_invocation_is_the_visibility_timeout(cloud: Cloud) -> None:
    """After it the messages are somebody else's."""
    cloud.allow_receives(5, visibility_seconds=17)
    cloud.send("one")
    recorder = Recorder(all_done, messages=1)

    recorder.poll(cloud)

    assert 15 < recorder.seconds[0] <= 17


def test_batches_are_as_large_as_sqs_allows(cloud: Cloud) -> None:
    """Twelve messages are two batches."""
    cloud.send(*(str(number) for number in range(12)))
    recorder = Recorder(all_done, messages=12)

    recorder.poll(cloud)

    assert sorted(len(event["Records"]) for event in recorder.events) == [2, 10]
    assert cloud.queued() == 0


def test_messages_reported_as_failed_stay(cloud: Cloud) -> None:
    """What the handler reports is left in the queue, and nothing else."""
    cloud.allow_receives(5, visibility_seconds=1)
    cloud.send("one", "two", "three")
    recorder = Recorder(second_failed, all_done, messages=4)

    recorder.poll(cloud)

    assert recorder.receive_counts() == [{"one": "1", "two": "1", "three": "1"}, {"two": "2"}]
    assert cloud.queued() == 0


def test_handler_that_raises_has_the_whole_batch_come_again(cloud: Cloud) -> None:
    """The poller goes on, and deletes nothing of that batch."""
    cloud.allow_receives(5, visibility_seconds=1)
    cloud.send("one", "two")
    recorder = Recorder(mistake, all_done, messages=4)

    recorder.poll(cloud)

    first, *again = recorder.receive_counts()
    assert first == {"one": "1", "two": "1"}
    assert sorted(count for counts in again for count in counts.items()) == [
        ("one", "2"),
        ("two", "2"),
    ]
    assert cloud.queued() == 0


def test_sqs_that_fails_is_asked_again(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A queue that can't be reached for a while ends nothing."""
    monkeypatch.setattr("worker.poller.loop._PAUSE_SECONDS", 0.01)
    outages = [EndpointConnectionError(endpoint_url="http://sqs")]
    client, recorder = boto3.client("sqs"), Recorder(all_done, messages=1)

    def fail_once(**_: object) -> None:
        if outages:
            raise outages.pop()

    client.meta.events.register("provide-client-params.sqs.ReceiveMessage", fail_once)
    cloud.send("one")

    recorder.poll(cloud, client)

    assert "queue unavailable" in caplog.text
    assert cloud.queued() == 0


def sqs_error(status: int, code: str) -> ClientError:
    """An answer of SQS that is an error."""
    answer: Any = {
        "Error": {"Code": code, "Message": "no"},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(answer, "GetQueueAttributes")


@pytest.mark.parametrize(
    "outage",
    [
        EndpointConnectionError(endpoint_url="http://sqs"),
        HTTPClientError(error="reset by peer"),
        sqs_error(503, "ServiceUnavailable"),
        sqs_error(400, "ThrottlingException"),
        {},  # what botocore makes of an answer that was cut short
    ],
    ids=["not there", "broken off", "unavailable", "throttled", "cut short"],
)
def test_sqs_that_is_out_of_reach_at_the_start_is_waited_for(
    outage: Exception | dict[str, Any],
    cloud: Cloud,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Containers may be started before, or in the middle of, an outage."""
    monkeypatch.setattr("worker.poller.loop._PAUSE_SECONDS", 0.01)
    client = boto3.client("sqs")
    really_ask, answers = client.get_queue_attributes, [outage, outage]

    def ask(**arguments: Any) -> Any:  # noqa: ANN401, as the client's
        answer = answers.pop() if answers else really_ask(**arguments)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(client, "get_queue_attributes", ask)

    assert describe_queue(client, cloud.stack.queue_url).url == cloud.stack.queue_url
    assert caplog.text.count("queue unavailable") == 2


@pytest.mark.parametrize(
    "refusal",
    [sqs_error(403, "AccessDenied"), NoCredentialsError()],
    ids=["denied", "no credentials"],
)
def test_queue_that_is_refused_is_not_waited_for(
    refusal: Exception, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever set it up has to hear of it at once."""
    client = boto3.client("sqs")

    def refuse(**_: object) -> None:
        raise refusal

    monkeypatch.setattr(client, "get_queue_attributes", refuse)

    with pytest.raises(ServiceError, match="can't be polled"):
        describe_queue(client, cloud.stack.queue_url)


def test_embedded_services_are_all_that_is_met(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a machine is set up for, be it an account or a proxy, is out of reach meanwhile."""
    with closed_port() as nowhere:
        elsewhere = {
            "AWS_PROFILE": "production",
            "AWS_SESSION_TOKEN": "secret",
            "AWS_ENDPOINT_URL_S3": nowhere,
            "HTTP_PROXY": nowhere,
            "http_proxy": nowhere,
        }
        for name, value in elsewhere.items():
            monkeypatch.setenv(name, value)

        with embedded_services():
            answer = boto3.Session().client("s3").list_buckets()

    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert {name: os.environ[name] for name in elsewhere} == elsewhere
