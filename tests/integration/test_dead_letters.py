"""Dead letters that the worker sends, and what happens if it can't."""

from collections.abc import Mapping
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from landmarks.errors import MessageError
from landmarks.job import REASON_ATTRIBUTES
from tests.conftest import MakeHandler
from tests.events import sqs_event
from tests.fakes import Cloud, Context, closed_port, deliver, metrics, nobody
from worker.handler import Handler
from worker.queue import DeadLetterQueue, ReceivedMessage

# The producer's attributes in Lambda's event, and in SQS's API.
BINARY = {"dataType": "Binary.png", "binaryValue": "iVBORw==", "stringListValues": []}
NUMBER = {"dataType": "Number.float", "stringValue": "0.5", "binaryListValues": []}
TEXT = {"dataType": "String", "stringValue": "naïve\n"}


def give_up(handler: Handler, attributes: Mapping[str, Mapping[str, Any]]) -> None:
    """Handle one message that is not JSON, with these attributes."""
    event = sqs_event("not JSON")
    event["Records"][0]["messageAttributes"] = attributes
    assert handler.handle(event, Context()) == {"batchItemFailures": []}


def letter_attributes(cloud: Cloud) -> dict[str, Any]:
    """Return the message attributes of the only dead letter."""
    (letter,) = cloud.dead_letters()
    attributes: dict[str, Any] = letter["MessageAttributes"]
    return attributes


def test_dead_letter_has_the_body_and_the_reason(cloud: Cloud, handler: Handler) -> None:
    """The body is unchanged, and the reason is in message attributes."""
    body = '{"key": "bell\\u0007.jpg", "bucket": 7, "note": "  ünïcode & <tags> "}'

    assert deliver(handler, body, receive_count=3) == []

    (letter,) = cloud.dead_letters()
    assert letter["Body"] == body
    attributes = letter["MessageAttributes"]
    values = {name: attribute["StringValue"] for name, attribute in attributes.items()}
    types = {name: attribute["DataType"] for name, attribute in attributes.items()}
    assert values == {
        "error_code": "INVALID_MESSAGE",
        "error_message": "bucket: expected a string, got a number",
        "receive_count": "3",
        "original_message_id": "00000000-0000-4000-8000-000000000000",
    }
    assert types == dict.fromkeys(values, "String") | {"receive_count": "Number"}
    assert cloud.statuses() == {}


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        ("none set", "DEAD_LETTER_QUEUE_URL is not set"),
        ("no such queue", "SQS: An error occurred (AWS.SimpleQueueService.NonExistentQueue)"),
        ("unreachable", "SQS: Could not connect"),
    ],
)
def test_unreadable_message_is_retried_if_the_dead_letter_cannot_be_sent(
    trouble: str,
    reason: str,
    cloud: Cloud,
    make_handler: MakeHandler,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Only that message is reported as failed; it is logged and counted."""
    urls = {"none set": "", "no such queue": f"{cloud.stack.dead_letter_queue_url}-gone"}
    url = urls.get(trouble, cloud.stack.dead_letter_queue_url)
    cloud.put("nobody.png", nobody())
    with closed_port() as nowhere, monkeypatch.context() as patch:
        if trouble == "unreachable":
            patch.setenv("AWS_ENDPOINT_URL_SQS", nowhere)
        handler = make_handler(DEAD_LETTER_QUEUE_URL=url)

        assert deliver(handler, "not JSON", {"key": "nobody.png"}) == [0]

    assert cloud.dead_letters() == []
    assert cloud.statuses() == {"nobody.png": "not_detected"}
    (record,) = (record for record in caplog.records if record.levelname == "WARNING")
    assert record.__dict__["message_id"] == "00000000-0000-4000-8000-000000000000"
    assert record.__dict__["reason"].startswith(reason)
    counted = metrics(capsys.readouterr().out)
    assert (counted["Retried"], counted["NotDetected"]) == ([1], [1])


def test_producers_attributes_go_along(cloud: Cloud, handler: Handler) -> None:
    """The producer's attributes are kept, with their exact types and values."""
    give_up(handler, {"thumbnail": BINARY, "score": NUMBER, "note": TEXT})

    attributes = letter_attributes(cloud)
    assert attributes.keys() == {*REASON_ATTRIBUTES, "thumbnail", "score", "note"}
    assert attributes["thumbnail"] == {"DataType": "Binary.png", "BinaryValue": b"\x89PNG"}
    assert attributes["score"] == {"DataType": "Number.float", "StringValue": "0.5"}
    assert attributes["note"] == {"DataType": "String", "StringValue": "naïve\n"}


def test_attributes_that_do_not_fit_are_named(cloud: Cloud, handler: Handler) -> None:
    """SQS allows ten attributes; the four reasons win, and lost ones are listed."""
    own = {f"attribute-{number}": TEXT for number in range(8)}
    give_up(handler, {"error_code": TEXT, **own})

    attributes = letter_attributes(cloud)
    assert attributes.keys() == {*REASON_ATTRIBUTES, *list(own)[:6]}
    assert attributes["error_code"]["StringValue"] == "INVALID_MESSAGE"
    assert attributes["error_message"]["StringValue"].endswith(
        " (message attributes left out: error_code, attribute-6, attribute-7)"
    )


def test_message_too_large_with_its_attributes_goes_without_them() -> None:
    """If the attributes make the message too large, the reason is sent without them."""
    sqs = boto3.client("sqs", region_name="us-east-1")
    message = ReceivedMessage("id-1", "receipt", "?", attempts=2, attributes={"note": TEXT})
    reason = {
        "error_code": {"DataType": "String", "StringValue": "INVALID_MESSAGE"},
        "error_message": {
            "DataType": "String",
            "StringValue": "no key (message attributes left out: note)",
        },
        "receive_count": {"DataType": "Number", "StringValue": "2"},
        "original_message_id": {"DataType": "String", "StringValue": "id-1"},
    }
    sent = {"QueueUrl": "https://sqs/dead", "MessageBody": "?", "MessageAttributes": reason}
    with Stubber(sqs) as stub:
        stub.add_client_error("send_message", "InvalidParameterValue", "must be shorter")
        stub.add_response("send_message", {"MessageId": "id-2"}, sent)

        queue = DeadLetterQueue(sqs, "https://sqs/dead")
        queue.put(message, MessageError("no key"), deadline=float("inf"))
        stub.assert_no_pending_responses()
