"""Jobs to SQS in batches, and what SQS refuses."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.stub import Stubber

from worker.operations import sending
from worker.operations.sending import SendSummary, send_jobs

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

URL = "https://sqs.eu-central-1.amazonaws.com/1/jobs"

Answer = dict[str, list[dict[str, object]]]


@pytest.fixture
def sqs(monkeypatch: pytest.MonkeyPatch) -> "SQSClient":
    """A client that is told its answers."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "none")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "none")
    return boto3.client("sqs", region_name="eu-central-1")


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "_PAUSE_SECONDS", 0)


def entries(*numbers: int) -> dict[str, object]:
    """A request with the jobs of these numbers, in their places."""
    bodies = [(str(n % 10), json.dumps({"key": str(n)})) for n in numbers]
    return {
        "QueueUrl": URL,
        "Entries": [{"Id": place, "MessageBody": body} for place, body in bodies],
    }


def refusing(*places: int, sender: bool = False) -> Answer:
    """An answer that takes all but these places."""
    return {
        "Successful": [],
        "Failed": [
            {"Id": str(place), "Code": "No", "Message": f"not {place}", "SenderFault": sender}
            for place in places
        ],
    }


def send(sqs: "SQSClient", count: int, *exchange: tuple[dict[str, object], Answer]) -> SendSummary:
    """Send so many jobs, with these requests expected and so answered."""
    with Stubber(sqs) as stub:
        for request, answer in exchange:
            stub.add_response("send_message_batch", answer, request)
        summary = send_jobs(sqs, URL, ({"key": str(number)} for number in range(count)))
        stub.assert_no_pending_responses()
    return summary


def test_jobs_go_ten_at_a_time(sqs: "SQSClient") -> None:
    """The last request holds what is left."""
    exchange = (entries(*range(10)), refusing()), (entries(10, 11), refusing())

    assert send(sqs, 12, *exchange) == SendSummary(sent=12)


def test_no_job_is_no_request(sqs: "SQSClient") -> None:
    """Nothing to send is nothing sent."""
    assert send(sqs, 0) == SendSummary()


def test_what_sqs_could_not_take_is_sent_again(sqs: "SQSClient") -> None:
    """Only what was refused, until it is taken."""
    summary = send(
        sqs,
        3,
        (entries(0, 1, 2), refusing(0, 2)),
        (entries(0, 2), refusing(2)),
        (entries(2), refusing()),
    )

    assert summary == SendSummary(sent=3)


def test_what_the_sender_did_wrong_is_not_sent_again(sqs: "SQSClient") -> None:
    """It is counted with SQS's reason, and the others are sent."""
    summary = send(sqs, 3, (entries(0, 1, 2), refusing(1, sender=True)))

    assert summary == SendSummary(sent=2, refused=1, reason="not 1")


def test_after_five_tries_a_job_is_refused(sqs: "SQSClient") -> None:
    """A queue that takes nothing ends the tries, not the jobs after it."""
    summary = send(sqs, 1, *[(entries(0), refusing(0))] * 5)

    assert summary == SendSummary(sent=0, refused=1, reason="not 0")


def test_jobs_are_read_as_they_are_sent(sqs: "SQSClient") -> None:
    """No more than a batch is in memory, and progress is told after each."""
    read, told = 0, []

    def jobs() -> Iterator[dict[str, object]]:
        nonlocal read
        for number in range(25):
            read += 1
            yield {"key": str(number)}

    with Stubber(sqs) as stub:
        for _ in range(3):
            stub.add_response("send_message_batch", refusing())
        send_jobs(sqs, URL, jobs(), lambda sent: told.append((sent, read)))

    assert told == [(10, 10), (20, 20), (25, 25)]
