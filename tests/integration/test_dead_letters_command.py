"""`landmarks dead-letters`: list, show, redrive and drop."""

import json
import signal
from collections import Counter
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from click.testing import CliRunner, Result

from landmarks.cli.dead_letter_queue import (
    DeadLetterReader,
    NoMoveTaskError,
    read_dead_letters,
    start_move_task,
)
from landmarks.cli.main import landmarks
from landmarks.errors import MessageError, ObjectNotFoundError
from tests.conftest import MakeHandler
from tests.fakes import Cloud, deliver
from worker.queue import DeadLetterQueue, ReceivedMessage

LATER = float("inf")

PRODUCERS_ATTRIBUTES: dict[str, Any] = {
    "trace": {"DataType": "String", "StringValue": "abc"},
    "priority": {"DataType": "Number", "StringValue": "7"},
    "signature": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
    "error_code": {"DataType": "String.custom", "StringValue": "the producer's own"},
    "receive_count": {"DataType": "String", "StringValue": "many"},
}


@pytest.fixture
def filled(cloud: Cloud, services: dict[str, Any]) -> Cloud:
    """Eleven dead letters from the worker with two codes, and one moved by SQS."""
    queue = DeadLetterQueue(services["sqs"], cloud.stack.dead_letter_queue_url)
    for number in range(11):
        error = MessageError("no key") if number < 4 else ObjectNotFoundError("no \x1b[31mobject")
        body = f'{{"key": "{number}.jpg"}}'
        queue.put(ReceivedMessage(f"id-{number}", "receipt", body, attempts=3), error, LATER)
    move_by_sqs(cloud, "moved")
    return cloud


def move_by_sqs(cloud: Cloud, body: str, trace: str = "Root=1-2-3") -> None:
    """Put an unchanged message into the dead-letter queue, as SQS does."""
    boto3.client("sqs").send_message(
        QueueUrl=cloud.stack.dead_letter_queue_url,
        MessageBody=body,
        MessageAttributes=PRODUCERS_ATTRIBUTES,
        MessageSystemAttributes={
            "AWSTraceHeader": {"DataType": "String", "StringValue": trace},
        },
    )


def run(cloud: Cloud, *arguments: str, answer: str | None = None) -> Result:
    """Run the command with the stack's settings."""
    arguments = ("dead-letters", *arguments)
    return CliRunner().invoke(landmarks, arguments, env=cloud.stack.environment, input=answer)


def letters(cloud: Cloud) -> list[dict[str, Any]]:
    """Return the list's JSON."""
    result = run(cloud, "list", "--json")
    assert result.exit_code == 0
    return [json.loads(line) for line in result.stdout.splitlines()]


def codes(cloud: Cloud) -> Counter[str | None]:
    """Return the number of dead letters by code."""
    return Counter(letter["error_code"] for letter in letters(cloud))


def queued_messages(cloud: Cloud) -> dict[str, Any]:
    """Return the job queue's messages by body."""
    found: dict[str, Any] = {}
    sqs = boto3.client("sqs")
    while messages := sqs.receive_message(
        QueueUrl=cloud.stack.queue_url,
        MaxNumberOfMessages=10,
        MessageAttributeNames=["All"],
        MessageSystemAttributeNames=["AWSTraceHeader"],
    ).get("Messages"):
        found |= {message["Body"]: message for message in messages}
    return found


def test_list_prints_what_the_worker_gave_up(cloud: Cloud, make_handler: MakeHandler) -> None:
    """Each dead letter is printed once, without control characters."""
    bodies = [f'{{"photo": "\\u001b[31m{number}.jpg"}}' for number in range(12)]
    assert deliver(make_handler(), *bodies[:6]) == []
    assert deliver(make_handler(), *bodies[6:], receive_count=3) == []

    result = run(cloud, "list")

    assert result.exit_code == 0
    assert result.stdout.count("INVALID_MESSAGE") == 12
    assert result.stdout.count("after 3 tries") == 6
    assert "expected `key`" in result.stdout
    assert all(f"{number}.jpg" in result.stdout for number in range(12))
    assert "\x1b" not in result.stdout


