"""Received messages stay ours for as long as they are worked on: the heartbeat.

A lease is a message's visibility timeout, renewed until the message is settled. One that
is not renewed in time costs no message: another poller gets it.
"""

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_LOG = logging.getLogger(__name__)


# Shares of the visibility timeout: a lease is renewed when it is that old, which is looked at
# that often. So it is renewed before half of it is over, and one that could not be renewed
# has several tries left.
_RENEWED_AT: Final = 0.35


_LOOKED_AT: Final = 0.1


# SQS leaves a message to nobody for longer than 12 hours from its receive:
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html
_MOST_SECONDS: Final = 12 * 3600 - 60


# SQS's limit for one request.
_BATCH: Final = 10


@dataclass(slots=True)
class _Lease:
    """Times by the monotonic clock, in seconds."""

    renewed: float
    ends: float


class Leases:
    """The messages in hand, by their receipts; used by many threads."""

    def __init__(self, client: "SQSClient", queue_url: str, visibility_seconds: int) -> None:
        """Hold nothing yet.

        Args:
            client: should answer or fail fast: whoever ends a lease waits for it.
            queue_url: of the queue that the messages come from.
            visibility_seconds: the queue's, and of each renewal.
        """
        self._client = client
        self._queue_url = queue_url
        self._seconds = visibility_seconds
        self._held: dict[str, _Lease] = {}
        # Held while SQS is asked: when a lease has been ended, no renewal is under way.
        self._lock = threading.Lock()
        self._closed = threading.Event()

    def start(self) -> None:
        """Renew from now on, in a thread of its own; where messages never hide, there is no use."""
        if self._seconds:
            threading.Thread(target=self._run, name="leases", daemon=True).start()

    def close(self) -> None:
        """Renew nothing any more."""
        self._closed.set()

    def take(self, receipts: Sequence[str]) -> None:
        """Begin the leases of messages just received."""
        now = time.monotonic()
        with self._lock:
            self._held |= {receipt: _Lease(now, now + _MOST_SECONDS) for receipt in receipts}

    def end(self, *receipts: str) -> None:
        """Renew these no longer; afterwards their visibility is anybody's to change."""
        with self._lock:
            for receipt in receipts:
                self._held.pop(receipt, None)

    def give_back(self, receipts: Sequence[str] | None = None) -> int:
        """End leases, all by default, and let others have the messages at once.

        Returns:
            how many that were. What SQS could not be told comes again by itself.
        """
        with self._lock:
            mine = [r for r in (self._held if receipts is None else receipts) if r in self._held]
            for receipt in mine:
                del self._held[receipt]
            for part in _parts(mine):
                if self._set_visibility(part, 0) is None:
                    break
        return len(mine)

    def _run(self) -> None:
        while not self._closed.wait(self._seconds * _LOOKED_AT):
            self._renew()

    def _renew(self) -> None:
        with self._lock:
            now = time.monotonic()
            due = [r for r, lease in self._held.items() if self._is_due(lease, now)]
            for part in _parts(due):
                refused = self._set_visibility(part, self._seconds)
                if refused is None:
                    return  # the others' turn comes with the next look
                for receipt in part:
                    self._held[receipt].renewed = now
                for receipt in refused:
                    del self._held[receipt]

    def _is_due(self, lease: _Lease, now: float) -> bool:
        old = now - lease.renewed >= self._seconds * _RENEWED_AT
        return old and now + self._seconds <= lease.ends

    def _set_visibility(self, receipts: Sequence[str], seconds: int) -> Sequence[str] | None:
        """Tell SQS; returns which ones it refused for good, or None where it could not be asked."""
        try:
            answer = self._client.change_message_visibility_batch(
                QueueUrl=self._queue_url,
                Entries=[
                    {"Id": str(index), "ReceiptHandle": receipt, "VisibilityTimeout": seconds}
                    for index, receipt in enumerate(receipts)
                ],
            )
        except (BotoCoreError, ClientError) as error:
            _LOG.warning("leases not changed", extra={"error_message": str(error)})
            return None
        failures = answer.get("Failed", [])
        for failure in failures:
            _LOG.warning("lease not changed", extra={"error_message": failure["Code"]})
        return [receipts[int(failure["Id"])] for failure in failures if failure["SenderFault"]]


def _parts(receipts: Sequence[str]) -> Iterator[Sequence[str]]:
    return (receipts[start : start + _BATCH] for start in range(0, len(receipts), _BATCH))
