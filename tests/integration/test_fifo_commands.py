"""FIFO queues: what the commands send to them and read from them."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from landmarks.cli.enqueue.messages import Jobs
from landmarks.cli.enqueue.run import Run
from landmarks.cli.enqueue.sources import LineSource
from landmarks.cli.enqueue.state import State
from landmarks.cli.main import landmarks
from landmarks.errors import MessageError
from tests.conftest import MakeHandler
from tests.events import QUEUE_ARN
from tests.fakes import Cloud, Context, metrics, nobody
from tests.items import store
from worker.poller.loop import record_of
from worker.queue import DeadLetterQueue, ReceivedMessage

LATER = float("inf")


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run commands in the test's folder, because they write files."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def fifo(cloud: Cloud, services: Mapping[str, Any]) -> Cloud:
    """A stack with FIFO queues."""
    sqs = services["sqs"]

    def create(name: str, **attributes: str) -> str:
        name = f"{cloud.stack.bucket}-{name}.fifo"
        answer = sqs.create_queue(QueueName=name, Attributes={"FifoQueue": "true", **attributes})
        return str(answer["QueueUrl"])

    dead = create("dead")
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]
    redrive = {"deadLetterTargetArn": arn["QueueArn"], "maxReceiveCount": 5}
    jobs = create("jobs", RedrivePolicy=json.dumps(redrive))
    return replace(cloud, stack=replace(cloud.stack, queue_url=jobs, dead_letter_queue_url=dead))


def run(cloud: Cloud, *arguments: str, lines: str | None = None, **environment: str) -> Result:
    """Run a command with the stack's settings."""
    settings = {**cloud.stack.environment, **environment}
    return CliRunner().invoke(landmarks, arguments, env=settings, input=lines)


def queued(cloud: Cloud) -> list[Any]:
    """Remove all messages from the queue and return them in order."""
    sqs, url = cloud.clients["sqs"], cloud.stack.queue_url
    found: list[Any] = []
    while messages := sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, AttributeNames=["All"], MessageAttributeNames=["All"]
    ).get("Messages"):
        found += messages
        for message in messages:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return found


def groups(messages: list[Any]) -> dict[str, str]:
    """Return each message's group by its body."""
    return {message["Body"]: message["Attributes"]["MessageGroupId"] for message in messages}


def give_up(cloud: Cloud, number: int, group: str) -> None:
    """Have the worker give up a message."""
    queue = DeadLetterQueue(cloud.clients["sqs"], cloud.stack.dead_letter_queue_url)
    message = ReceivedMessage(f"id-{number}", "receipt", f"body {number}", 3, group=group)
    queue.put(message, MessageError("no key"), LATER)


# Enqueue


def test_every_object_is_a_group_of_its_own(fifo: Cloud) -> None:
    """Also where two buckets have the same key; other fields are not part of the group."""
    lines = 'a.jpg\ns3://one/a.jpg\ns3://two/a.jpg\n{"key": "a.jpg", "version_id": "v1"}\n'

    assert run(fifo, "enqueue", "-", lines=lines).stderr.startswith("4 sent")

    a, one, two, version = groups(queued(fifo)).values()
    assert len({a, one, two}) == 3
    assert a == version


def test_many_objects_go_in_batches(fifo: Cloud) -> None:
    """Keys may be as long as S3 allows and have any characters; nothing is taken for a repeat."""
    for number in range(25):
        fifo.put(f"{'é' * 500} {number}.jpg", b"")

    assert run(fifo, "enqueue", f"s3://{fifo.stack.bucket}").stderr.startswith("25 sent")

    messages = queued(fifo)
    assert len(messages) == 25
    assert len(set(groups(messages).values())) == 25


def test_what_is_sent_again_within_a_run_is_there_once(fifo: Cloud) -> None:
    """A resumed run repeats what was in flight when it was killed: SQS drops the repeats."""
    lines, state = [b"a.jpg\n", b"a.jpg\n", b"b.jpg\n"], State()

    for _ in range(2):  # as if the state had not been saved after the first batch
        again = replace(state, position=State().position, finished=False)
        Run(Jobs([LineSource(lines)]), fifo.stack.queue_url, state=again).send()

    assert sorted(message["Body"] for message in queued(fifo)) == [
        '{"key":"a.jpg"}',
        '{"key":"a.jpg"}',
        '{"key":"b.jpg"}',
    ]


def test_a_state_file_keeps_the_identity_of_its_run(fifo: Cloud) -> None:
    """A resumed run is the same run."""
    Run(Jobs([]), fifo.stack.queue_url, state=State(), state_file=Path("state.json")).send()
    first = State.load(Path("state.json"), {})
    second = State.load(Path("state.json"), {})

    assert first
    assert second
    assert first.run_id == second.run_id != State().run_id


