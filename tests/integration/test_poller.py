"""The poller on a real queue does what Lambda's event source mapping would do."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
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
from tests.fakes import Cloud, closed_port, nobody, person, s3_that
from worker.batch import AllStarted, BeforeRetry
from worker.handler import InvocationContext
from worker.poller.health import Health
from worker.poller.heartbeat import Heartbeat
from worker.poller.loop import EventHandler, Poller, describe_queue
from worker.poller.options import Options

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

ROOT = Path(__file__).parents[2]

_CAUGHT = re.compile(r"SigCgt:\s+([0-9a-f]+)")


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
def poller(
    cloud: Cloud, *options: str, start: Sequence[str] = (), **changes: str
) -> Iterator[subprocess.Popen[str]]:
    """A running poller, killed if the block leaves it running.

    Args:
        cloud: its stack.
        options: its command line.
        start: what is put before it.
        changes: to its environment.
    """
    with subprocess.Popen(
        [*start, sys.executable, "-m", "worker.poller", *options],
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


def wait_until(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Wait for something to become true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


def children(pid: int) -> list[int]:
    """The child processes of a process."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_running(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] not in "ZX"
    except OSError:
        return False


def make_poller(
    cloud: Cloud, handler: EventHandler, client: "SQSClient | None" = None, /, **options: int
) -> Poller:
    """A poller of this process."""
    client = client or boto3.client("sqs")
    queue = describe_queue(client, cloud.stack.queue_url)
    heartbeat = Heartbeat(client, queue.url, queue.visibility_seconds)
    chosen = Options(**{"wait_seconds": 1, **options})  # type: ignore[arg-type]  # mypy sees all types
    return Poller(client, queue, handler, heartbeat, chosen, Health(60))


def test_queue_is_emptied(cloud: Cloud) -> None:
    """Of twelve messages eleven are done; one that keeps failing is redriven; then it stops."""
    cloud.put("person.jpg", person())
    cloud.put("notes.txt", b"words")
    expected = {"person.jpg": "detected", "notes.txt": "failed"}
    for number in range(9):
        cloud.put(f"{number}.png", nobody())
        expected[f"{number}.png"] = "not_detected"
    cloud.send({"key": "missing.jpg"}, *({"key": key} for key in expected))

    with poller(cloud, "--wait-seconds", "1", RETRY_BASE_SECONDS="0") as process:
        wait_until(lambda: cloud.queued() == 0)
        detectors = children(process.pid)
        process.send_signal(signal.SIGTERM)
        output, errors = process.communicate(timeout=60)

    assert cloud.statuses() == expected
    (letter,) = cloud.dead_letters()
    assert json.loads(letter["Body"]) == {"key": "missing.jpg"}
    assert (process.returncode, errors) == (0, "")
    assert len(detectors) == 1
    assert not any(map(is_running, detectors))
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
def test_wrong_settings_end_it_with_one_line(
    changes: dict[str, str], complaint: str, cloud: Cloud
) -> None:
    """A person reads what to set, and no traceback."""
    with poller(cloud, **changes) as process:
        output, errors = process.communicate(timeout=60)

    assert (process.returncode, output) == (1, "")
    assert errors == f"landmark-worker: {complaint}\n"


def test_missing_queue_ends_it_with_one_line(cloud: Cloud) -> None:
    """The line names the address."""
    url = f"{cloud.stack.queue_url}-gone"

    with poller(cloud, QUEUE_URL=url) as process:
        _, errors = process.communicate(timeout=60)

    assert process.returncode == 1
    assert errors == (
        f"landmark-worker: QUEUE_URL='{url}' can't be polled: there is no such queue: check the "
        "URL and AWS_REGION\n"
    )


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (403, "AccessDenied", "access is denied: the worker's role must allow sqs:GetQueueA"),
        (403, "InvalidClientTokenId", "AWS rejects the credentials: `aws sts get-caller-id"),
        (403, "ExpiredToken", "the AWS credentials have expired"),
        (404, "NotFound", "An error occurred (NotFound) when calling the GetQueueAttributes"),
    ],
)
def test_refusal_at_the_start_is_one_line_that_says_what_to_do(
    status: int, code: str, words: str, cloud: Cloud
) -> None:
    """The credentials or the endpoint are wrong: waiting would not help."""
    with (
        s3_that(lambda request: request.refuse_as_sqs(status, code)) as elsewhere,
        poller(cloud, AWS_ENDPOINT_URL=elsewhere) as process,
    ):
        output, errors = process.communicate(timeout=60)

    assert (process.returncode, output) == (1, "")
    (line,) = errors.splitlines()
    assert line.startswith(
        f"landmark-worker: QUEUE_URL='{cloud.stack.queue_url}' can't be polled: {words}"
    )


def catches_sigterm(pid: int) -> bool:
    """Whether a process has a handler for SIGTERM by now."""
    caught = _CAUGHT.search(Path(f"/proc/{pid}/status").read_text())
    return bool(caught and int(caught[1], 16) >> (signal.SIGTERM - 1) & 1)


def test_sigterm_during_the_start_ends_it(cloud: Cloud) -> None:
    """It does not wait for detectors: status 0, no output, no process left."""
    with poller(cloud) as process:
        wait_until(lambda: catches_sigterm(process.pid))
        wait_until(lambda: bool(children(process.pid)))
        detectors = children(process.pid)
        process.send_signal(signal.SIGTERM)
        output, errors = process.communicate(timeout=60)

    assert (process.returncode, output, errors) == (0, "", "")
    wait_until(lambda: not any(map(is_running, detectors)))