def test_list_ends_with_a_summary_by_code(filled: Cloud) -> None:
    """The most frequent code comes first."""
    expected = "12 dead letters: 7 OBJECT_NOT_FOUND, 4 INVALID_MESSAGE, 1 UNKNOWN\n"
    assert run(filled, "list").stderr == expected


def test_list_stops_at_its_limit(filled: Cloud) -> None:
    """At the limit, the summary says that there may be more."""
    result = run(filled, "list", "--limit", "4")

    assert result.stdout.count("after 3 tries") == 4
    assert "may be more" in result.stderr


def test_list_as_json_is_an_object_a_line(filled: Cloud) -> None:
    """Messages moved by SQS have null reasons, whatever their attributes."""
    by_body = {letter["body"]: letter for letter in letters(filled)}

    assert len(by_body) == 12
    worker, moved = by_body['{"key": "0.jpg"}'], by_body["moved"]
    assert (worker["message_id"], worker["receive_count"]) == ("id-0", 3)
    assert (worker["error_code"], worker["error_message"]) == ("INVALID_MESSAGE", "no key")
    assert worker["letter_id"] != "id-0"
    assert moved["error_code"] is moved["receive_count"] is None
    assert moved["message_id"] == moved["letter_id"]


def test_what_was_listed_is_there_for_the_next_reader(filled: Cloud) -> None:
    """A list hides nothing after it ends, even if it ended early."""
    assert run(filled, "list", "--limit", "5").exit_code == 0
    assert run(filled, "list").exit_code == 0

    found = [letter["MessageId"] for _ in range(2) for letter in filled.dead_letters()]
    assert len(set(found)) == 12


def test_dead_letters_can_be_read_without_a_terminal(filled: Cloud) -> None:
    """Programs get dead letters as data, and leave them in the queue."""
    sqs, url = boto3.client("sqs"), filled.stack.dead_letter_queue_url

    assert [len(list(read_dead_letters(sqs, url))) for _ in range(2)] == [12, 12]


def test_show_prints_one_dead_letter_in_full(filled: Cloud) -> None:
    """Reason, tries, time and indented JSON body are shown."""
    result = run(filled, "show", "id-5")

    assert result.exit_code == 0
    assert all(word in result.stdout for word in ("OBJECT_NOT_FOUND", "id-5", "3", "sent at"))
    assert '{\n  "key": "5.jpg"\n}' in result.stdout
    assert "\x1b" not in result.stdout
    assert json.loads(run(filled, "show", "id-5", "--json").stdout) in letters(filled)


def test_show_prints_attributes_and_a_body_that_is_not_json(filled: Cloud) -> None:
    """Attributes are shown, bytes in base64, and the body unchanged."""
    (moved,) = [letter for letter in letters(filled) if letter["body"] == "moved"]

    lines = run(filled, "show", moved["letter_id"]).stdout.splitlines()

    facts = [line.split() for line in lines]
    assert all(fact in facts for fact in (["trace", "abc"], ["signature", "AP8="]))
    assert lines[-2:] == ["", "moved"]


def test_show_says_what_is_not_there(filled: Cloud) -> None:
    """An unknown id is an error."""
    result = run(filled, "show", "id-99")

    assert result.exit_code == 1
    assert "no such dead letter: id-99" in result.stderr


