"""Dead letters shown, picked, brought back and dropped."""

import json
import signal
from collections import Counter
from typing import Any

import boto3
import pytest
from click.testing import CliRunner, Result

from landmarks.cli.main import landmarks
from landmarks.cli.redrive import Look
from landmarks.errors import MessageError, ObjectNotFoundError
from tests.fakes import Cloud
from worker.queue import DeadLetterQueue

LATER = float("inf")


@pytest.fixture
def filled(cloud: Cloud, services: dict[str, Any]) -> Cloud:
    """Eleven letters of the worker with two codes, and one that SQS might have moved."""
    queue = DeadLetterQueue(services["sqs"], cloud.stack.dead_letter_queue_url)
    for number in range(11):
        error = MessageError("no key") if number < 4 else ObjectNotFoundError("no \x1b[31mobject")
        body = f'{{"key": "{number}.jpg"}}'
        queue.put(body, message_id=f"id-{number}", attempts=3, error=error, deadline=LATER)
    services["sqs"].send_message(
        QueueUrl=cloud.stack.dead_letter_queue_url,
        MessageBody="moved",
        MessageAttributes={"trace": {"DataType": "String", "StringValue": "abc"}},
    )
    return cloud


def run(cloud: Cloud, *arguments: str, answer: str | None = None) -> Result:
    """Run the command with the stack's settings."""
    arguments = ("dead-letters", *arguments)
    return CliRunner().invoke(landmarks, arguments, env=cloud.stack.environment, input=answer)


def letters(cloud: Cloud) -> list[dict[str, Any]]:
    """What the list says as JSON."""
    result = run(cloud, "list", "--json")
    assert result.exit_code == 0
    return [json.loads(line) for line in result.stdout.splitlines()]


def codes(cloud: Cloud) -> Counter[str | None]:
    """How many letters there are of each code."""
    return Counter(letter["error_code"] for letter in letters(cloud))