def test_poller_stops_with_its_parent(cloud: Cloud) -> None:
    """A parent that is killed can stop nothing; with --stop-with the kernel does."""
    parent = 'exec "$@" --stop-with $$ & echo $!; wait'
    with poller(cloud, start=["sh", "-c", parent, "sh"]) as process:
        assert process.stdout
        pid = int(process.stdout.readline())
        try:
            wait_until(lambda: bool(children(pid)))  # its detector
            process.kill()
            process.wait()
            wait_until(lambda: not is_running(pid))
        finally:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def test_parent_that_is_already_gone_stops_the_poller(cloud: Cloud) -> None:
    """It may have ended while the poller was starting."""
    with poller(cloud, "--stop-with", "1") as process:
        output, errors = process.communicate(timeout=60)

    assert (process.returncode, output, errors) == (0, "", "")


Answer = Callable[[Mapping[str, Any]], Mapping[str, Any]]


def all_done(_event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Report no failure."""
    return {"batchItemFailures": []}


def second_failed(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Report one failure."""
    return {"batchItemFailures": [{"itemIdentifier": event["Records"][1]["messageId"]}]}


def mistake(_event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Raise."""
    raise RuntimeError("a bug")


class Recorder:
    """A handler that keeps the events, answers as told, and then stops the poller.

    It counts messages, not batches: messages that become visible one after the other may be
    received that way.
    """

    detectors_failing = False

    def __init__(self, *answers: Answer, messages: int) -> None:
        """Give these answers, the last one over and over, until this many messages have come."""
        self.answers = list(answers)
        self.messages = messages
        self.events: list[Mapping[str, Any]] = []
        self.seconds: list[float] = []
        self.poller: Poller | None = None

    def handle(
        self,
        event: Mapping[str, Any],
        context: InvocationContext,
        *,
        before_retry: BeforeRetry | None = None,
        all_started: AllStarted | None = None,
    ) -> Mapping[str, Any]:
        """Keep the event and answer."""
        del before_retry, all_started
        self.events.append(event)
        self.seconds.append(context.get_remaining_time_in_millis() / 1000)
        self.messages -= len(event["Records"])
        if self.messages <= 0 and self.poller:
            self.poller.stop()
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return answer(event)

    def receive_counts(self) -> list[tuple[str, str]]:
        """Body and receive count of every message, in order of their receipt."""
        return [
            (record["body"], record["attributes"]["ApproximateReceiveCount"])
            for event in self.events
            for record in event["Records"]
        ]

    def poll(self, cloud: Cloud, client: "SQSClient | None" = None) -> None:
        """Run a poller until the messages have come."""
        self.poller = make_poller(cloud, self, client)
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
    """After it another consumer may receive the messages."""
    cloud.allow_receives(5, visibility_seconds=17)
    cloud.send("one")
    recorder = Recorder(all_done, messages=1)

    recorder.poll(cloud)

    assert 10 < recorder.seconds[0] <= 17


def test_batches_are_as_large_as_sqs_allows(cloud: Cloud) -> None:
    """Twelve messages are two batches."""
    cloud.send(*(str(number) for number in range(12)))
    recorder = Recorder(all_done, messages=12)

    recorder.poll(cloud)

    assert sorted(len(event["Records"]) for event in recorder.events) == [2, 10]
    assert cloud.queued() == 0


def test_messages_reported_as_failed_stay(cloud: Cloud) -> None:
    """What the handler reports is left in the queue, and nothing else."""
    cloud.allow_receives(5, visibility_seconds=2)
    cloud.send("one", "two", "three")
    recorder = Recorder(second_failed, all_done, messages=4)

    recorder.poll(cloud)

    assert sorted(recorder.receive_counts()[:3]) == [("one", "1"), ("three", "1"), ("two", "1")]
    (again,) = recorder.receive_counts()[3:]
    assert again == (recorder.events[0]["Records"][1]["body"], "2")
    assert cloud.queued() == 0


def test_whole_batch_comes_again_if_the_handler_raises(cloud: Cloud) -> None:
    """The poller goes on, and deletes nothing of that batch."""
    cloud.allow_receives(5, visibility_seconds=2)
    cloud.send("one", "two")
    recorder = Recorder(mistake, all_done, messages=4)

    recorder.poll(cloud)

    assert sorted(recorder.receive_counts()) == [
        ("one", "1"),
        ("one", "2"),
        ("two", "1"),
        ("two", "2"),
    ]
    assert cloud.queued() == 0


def test_sqs_that_fails_is_asked_again(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The poller survives an outage."""
    monkeypatch.setattr("worker.poller.loop._OUTAGE_SECONDS", 0.01)
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
    ids=["unreachable", "reset", "unavailable", "throttled", "cut short"],
)
def test_outage_at_the_start_is_waited_for(
    outage: Exception | dict[str, Any],
    cloud: Cloud,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Containers may be started before SQS, or during an outage."""
    monkeypatch.setattr("worker.poller.loop._OUTAGE_SECONDS", 0.01)
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
    """The person who set it up has to be told at once."""
    client = boto3.client("sqs")

    def refuse(**_: object) -> None:
        raise refusal

    monkeypatch.setattr(client, "get_queue_attributes", refuse)

    with pytest.raises(ServiceError, match="can't be polled"):
        describe_queue(client, cloud.stack.queue_url)


def test_embedded_services_are_all_that_can_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the machine's AWS account nor its proxy is reachable meanwhile."""
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
