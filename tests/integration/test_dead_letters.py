"""Dead letters, as an operator sees them and brings them back."""

import boto3
import pytest
from botocore.stub import Stubber
from click.testing import CliRunner, Result

from landmarks.cli.main import landmarks
from landmarks.cli.redrive import start_move
from tests.conftest import MakeHandler
from tests.fakes import Cloud, deliver


@pytest.fixture
def filled(cloud: Cloud, make_handler: MakeHandler) -> Cloud:
    """A stack whose dead-letter queue holds twelve messages that the worker gave up."""
    bodies = [f'{{"photo": "\\u001b[31m{number}.jpg"}}' for number in range(12)]
    assert deliver(make_handler(), *bodies[:6]) == []
    assert deliver(make_handler(), *bodies[6:], receive_count=3) == []
    return cloud


def run(cloud: Cloud, *arguments: str) -> Result:
    """Run the command with the stack's settings."""
    return CliRunner().invoke(landmarks, ["dead-letters", *arguments], env=cloud.stack.environment)


def test_list_prints_every_letter_with_its_reason(filled: Cloud) -> None:
    """Each letter is printed once, with code, tries, reason and body, and nothing is obeyed."""
    result = run(filled, "list")

    assert result.exit_code == 0
    assert result.stdout.count("INVALID_MESSAGE") == 12
    assert result.stdout.count("after 3 tries") == 6
    assert "expected `key`" in result.stdout
    assert all(f"{number}.jpg" in result.stdout for number in range(12))
    assert "\x1b" not in result.stdout
    assert "12 dead letters" in result.stderr


def test_list_stops_at_its_limit(filled: Cloud) -> None:
    """No more letters are printed than were asked for."""
    result = run(filled, "list", "--limit", "4")

    assert result.stdout.count("INVALID_MESSAGE") == 4


def test_list_says_when_there_is_nothing(cloud: Cloud) -> None:
    """An empty queue is a count of none."""
    result = run(cloud, "list")

    assert (result.exit_code, result.stdout) == (0, "")
    assert "0 dead letters" in result.stderr


def test_redrive_brings_every_letter_back(filled: Cloud) -> None:
    """One by one: all bodies are in the queue again, and the dead-letter queue is empty."""
    result = run(filled, "redrive", "--one-by-one")

    assert result.exit_code == 0
    assert "12 brought back" in result.stderr
    assert filled.queued() == 12
    assert filled.dead_letters() == []


def test_redrive_uses_the_move_task_of_sqs() -> None:
    """SQS is told both queues, for it knows no source of what the worker put aside."""
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

        assert start_move(sqs, "https://sqs/dead", "https://sqs/live") == "handle"


def test_a_queue_that_is_not_there_is_one_line(cloud: Cloud) -> None:
    """What AWS refuses is an error for people, with exit status 1."""
    url = f"{cloud.stack.dead_letter_queue_url}-gone"

    result = run(cloud, "list", "--dead-letter-queue-url", url)

    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ")
    assert len(result.stderr.splitlines()) == 1