@pytest.mark.parametrize("option", [(), ("--force",)])
def test_a_second_run_is_not_lost(fifo: Cloud, option: tuple[str, ...]) -> None:
    """SQS would drop it within five minutes, though the photograph may have changed since."""
    for _ in range(2):
        assert run(fifo, "enqueue", "-", *option, lines="a.jpg\n").stderr.startswith("1 sent")

    first, second = queued(fifo)
    assert first["Body"] == second["Body"]
    assert first["Attributes"]["MessageGroupId"] == second["Attributes"]["MessageGroupId"]


def test_an_accidental_second_run_is_skipped_by_the_worker(
    fifo: Cloud, make_handler: MakeHandler, capsys: pytest.CaptureFixture[str]
) -> None:
    """In its group it comes after the first, which has stored the result by then."""
    fifo.put("a.png", nobody())
    for _ in range(2):
        run(fifo, "enqueue", f"s3://{fifo.stack.bucket}")
    records = [record_of(message, f"{QUEUE_ARN}.fifo") for message in queued(fifo)]
    capsys.readouterr()

    answer = make_handler().handle({"Records": records}, Context())

    assert answer == {"batchItemFailures": []}
    assert fifo.statuses() == {"a.png": "not_detected"}
    assert metrics(capsys.readouterr().out)["Duplicate"] == [1]


def test_fifo_requests_have_their_own_price(fifo: Cloud) -> None:
    """A quarter more than standard queues."""
    result = run(fifo, "enqueue", "-", "--dry-run", lines="a.jpg\n")

    assert "SQS requests: 1, $0.0000005\n" in result.stdout


# Retry


def test_retry_sends_to_fifo_queues(fifo: Cloud) -> None:
    """As often as they are told to, however soon."""
    store(fifo, "a.jpg", "failed", code="NOT_AN_IMAGE")

    for _ in range(2):
        assert run(fifo, "retry").stderr.startswith("1 sent")
    changed = run(fifo, "retry", "--options-changed", "--options-hash", "0")
    assert changed.stderr.startswith("1 sent")

    assert len(queued(fifo)) == 3


# Dead letters


def test_redrive_keeps_the_group(fifo: Cloud) -> None:
    """Messages of one group come back in their order."""
    for number in range(3):
        give_up(fifo, number, "album 7" if number < 2 else "album 8")

    result = run(fifo, "dead-letters", "redrive", "--all", "--yes", "--one-by-one")

    assert result.stderr.endswith("\n3 sent back to the queue\n")
    assert groups(queued(fifo)) == {
        "body 0": "album 7",
        "body 1": "album 7",
        "body 2": "album 8",
    }


def test_redrive_sends_back_what_fails_again(fifo: Cloud) -> None:
    """However soon: SQS does not take it for a repeat."""
    for number in range(2):
        give_up(fifo, number, "album 7")
        assert run(fifo, "dead-letters", "redrive", f"id-{number}").exit_code == 0
        assert len(queued(fifo)) == 1


def test_redrive_empties_a_large_group(fifo: Cloud) -> None:
    """SQS holds back the rest of a group until the first ten are deleted."""
    for number in range(25):
        give_up(fifo, number, "album 7")

    assert run(fifo, "dead-letters", "list").stdout.count("INVALID_MESSAGE") == 10
    result = run(fifo, "dead-letters", "redrive", "--all", "--yes", "--one-by-one")
    assert result.stderr == (
        "Send all dead letters (about 25) back to the queue? Yes\n25 sent back to the queue\n"
    )


def test_redrive_goes_one_by_one_between_kinds_of_queues(fifo: Cloud, cloud: Cloud) -> None:
    """SQS moves messages only between queues of the same kind."""
    dead = {"DEAD_LETTER_QUEUE_URL": cloud.stack.dead_letter_queue_url}
    give_up(cloud, 1, "album 7")
    result = run(fifo, "dead-letters", "redrive", "--all", "--yes", **dead)
    assert result.stderr.splitlines()[1:] == ["1 sent back to the queue"]
    assert groups(queued(fifo)) == {"body 1": "id-1"}

    give_up(fifo, 2, "album 7")
    other = {"QUEUE_URL": cloud.stack.queue_url}
    result = run(fifo, "dead-letters", "redrive", "--all", "--yes", **other)
    assert result.stderr.splitlines()[1:] == ["1 sent back to the queue"]
    assert [message["Body"] for message in queued(cloud)] == ["body 2"]


# Status


def test_status_counts_fifo_queues(fifo: Cloud) -> None:
    """Their dead-letter queue is found, too."""
    run(fifo, "enqueue", "-", lines="a.jpg\nb.jpg\n")
    give_up(fifo, 1, "album 7")

    result = run(fifo, "status", "--json", DEAD_LETTER_QUEUE_URL="", RESULTS_TABLE="")

    answer = json.loads(result.stdout)
    assert (answer["queue"]["depth"], answer["dead_letters"]["depth"]) == (2, 1)