def test_redrive_sends_back_what_is_chosen(filled: Cloud) -> None:
    """Only dead letters with the ids or the code are sent back."""
    result = run(filled, "redrive", "id-1", "id-7")

    assert (result.exit_code, result.stderr) == (0, "2 sent back to the queue\n")
    assert queued_messages(filled).keys() == {'{"key": "1.jpg"}', '{"key": "7.jpg"}'}
    assert codes(filled) == {"OBJECT_NOT_FOUND": 6, "INVALID_MESSAGE": 3, None: 1}

    result = run(filled, "redrive", "--error-code", "OBJECT_NOT_FOUND", "--yes")

    assert result.stderr == (
        "Send 6 dead letters with the code OBJECT_NOT_FOUND back to the queue? Yes\n"
        "6 sent back to the queue\n"
    )
    assert codes(filled) == {"INVALID_MESSAGE": 3, None: 1}


def test_redrive_restores_what_the_producer_sent(filled: Cloud) -> None:
    """Attributes of all types and the trace header are restored; reasons are removed."""
    result = run(filled, "redrive", "--all", "--yes", "--one-by-one")

    assert result.stderr == (
        "Send all dead letters (about 12) back to the queue? Yes\n12 sent back to the queue\n"
    )

    messages = queued_messages(filled)
    assert len(messages) == 12
    moved = messages["moved"]
    assert moved["MessageAttributes"] == PRODUCERS_ATTRIBUTES
    assert moved["Attributes"]["AWSTraceHeader"] == "Root=1-2-3"
    assert "MessageAttributes" not in messages['{"key": "1.jpg"}']


def test_redrive_takes_the_reasons_off_a_message_with_attributes(
    cloud: Cloud, services: dict[str, Any]
) -> None:
    """The worker's four attributes are removed, and the producer's kept."""
    producers = {name: PRODUCERS_ATTRIBUTES[name] for name in ("trace", "priority", "signature")}
    reasons = {
        "error_code": {"DataType": "String", "StringValue": "INVALID_MESSAGE"},
        "error_message": {"DataType": "String", "StringValue": "no key"},
        "receive_count": {"DataType": "Number", "StringValue": "1"},
        "original_message_id": {"DataType": "String", "StringValue": "id-0"},
    }
    services["sqs"].send_message(
        QueueUrl=cloud.stack.dead_letter_queue_url,
        MessageBody="?",
        MessageAttributes=producers | reasons,
    )

    assert run(cloud, "redrive", "id-0").exit_code == 0

    assert queued_messages(cloud)["?"]["MessageAttributes"] == producers


def test_redrive_names_what_it_did_not_find(filled: Cloud) -> None:
    """Ids that were found are sent back; the others are an error."""
    result = run(filled, "redrive", "id-1", "id-99")

    assert result.exit_code == 1
    assert "1 sent back" in result.stderr
    assert "no such dead letter: id-99" in result.stderr


def test_what_cannot_be_sent_stays(filled: Cloud) -> None:
    """Nothing is deleted before it is sent, and the rest is visible immediately."""
    url = f"{filled.stack.queue_url}-gone"

    result = run(filled, "redrive", "--all", "--yes", "--one-by-one", "--queue-url", url)

    assert result.exit_code == 1
    assert "no such queue" in result.stderr
    assert sum(codes(filled).values()) == 12