def queue_bodies(cloud: Cloud, services: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The messages in the queue that jobs come from, by body."""
    found: dict[str, dict[str, Any]] = {}
    while (
        messages := services["sqs"]
        .receive_message(
            QueueUrl=cloud.stack.queue_url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        )
        .get("Messages")
    ):
        found |= {message["Body"]: message for message in messages}
    return found


def test_list_ends_with_a_summary_by_code(filled: Cloud) -> None:
    """The most frequent reason comes first."""
    result = run(filled, "list")

    expected = "12 dead letters: 7 OBJECT_NOT_FOUND, 4 INVALID_MESSAGE, 1 UNKNOWN\n"
    assert result.stderr == expected


def test_list_says_that_it_stopped(filled: Cloud) -> None:
    """At the limit there may be more."""
    assert "may be more" in run(filled, "list", "--limit", "5").stderr


def test_list_as_json_is_an_object_a_line(filled: Cloud) -> None:
    """Every field has its name, and what nobody said is null."""
    by_body = {letter["body"]: letter for letter in letters(filled)}

    assert len(by_body) == 12
    worker, moved = by_body['{"key": "0.jpg"}'], by_body["moved"]
    assert (worker["message_id"], worker["receive_count"]) == ("id-0", 3)
    assert (worker["error_code"], worker["error_message"]) == ("INVALID_MESSAGE", "no key")
    assert worker["letter_id"] != "id-0"
    assert moved["error_code"] is moved["receive_count"] is None
    assert moved["message_id"] == moved["letter_id"]


def test_what_was_listed_is_there_for_the_next_reader(filled: Cloud) -> None:
    """A list hides nothing once it has ended, wherever it ended."""
    assert run(filled, "list", "--limit", "5").exit_code == 0
    assert run(filled, "list").exit_code == 0

    found = [letter["MessageId"] for _ in range(2) for letter in filled.dead_letters()]
    assert len(set(found)) == 12


def test_a_look_that_fails_gives_letters_back(filled: Cloud, services: dict[str, Any]) -> None:
    """Whatever ends a look, what is in hand goes back."""

    def fail() -> None:
        with Look(services["sqs"], filled.stack.dead_letter_queue_url) as look:
            next(iter(look))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()

    assert len(filled.dead_letters()) == 10


def test_show_prints_all_of_one_letter(filled: Cloud) -> None:
    """Reason, tries, times, and the body as JSON for people."""
    result = run(filled, "show", "id-5")

    assert result.exit_code == 0
    assert all(word in result.stdout for word in ("OBJECT_NOT_FOUND", "id-5", "3", "sent at"))
    assert '{\n  "key": "5.jpg"\n}' in result.stdout
    assert "\x1b" not in result.stdout


def test_show_prints_a_body_that_is_no_json(filled: Cloud) -> None:
    """What SQS itself has moved is shown as it came, with its own attributes."""
    (moved,) = [letter for letter in letters(filled) if letter["body"] == "moved"]

    result = run(filled, "show", moved["letter_id"])

    assert result.stdout.endswith("\n\nmoved\n")
    assert "trace" in result.stdout
    assert "abc" in result.stdout


def test_show_as_json_is_the_lists_object(filled: Cloud) -> None:
    """One letter has the same fields alone as in a list."""
    shown = json.loads(run(filled, "show", "id-5", "--json").stdout)

    assert shown in letters(filled)


def test_show_says_what_is_not_there(filled: Cloud) -> None:
    """An id that no letter has is an error."""
    result = run(filled, "show", "id-99")

    assert result.exit_code == 1
    assert "no such dead letter: id-99" in result.stderr


def test_redrive_brings_back_those_with_the_ids(filled: Cloud, services: dict[str, Any]) -> None:
    """The chosen ones are in the queue, the others where they were."""
    result = run(filled, "redrive", "id-1", "id-7")

    assert (result.exit_code, result.stderr) == (0, "2 brought back\n")
    assert queue_bodies(filled, services).keys() == {'{"key": "1.jpg"}', '{"key": "7.jpg"}'}
    assert codes(filled) == {"INVALID_MESSAGE": 3, "OBJECT_NOT_FOUND": 6, None: 1}


def test_redrive_brings_back_those_with_the_code(filled: Cloud) -> None:
    """All of one reason, and none of another."""
    result = run(filled, "redrive", "--code", "OBJECT_NOT_FOUND")

    assert (result.exit_code, result.stderr) == (0, "7 brought back\n")
    assert filled.queued() == 7
    assert codes(filled) == {"INVALID_MESSAGE": 4, None: 1}


def test_redrive_keeps_a_messages_own_attributes(filled: Cloud, services: dict[str, Any]) -> None:
    """What the producer sent along comes back, the worker's reasons do not."""
    run(filled, "redrive", "--code", "UNKNOWN")
    run(filled, "redrive", "id-1")

    bodies = queue_bodies(filled, services)
    assert bodies["moved"]["MessageAttributes"]["trace"]["StringValue"] == "abc"
    assert "MessageAttributes" not in bodies['{"key": "1.jpg"}']


def test_redrive_names_what_it_did_not_find(filled: Cloud) -> None:
    """What is there is brought back, and what is not is an error."""
    result = run(filled, "redrive", "id-1", "id-99")

    assert result.exit_code == 1
    assert "1 brought back" in result.stderr
    assert "no such dead letter: id-99" in result.stderr


def test_a_letter_that_cannot_be_sent_stays(filled: Cloud) -> None:
    """Nothing is deleted before the queue has it, and what is left can be read at once."""
    url = f"{filled.stack.queue_url}-gone"

    result = run(filled, "redrive", "--one-by-one", "--queue-url", url)

    assert result.exit_code == 1
    assert "no such queue" in result.stderr
    assert sum(codes(filled).values()) == 12


def test_redrive_leaves_what_is_given_up_again(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message that the worker gives up at once does not go in circles."""
    put = DeadLetterQueue(boto3.client("sqs"), cloud.stack.dead_letter_queue_url).put
    put("?", message_id="first", attempts=1, error=MessageError("no key"), deadline=LATER)
    deleted = Look.delete
    sent: list[str] = []

    def give_up_again(look: Look, letter: Any) -> None:  # noqa: ANN401
        deleted(look, letter)
        (message,) = look._sqs.receive_message(QueueUrl=cloud.stack.queue_url)["Messages"]
        sent.append(message["MessageId"])
        error = MessageError("still none")
        put("?", message_id=message["MessageId"], attempts=1, error=error, deadline=LATER)

    monkeypatch.setattr(Look, "delete", give_up_again)

    assert run(cloud, "redrive", "--one-by-one").stderr == "1 brought back\n"
    assert [letter["message_id"] for letter in letters(cloud)] == sent


def test_without_a_move_task_there_is_another_way(filled: Cloud) -> None:
    """A stand-in that has none makes an error that names the option."""
    result = run(filled, "redrive")

    assert result.exit_code == 1
    assert "--one-by-one" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_drop_deletes_after_a_yes(filled: Cloud) -> None:
    """Asked and answered, the chosen ones are gone."""
    result = run(filled, "drop", "--code", "INVALID_MESSAGE", answer="y\n")

    assert result.exit_code == 0
    assert "every dead letter with the code INVALID_MESSAGE" in result.stderr
    assert codes(filled) == {"OBJECT_NOT_FOUND": 7, None: 1}


@pytest.mark.parametrize("answer", ["n\n", ""])
def test_drop_deletes_nothing_without_a_yes(filled: Cloud, answer: str) -> None:
    """A no, or nobody there to say yes: nothing happens, and the exit status says so."""
    result = run(filled, "drop", "--all", answer=answer)

    assert result.exit_code == 1
    assert sum(codes(filled).values()) == 12


def test_drop_all_without_asking(filled: Cloud) -> None:
    """With --yes nobody is asked, and nothing is left."""
    result = run(filled, "drop", "--all", "--yes")

    assert (result.exit_code, result.stderr) == (0, "12 deleted\n")
    assert letters(filled) == []


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_it_gives_letters_back(
    filled: Cloud, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, status: int
) -> None:
    """Ctrl-C or SIGTERM: the exit status is a shell's, and what was in hand can be read at once."""
    monkeypatch.setattr(Look, "delete", lambda *_: signal.raise_signal(number))

    result = run(filled, "drop", "--all", "--yes")

    assert result.exit_code == status
    assert sum(codes(filled).values()) == 12


@pytest.mark.parametrize(
    "arguments",
    [
        ("drop", "--yes"),
        ("drop", "--yes", "--all", "id-1"),
        ("drop", "--yes", "--all", "--code", "INVALID_MESSAGE"),
        ("drop", "--yes", "--code", "INVALID_MESSAGE", "id-1"),
        ("redrive", "--code", "INVALID_MESSAGE", "id-1"),
    ],
)
def test_an_unclear_choice_is_a_wrong_call(cloud: Cloud, arguments: tuple[str, ...]) -> None:
    """What would be guessing is refused, with exit status 2."""
    assert run(cloud, *arguments).exit_code == 2
