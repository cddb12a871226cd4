"""Jobs → messages in the queue, ten a request, in constant memory."""

import json
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

# SQS's limit for one request.
_BATCH: Final = 10

# What SQS refuses for a reason of its own is sent again after up to 0.2, 0.4, 0.8, 1.6 s.
_TRIES: Final = 5
_PAUSE_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class SendSummary:
    """What became of the jobs.

    Attributes:
        sent: how many SQS has taken.
        refused: how many it has not, whatever was tried.
        reason: SQS's, of the first one refused.
    """

    sent: int = 0
    refused: int = 0
    reason: str | None = None


def send_jobs(
    sqs: "SQSClient",
    queue_url: str,
    jobs: Iterable[Mapping[str, object]],
    on_sent: Callable[[int], None] = lambda _: None,
) -> SendSummary:
    """Send every job as one message; what SQS refuses is sent again.

    Args:
        sqs: the client.
        queue_url: where to.
        jobs: the messages; read as they are sent.
        on_sent: is told after each request how many SQS has taken so far.

    Raises:
        ClientError: SQS refuses the whole request. What was sent before stays sent.
        BotoCoreError: SQS can't be reached. The same.
    """
    sent, refused = 0, 0
    reason: str | None = None
    bodies = (json.dumps(job) for job in jobs)
    while batch := list(islice(bodies, _BATCH)):
        reasons = list(_send_batch(sqs, queue_url, batch))
        reason = reason or next(iter(reasons), None)
        refused += len(reasons)
        sent += len(batch) - len(reasons)
        on_sent(sent)
    return SendSummary(sent, refused, reason)


def _send_batch(sqs: "SQSClient", queue_url: str, bodies: list[str]) -> Iterator[str]:
    """Send up to ten bodies; yields a reason for each that SQS refuses for good."""
    waiting = {str(place): body for place, body in enumerate(bodies)}
    for tries in range(1, _TRIES + 1):
        answer = sqs.send_message_batch(
            QueueUrl=queue_url,
            Entries=[{"Id": place, "MessageBody": body} for place, body in waiting.items()],
        )
        failures = {failure["Id"]: failure for failure in answer.get("Failed", [])}
        for place in [place for place in waiting if place not in failures]:
            del waiting[place]
        for place, failure in failures.items():
            if failure["SenderFault"] or tries == _TRIES:
                del waiting[place]
                yield failure.get("Message") or failure["Code"]
        if not waiting:
            return
        longest = _PAUSE_SECONDS * 2**tries
        time.sleep(random.uniform(longest / 2, longest))  # noqa: S311, chance, not a secret