def test_redrive_leaves_what_is_given_up_again(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message that fails again immediately does not go in circles."""
    put = DeadLetterQueue(boto3.client("sqs"), cloud.stack.dead_letter_queue_url).put
    put(ReceivedMessage("first", "receipt", "?", attempts=1), MessageError("no key"), LATER)
    delete = DeadLetterReader.delete
    sent: list[str] = []

    def give_up_again(reader: DeadLetterReader, letter: Any) -> None:  # noqa: ANN401
        delete(reader, letter)
        (message,) = boto3.client("sqs").receive_message(QueueUrl=cloud.stack.queue_url)["Messages"]
        sent.append(message["MessageId"])
        again = ReceivedMessage(message["MessageId"], "receipt", "?", attempts=1)
        put(again, MessageError("still none"), LATER)

    monkeypatch.setattr(DeadLetterReader, "delete", give_up_again)

    result = run(cloud, "redrive", "--all", "--yes", "--one-by-one")

    assert result.stderr.endswith("\n1 sent back to the queue\n")
    assert [letter["message_id"] for letter in letters(cloud)] == sent


def test_redrive_uses_the_move_task_of_sqs() -> None:
    """SQS gets both queues, because it doesn't know the source of copies."""
    sqs = boto3.client("sqs", region_name="us-east-1")
    arns = {name: f"arn:aws:sqs:us-east-1:111122223333:{name}" for name in ("dead", "live")}
    with Stubber(sqs) as stub:
        for name, arn in arns.items():
            stub.add_response(
                "get_queue_attributes",
                {"Attributes": {"QueueArn": arn}},
                {"QueueUrl": f"https://sqs/{name}", "AttributeNames": ["QueueArn"]},
            )
        stub.add_response(
            "start_message_move_task",
            {"TaskHandle": "handle"},
            {"SourceArn": arns["dead"], "DestinationArn": arns["live"]},
        )

        assert start_move_task(sqs, "https://sqs/dead", "https://sqs/live") == "handle"


def refusing(endpoint: str, code: str) -> Any:  # noqa: ANN401, boto3's is made at run time
    """Return a client of this endpoint, whose next move task is refused with this code."""
    sqs = boto3.client("sqs", region_name="us-east-1", endpoint_url=endpoint)
    stub = Stubber(sqs)
    for _ in range(2):
        stub.add_response("get_queue_attributes", {"Attributes": {"QueueArn": "arn"}})
    stub.add_client_error("start_message_move_task", code)
    stub.activate()
    return sqs


@pytest.mark.parametrize(
    ("endpoint", "code", "raised"),
    [
        ("https://sqs.us-east-1.amazonaws.com", "UnsupportedOperation", ClientError),
        ("https://sqs.cn-north-1.amazonaws.com.cn", "AccessDenied", ClientError),
        ("https://vpce-1.sqs.us-east-1.vpce.amazonaws.com", "OverLimit", ClientError),
        ("https://sqs.us-east-1.api.aws", "ResourceNotFoundException", ClientError),
        ("http://127.0.0.1:4566", "500", NoMoveTaskError),
        ("http://elasticmq:9324", "InvalidAction", NoMoveTaskError),
        ("https://amazonaws.example.com", "UnsupportedOperation", NoMoveTaskError),
        ("https://sqs.us-east-1.amazonaws.com", "UnknownOperationException", NoMoveTaskError),
    ],
)
def test_only_an_emulator_lacks_the_move_task(
    endpoint: str, code: str, raised: type[Exception]
) -> None:
    """What AWS refuses stays an error."""
    with pytest.raises(raised):
        start_move_task(refusing(endpoint, code), "https://sqs/dead", "https://sqs/live")


def test_without_a_move_task_messages_are_sent_one_by_one(filled: Cloud) -> None:
    """The command says so in one line, and sends what the producer sent."""
    result = run(filled, "redrive", "--all", "--yes")

    assert result.exit_code == 0
    assert result.stderr.splitlines()[1:] == [
        "this SQS has no move task (500): sending them one by one",
        "12 sent back to the queue",
    ]
    assert queued_messages(filled)["moved"]["MessageAttributes"] == PRODUCERS_ATTRIBUTES
    assert letters(filled) == []


@pytest.fixture
def _terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard input is a terminal."""
    stdin = SimpleNamespace(isatty=lambda: True)
    monkeypatch.setattr("landmarks.cli.dead_letters.sys", SimpleNamespace(stdin=stdin))


@pytest.mark.usefixtures("_terminal")
@pytest.mark.parametrize(
    ("command", "question"),
    [
        ("drop", "Permanently delete 4 dead letters with the code INVALID_MESSAGE? [y/N]: "),
        ("redrive", "Send 4 dead letters with the code INVALID_MESSAGE back to the queue? [y/N]: "),
    ],
)
def test_after_a_yes_it_is_done(filled: Cloud, command: str, question: str) -> None:
    """The number is said first, and only the selected dead letters go."""
    result = run(filled, command, "--code", "INVALID_MESSAGE", answer="y\n")

    assert result.exit_code == 0
    assert question in result.stderr
    assert result.stderr.splitlines()[-1].startswith("4 ")
    assert codes(filled) == {"OBJECT_NOT_FOUND": 7, None: 1}


@pytest.mark.usefixtures("_terminal")
@pytest.mark.parametrize("command", ["drop", "redrive"])
@pytest.mark.parametrize("answer", ["n\n", ""], ids=["no", "end"])
def test_without_a_yes_nothing_is_done(filled: Cloud, command: str, answer: str) -> None:
    """After a no or no answer, everything stays and the command fails."""
    result = run(filled, command, "--all", answer=answer)

    assert result.exit_code == 1
    assert "all dead letters (about 12)" in result.stderr
    assert sum(codes(filled).values()) == 12
    assert filled.queued() == 0


@pytest.mark.parametrize("selection", [("--all",), ("--code", "INVALID_MESSAGE")], ids=" ".join)
@pytest.mark.parametrize("command", ["drop", "redrive"])
def test_without_a_terminal_there_is_nobody_to_ask(
    filled: Cloud, command: str, selection: tuple[str, ...]
) -> None:
    """A script has to say --yes; what is piped is no answer."""
    result = run(filled, command, *selection, answer="y\n")

    assert result.exit_code == 2
    assert result.stderr.endswith("There is no terminal to ask: add --yes\n")
    assert len(result.stderr.splitlines()) == 1
    assert sum(codes(filled).values()) == 12


@pytest.mark.parametrize("command", ["drop", "redrive"])
def test_without_dead_letters_there_is_nothing_to_ask(filled: Cloud, command: str) -> None:
    """The command succeeds and says why it does nothing."""
    result = run(filled, command, "--code", "ACCESS_DENIED")
    assert (result.exit_code, result.stderr) == (0, "no dead letters with the code ACCESS_DENIED\n")

    assert run(filled, "drop", "--all", "--yes").stderr.endswith("\n12 deleted\n")
    result = run(filled, command, "--all")
    assert (result.exit_code, result.stderr) == (0, "no dead letters\n")


def test_ids_are_not_asked_about(filled: Cloud) -> None:
    """If you type them, you have looked at them."""
    assert run(filled, "drop", "id-1", "id-7").stderr == "2 deleted\n"
    assert codes(filled) == {"OBJECT_NOT_FOUND": 6, "INVALID_MESSAGE": 3, None: 1}


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_it_hides_nothing(
    filled: Cloud, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, status: int
) -> None:
    """After Ctrl-C or SIGTERM, everything left is visible immediately."""
    monkeypatch.setattr(DeadLetterReader, "delete", lambda *_: signal.raise_signal(number))

    result = run(filled, "drop", "--all", "--yes")

    assert result.exit_code == status
    assert sum(codes(filled).values()) == 12


@pytest.mark.parametrize(
    "arguments",
    [
        ("drop", "--yes"),
        ("redrive", "--yes"),
        ("redrive", "--one-by-one"),
        ("redrive", "--all", "id-1"),
        ("redrive", "--all", "--code", "INVALID_MESSAGE"),
        ("drop", "--yes", "--all", "id-1"),
        ("drop", "--yes", "--code", "INVALID_MESSAGE", "id-1"),
        ("redrive", "--code", "INVALID_MESSAGE", "id-1"),
    ],
)
def test_an_unclear_choice_is_wrong_usage(cloud: Cloud, arguments: tuple[str, ...]) -> None:
    """Contradicting or missing selections exit with status 2."""
    assert run(cloud, *arguments).exit_code == 2
