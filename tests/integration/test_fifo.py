"""FIFO queues: the order within a message group, and the group of dead letters."""

from typing import Any

import pytest

from tests.conftest import MakeHandler
from tests.events import QUEUE_ARN, Event, sqs_event
from tests.fakes import Cloud, Context, nobody
from worker.handler import Handler


@pytest.fixture
def fifo_url(cloud: Cloud) -> str:
    """A dead-letter queue that keeps order."""
    answer = cloud.clients["sqs"].create_queue(
        QueueName=f"{cloud.stack.bucket}-dead.fifo", Attributes={"FifoQueue": "true"}
    )
    return str(answer["QueueUrl"])


def in_groups(*messages: tuple[str, object], arn: str = f"{QUEUE_ARN}.fifo") -> Event:
    """A batch of messages, each given as group and body."""
    event = sqs_event(*(body for _, body in messages))  # type: ignore[arg-type]
    for record, (group, _) in zip(event["Records"], messages, strict=True):
        record["eventSourceARN"] = arn
        record["attributes"]["MessageGroupId"] = group
    return event


def failed(handler: Handler, event: Event) -> list[int]:
    """Which messages are to be retried."""
    answer = handler.handle(event, Context())
    return [int(failure["itemIdentifier"][-2:]) for failure in answer["batchItemFailures"]]


def letters(cloud: Cloud, url: str) -> list[dict[str, Any]]:
    """What is in a FIFO queue."""
    answer = cloud.clients["sqs"].receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, AttributeNames=["All"], MessageAttributeNames=["All"]
    )
    return list(answer.get("Messages", []))


def test_behind_a_failure_the_rest_of_its_group_is_retried(cloud: Cloud, handler: Handler) -> None:
    """In its order; other groups and what came before are done."""
    for number in range(4):
        cloud.put(f"{number}.png", nobody(number))
    event = in_groups(
        ("a", {"key": "0.png"}),
        ("a", {"key": "missing.png"}),
        ("b", {"key": "1.png"}),
        ("a", {"key": "2.png"}),
        ("b", {"key": "3.png"}),
    )

    assert failed(handler, event) == [1, 3]

    cloud.put("missing.png", nobody())
    assert failed(handler, event) == []
    assert len(cloud.statuses()) == 5


def test_group_that_is_held_up_gives_up_no_message(
    cloud: Cloud, make_handler: MakeHandler, fifo_url: str
) -> None:
    """An unreadable message behind a failure waits for its turn, so that it is given up once."""
    handler = make_handler(DEAD_LETTER_QUEUE_URL=fifo_url)
    event = in_groups(("a", {"key": "late.png"}), ("a", "not JSON"))

    assert failed(handler, event) == [0, 1]
    assert letters(cloud, fifo_url) == []

    cloud.put("late.png", nobody())
    assert failed(handler, event) == []
    assert [letter["Body"] for letter in letters(cloud, fifo_url)] == ["not JSON"]


def test_message_that_is_given_up_holds_nothing_up(
    cloud: Cloud, make_handler: MakeHandler, fifo_url: str
) -> None:
    """It is out of the queue, and its group goes on; its dead letter has its group."""
    cloud.put("photo.png", nobody())
    handler = make_handler(DEAD_LETTER_QUEUE_URL=fifo_url)

    assert failed(handler, in_groups(("a", "not JSON"), ("a", {"key": "photo.png"}))) == []

    (letter,) = letters(cloud, fifo_url)
    assert letter["Attributes"]["MessageGroupId"] == "a"
    assert letter["MessageAttributes"]["error_code"]["StringValue"] == "INVALID_MESSAGE"
    assert cloud.statuses() == {"photo.png": "not_detected"}


def test_message_given_up_twice_is_one_dead_letter(
    cloud: Cloud, make_handler: MakeHandler, fifo_url: str
) -> None:
    """A batch whose answer was lost comes again."""
    handler = make_handler(DEAD_LETTER_QUEUE_URL=fifo_url)

    for _ in range(2):
        assert failed(handler, in_groups(("a", "not JSON"))) == []

    assert len(letters(cloud, fifo_url)) == 1


def test_groups_of_a_standard_queue_have_no_order(cloud: Cloud, handler: Handler) -> None:
    """There a group is a share of the queue, and each message is on its own."""
    cloud.put("photo.png", nobody())
    event = in_groups(
        ("a", {"key": "missing.png"}), ("a", {"key": "photo.png"}), ("a", "no"), arn=QUEUE_ARN
    )

    assert failed(handler, event) == [0]
    assert len(cloud.dead_letters()) == 1
