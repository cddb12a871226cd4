"""Events straight to the function, with no queue between: done, or an invocation that fails."""

from collections.abc import Callable
from typing import Any

import pytest

from landmarks.errors import MessageError, ObjectNotFoundError, ServiceError
from tests.conftest import MakeHandler
from tests.events import (
    Event,
    custom_event,
    eventbridge_created,
    s3_notification,
    sns_event,
    sqs_event,
)
from tests.fakes import Cloud, Context, closed_port, metrics, nobody, person
from worker.handler import Handler

# How an object's event comes to the function, by sender: bucket and key → event.
SENDERS: dict[str, Callable[[str, str], Event]] = {
    "s3": lambda bucket, key: s3_notification(key, bucket=bucket),
    "sns": lambda bucket, key: sns_event(s3_notification(key, bucket=bucket)),
    "sns, direct form": lambda bucket, key: sns_event({"bucket": bucket, "key": key}),
    "eventbridge": lambda bucket, key: eventbridge_created(key, bucket=bucket),
    "eventbridge, own event": lambda bucket, key: custom_event({"bucket": bucket, "key": key}),
}
every_sender = pytest.mark.parametrize("sender", SENDERS.values(), ids=SENDERS.keys())


@every_sender
def test_event_is_done(
    sender: Callable[[str, str], Event],
    cloud: Cloud,
    handler: Handler,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Its photograph is detected and stored, and counted like any other."""
    cloud.put("a b+ü.jpg", person())

    assert handler.handle(sender(cloud.stack.bucket, "a b+ü.jpg"), Context()) == {"jobs": 1}

    assert cloud.statuses() == {"a b+ü.jpg": "detected"}
    assert metrics(capsys.readouterr().out)["Detected"] == [1]


@every_sender
def test_event_that_fails_for_the_moment_raises(
    sender: Callable[[str, str], Event],
    cloud: Cloud,
    handler: Handler,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """So that Lambda tries it again; then it is done."""
    event = sender(cloud.stack.bucket, "late.png")

    with pytest.raises(ObjectNotFoundError, match=r"late\.png"):
        handler.handle(event, Context())
    assert metrics(capsys.readouterr().out)["Retried"] == [1]

    cloud.put("late.png", nobody())
    assert handler.handle(event, Context()) == {"jobs": 1}
    assert cloud.statuses() == {"late.png": "not_detected"}


def test_one_failing_job_does_not_hold_up_the_others(cloud: Cloud, handler: Handler) -> None:
    """They are stored before the invocation fails."""
    for key in ("one.png", "three.png"):
        cloud.put(key, nobody())

    with pytest.raises(ObjectNotFoundError):
        handler.handle(
            s3_notification("one.png", "two.png", "three.png", bucket=cloud.stack.bucket), Context()
        )

    assert cloud.statuses() == dict.fromkeys(("one.png", "three.png"), "not_detected")


def test_unreachable_dynamodb_raises(
    cloud: Cloud, make_handler: MakeHandler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service that fails is the invocation's failure."""
    cloud.put("photo.png", nobody())
    with closed_port() as nowhere:
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", nowhere)
        with pytest.raises(ServiceError, match="DynamoDB"):
            make_handler().handle(
                s3_notification("photo.png", bucket=cloud.stack.bucket), Context()
            )


def test_image_that_nobody_can_read_is_no_failure(cloud: Cloud, handler: Handler) -> None:
    """Trying again would not help: it is stored as failed."""
    cloud.put("notes.txt", b"words")

    event = s3_notification("notes.txt", bucket=cloud.stack.bucket)

    assert handler.handle(event, Context()) == {"jobs": 1}
    assert cloud.statuses() == {"notes.txt": "failed"}


def test_event_without_new_content_is_done_at_once(handler: Handler) -> None:
    """A removed object asks for nothing."""
    removed = s3_notification("gone.jpg", event_name="ObjectRemoved:Delete")
    assert handler.handle(removed, Context()) == {"jobs": 0}


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ([], "event: expected an object, got a list"),
        ("photo.jpg", "event: not JSON"),
        (None, "event: expected an object, got nothing"),
        ({"Key": "photo.jpg"}, "got fields 'Key'"),
        ([{"eventSource": "aws:kinesis", "data": "e30="}], "event: expected an object, got a list"),
        ({"Records": [{"eventSource": "aws:dynamodb"}]}, "eventName: missing"),
        (
            {"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put"}]},
            "s3: expected",
        ),
        (sns_event("photo.jpg"), "Message: not JSON"),
        (custom_event({"photo": "a.jpg"}), "got fields 'photo'"),
        (s3_notification("photo.jpg", bucket="elsewhere"), "elsewhere is not allowed here"),
    ],
)
def test_event_in_nobodys_form_raises(
    event: Any,  # noqa: ANN401, any JSON
    reason: str,
    make_handler: MakeHandler,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """An answer would count as success, and the event would be lost in silence."""
    handler = make_handler(ALLOWED_BUCKETS="photos")

    with pytest.raises(MessageError) as caught:
        handler.handle(event, Context())

    assert reason in str(caught.value)
    (record,) = caplog.records
    assert (record.levelname, record.getMessage()) == ("WARNING", "event refused")
    assert record.__dict__["error_code"] == "INVALID_MESSAGE"
    assert metrics(capsys.readouterr().out)["Rejected"] == [1]


def test_pipes_list_of_messages_is_a_batch(cloud: Cloud, handler: Handler) -> None:
    """An EventBridge Pipe sends SQS's records without an envelope, and reads the same answer."""
    cloud.put("photo.png", nobody())
    records = sqs_event({"key": "photo.png"}, {"key": "missing.png"}, "not JSON")["Records"]

    answer = handler.handle(records, Context())

    assert answer == {"batchItemFailures": [{"itemIdentifier": records[1]["messageId"]}]}
    assert cloud.statuses() == {"photo.png": "not_detected"}
    assert [letter["Body"] for letter in cloud.dead_letters()] == ["not JSON"]
