"""Messages whose bodies are in S3, as the SQS extended client's producers send them."""

import json

import pytest

from landmarks.errors import ObjectNotFoundError
from tests.conftest import MakeHandler
from tests.events import payload_pointer, s3_notification, sns_event
from tests.fakes import Cloud, Context, Request, deliver, metrics, nobody, s3_that
from worker.handler import Handler
from worker.payloads import MAX_PAYLOAD_BYTES


@pytest.fixture
def payloads(cloud: Cloud) -> str:
    """A bucket for bodies, beside the photographs'."""
    bucket = f"{cloud.stack.bucket}-payloads"
    cloud.make_bucket(bucket)
    return bucket


def reason(cloud: Cloud) -> str:
    """Why the only dead letter is one."""
    (letter,) = cloud.dead_letters()
    return str(letter["MessageAttributes"]["error_message"]["StringValue"])


def test_message_in_s3_is_done(cloud: Cloud, handler: Handler, payloads: str) -> None:
    """The jobs of a large message are done like those of a small one."""
    keys = [f"{number}.png" for number in range(3)]
    for number, key in enumerate(keys):
        cloud.put(key, nobody(number))
    cloud.put(
        "body",
        json.dumps(s3_notification(*keys, bucket=cloud.stack.bucket)).encode(),
        bucket=payloads,
    )

    assert deliver(handler, payload_pointer(payloads, "body")) == []

    assert cloud.statuses() == dict.fromkeys(keys, "not_detected")


def test_missing_body_is_tried_again(
    cloud: Cloud, handler: Handler, payloads: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The message stays in the queue, and the others of its batch are done."""
    cloud.put("photo.png", nobody())
    pointer = payload_pointer(payloads, "late")

    assert deliver(handler, pointer, {"key": "photo.png"}) == [0]

    assert metrics(capsys.readouterr().out)["Retried"] == [1]
    assert cloud.statuses() == {"photo.png": "not_detected"}
    cloud.put("late", b'{"key": "photo.png"}', bucket=payloads)
    assert deliver(handler, pointer) == []


def test_missing_body_becomes_a_dead_letter_in_the_end(
    cloud: Cloud, make_handler: MakeHandler, payloads: str
) -> None:
    """The pointer is kept as it came, with the reason."""
    pointer = payload_pointer(payloads, "gone")

    assert deliver(make_handler(MAX_RECEIVE_COUNT="3"), pointer, receive_count=3) == []

    (letter,) = cloud.dead_letters()
    assert letter["Body"] == pointer
    assert letter["MessageAttributes"]["error_code"]["StringValue"] == "OBJECT_NOT_FOUND"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b" " * (MAX_PAYLOAD_BYTES + 1), "payload: 2000001 bytes, more than the 2000000 allowed"),
        (b'{"key": "\xff.png"}', "payload: 'utf-8' codec can't decode"),
        (b"photo.png", "payload: not JSON"),
        (b'{"photo": "photo.png"}', "got fields 'photo'"),
    ],
    ids=["large", "not UTF-8", "not JSON", "no job"],
)
def test_unreadable_body_is_a_dead_letter(
    body: bytes, words: str, cloud: Cloud, handler: Handler, payloads: str
) -> None:
    """Trying again would not help."""
    cloud.put("body", body, bucket=payloads)

    assert deliver(handler, payload_pointer(payloads, "body")) == []

    assert words in reason(cloud)


def test_largest_body_is_read(cloud: Cloud, handler: Handler, payloads: str) -> None:
    """The limit itself is allowed, byte order mark included."""
    cloud.put("photo.png", nobody())
    body = b'\xef\xbb\xbf{"key": "photo.png"}'
    cloud.put("body", body.ljust(MAX_PAYLOAD_BYTES), bucket=payloads)

    assert deliver(handler, payload_pointer(payloads, "body")) == []
    assert cloud.statuses() == {"photo.png": "not_detected"}


def test_only_allowed_buckets_are_read(
    cloud: Cloud, make_handler: MakeHandler, payloads: str
) -> None:
    """A pointer reaches no further than a job."""
    cloud.put("body", b'{"key": "photo.png"}', bucket=payloads)
    handler = make_handler(ALLOWED_BUCKETS=cloud.stack.bucket)

    assert deliver(handler, payload_pointer(payloads, "body")) == []

    assert reason(cloud) == f"bucket: {payloads} is not allowed here"


def test_archived_body_is_a_dead_letter(cloud: Cloud, handler: Handler, payloads: str) -> None:
    """S3 would refuse it the next time, too."""
    cloud.put("body", b"{}", bucket=payloads, storage_class="GLACIER")

    assert deliver(handler, payload_pointer(payloads, "body")) == []

    assert "archived" in reason(cloud)


def test_s3_that_hangs_does_not_hold_the_invocation(
    make_handler: MakeHandler, payloads: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every pointer is reported at the deadline, before S3 itself times out."""
    with s3_that(Request.hang) as hanging:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", hanging)

        failed = deliver(make_handler(), *[payload_pointer(payloads, "body")] * 3, seconds=4)

    assert failed == [0, 1, 2]


def test_pointer_straight_to_the_function(cloud: Cloud, handler: Handler, payloads: str) -> None:
    """SNS's extended client leaves its messages in S3, too; a missing one fails the invocation."""
    cloud.put("photo.png", nobody())
    event = sns_event(payload_pointer(payloads, "body"))

    with pytest.raises(ObjectNotFoundError):
        handler.handle(event, Context())
    cloud.put("body", b'{"key": "photo.png"}', bucket=payloads)

    assert handler.handle(event, Context()) == {"jobs": 1}
    assert cloud.statuses() == {"photo.png": "not_detected"}
