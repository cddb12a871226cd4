"""How long retries are delayed, and what happens after the last one."""

from typing import Any

import boto3
import pytest
from moto.backends import get_backend
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.core.utils import unix_time_millis

from landmarks.errors import DeadlineError, ServiceError
from landmarks.local.stack import MAX_RECEIVE_COUNT
from tests.conftest import MakeHandler
from tests.events import sqs_event
from tests.fakes import Cloud, Context, nobody
from worker.queue import Retries


def _receive(cloud: Cloud) -> list[Any]:
    sqs = boto3.client("sqs")
    answer = sqs.receive_message(
        QueueUrl=cloud.stack.queue_url, MaxNumberOfMessages=10, AttributeNames=["All"]
    )
    return answer.get("Messages", [])


def _event(messages: list[Any]) -> dict[str, Any]:
    event = sqs_event(*(message["Body"] for message in messages))
    for record, message in zip(event["Records"], messages, strict=True):
        record["receiptHandle"] = message["ReceiptHandle"]
        record["attributes"]["ApproximateReceiveCount"] = message["Attributes"][
            "ApproximateReceiveCount"
        ]
    return event


def _delays(attempts: int, error: Exception, base_seconds: float = 60) -> list[int]:
    retries = Retries(boto3.client("sqs", region_name="us-east-1"), None, base_seconds)
    return [retries.delay_seconds(attempts, error) for _ in range(300)]


@pytest.mark.parametrize(
    ("attempts", "longest"), [(1, 60), (2, 240), (3, 960), (4, 3600), (5, 3600), (500, 3600)]
)
def test_delays_grow_and_are_spread(attempts: int, longest: int) -> None:
    """Delays are random between half and all of a maximum that grows up to an hour."""
    delays = _delays(attempts, ServiceError("S3: down"))

    assert longest / 2 <= min(delays) < longest * 0.6
    assert longest * 0.9 < max(delays) <= longest


def test_a_job_that_was_not_started_is_retried_soon() -> None:
    """Jobs that were not started are retried within seconds, however often."""
    assert max(_delays(4, DeadlineError("not started"))) <= 5


def test_an_outage_of_two_hours_makes_no_dead_letters() -> None:
    """With eight receives, even the shortest delays add up to over two hours."""
    shortest = sum(min(_delays(attempts, ServiceError("down"))) for attempts in range(1, 8))

    assert shortest > 2 * 3600


def test_only_failed_messages_are_delayed(cloud: Cloud, make_handler: MakeHandler) -> None:
    """Other messages keep the queue's visibility timeout."""
    cloud.put("nobody.png", nobody())
    cloud.allow_receives(5, visibility_seconds=1)
    cloud.send({"key": "missing.png"}, {"key": "nobody.png"})
    messages = _receive(cloud)
    handler = make_handler(QUEUE_URL=cloud.stack.queue_url, RETRY_BASE_SECONDS="600")

    handler.handle(_event(messages), Context())

    hidden = _visible_after_seconds(cloud)
    assert {body: seconds > 200 for body, seconds in hidden.items()} == {
        '{"key": "missing.png"}': True,
        '{"key": "nobody.png"}': False,
    }


def _visible_after_seconds(cloud: Cloud) -> dict[str, float]:
    """Return how long each message is still hidden, according to moto."""
    backend = get_backend("sqs")[DEFAULT_ACCOUNT_ID]["us-east-1"]
    queue = backend.get_queue(cloud.stack.queue_url.rsplit("/", 1)[1])
    now = unix_time_millis()
    return {message.body: (message.visible_at - now) / 1000 for message in queue._messages}


def test_the_last_receive_ends_in_the_dead_letter_queue_with_the_reason(
    cloud: Cloud, make_handler: MakeHandler
) -> None:
    """The worker sends the dead letter itself, once, and the message counts as done."""
    handler = make_handler()
    event = sqs_event('{"key": "missing.png"}', receive_count=MAX_RECEIVE_COUNT)

    answer = handler.handle(event, Context())

    assert answer == {"batchItemFailures": []}
    (letter,) = cloud.dead_letters()
    values = {name: value["StringValue"] for name, value in letter["MessageAttributes"].items()}
    assert letter["Body"] == '{"key": "missing.png"}'
    assert values["error_code"] == "OBJECT_NOT_FOUND"
    assert values["receive_count"] == str(MAX_RECEIVE_COUNT)


def test_the_last_but_one_receive_comes_again(cloud: Cloud, make_handler: MakeHandler) -> None:
    """Before the last receive, a transient failure is retried."""
    event = sqs_event('{"key": "missing.png"}', receive_count=MAX_RECEIVE_COUNT - 1)

    answer = make_handler().handle(event, Context())

    assert len(answer["batchItemFailures"]) == 1
    assert cloud.dead_letters() == []


def test_without_a_receive_count_the_queue_decides(cloud: Cloud, make_handler: MakeHandler) -> None:
    """Without MAX_RECEIVE_COUNT, all transient failures are retried."""
    event = sqs_event('{"key": "missing.png"}', receive_count=1000)

    answer = make_handler(MAX_RECEIVE_COUNT="").handle(event, Context())

    assert len(answer["batchItemFailures"]) == 1
    assert cloud.dead_letters() == []


def test_a_bucket_that_is_not_allowed_is_not_read(cloud: Cloud, make_handler: MakeHandler) -> None:
    """The job becomes a dead letter, even if the object exists."""
    cloud.make_bucket("other-bucket")
    cloud.put("nobody.png", nobody(), bucket="other-bucket")
    cloud.put("nobody.png", nobody())
    handler = make_handler(ALLOWED_BUCKETS=f"{cloud.stack.bucket}, third-bucket")
    event = sqs_event('{"key": "nobody.png", "bucket": "other-bucket"}', '{"key": "nobody.png"}')

    answer = handler.handle(event, Context())

    assert answer == {"batchItemFailures": []}
    (letter,) = cloud.dead_letters()
    assert (
        "other-bucket is not allowed" in letter["MessageAttributes"]["error_message"]["StringValue"]
    )
    assert [item["bucket"]["S"] for item in cloud.items("nobody.png")] == [cloud.stack.bucket]


def test_a_bucket_that_is_not_allowed_is_not_read_directly(
    cloud: Cloud, make_handler: MakeHandler
) -> None:
    """In a direct invocation, another bucket is a bad request."""
    handler = make_handler(ALLOWED_BUCKETS=cloud.stack.bucket)

    answer = handler.handle({"bucket": "other-bucket", "key": "nobody.png"}, Context())

    assert answer["statusCode"] == 400
