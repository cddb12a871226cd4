"""Keeps received messages invisible to other consumers while they are worked on.

A message whose visibility timeout is not extended in time is not lost: another consumer
receives it.
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

# Shares of the visibility timeout: how old an extension is when it is renewed, and how often
# that is checked. A failed renewal can be tried several times before the timeout ends.
_RENEW_AFTER: Final = 0.35
_CHECK_EVERY: Final = 0.1

# SQS hides a message for at most 12 hours after its receipt:
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html
_MAX_SECONDS: Final = 12 * 3600 - 60

_BATCH: Final = 10  # SQS's limit for one request


@dataclass(slots=True)
class _Hidden:
    """When a message's visibility timeout was last set and cannot be extended any more.

    Both are seconds of the monotonic clock.
    """

    extended_at: float
    until: float


class Heartbeat:
    """Extends the visibility timeout of messages, known by their receipt handles. Thread-safe."""

    def __init__(self, client: "SQSClient", queue_url: str, visibility_seconds: int) -> None:
        """Nothing is extended before `start`.

        Args:
            client: has short timeouts, because `remove` waits for a request under way.
            queue_url: the messages' queue.
            visibility_seconds: the queue's visibility timeout, and each extension.
        """
        self._client = client
        self._queue_url = queue_url
        self._seconds = visibility_seconds
        self._hidden: dict[str, _Hidden] = {}
        # Held during requests: once a handle has been removed, no request is about to extend it.
        self._lock = threading.Lock()
        self._closed = threading.Event()

    def start(self) -> None:
        """Extend visibility in a thread, unless the queue does not hide messages at all."""
        if self._seconds:
            threading.Thread(target=self._run, name="heartbeat", daemon=True).start()

    def close(self) -> None:
        """End the thread."""
        self._closed.set()

    def add(self, handles: Sequence[str]) -> None:
        """Extend the visibility of messages that were just received."""
        now = time.monotonic()
        with self._lock:
            self._hidden |= {handle: _Hidden(now, now + _MAX_SECONDS) for handle in handles}

    def remove(self, handles: Sequence[str]) -> None:
        """Leave the visibility of these messages alone from now on."""
        with self._lock:
            for handle in handles:
                self._hidden.pop(handle, None)

    def release(self, handles: Sequence[str] | None = None) -> int:
        """Remove messages, by default all, and make them visible to others at once.

        Returns:
            how many. Those that SQS could not be told about become visible by themselves.
        """
        with self._lock:
            ours = [h for h in (self._hidden if handles is None else handles) if h in self._hidden]
            for handle in ours:
                del self._hidden[handle]
            for batch in _batches(ours):
                if self._set_visibility(batch, 0) is None:
                    break
        return len(ours)

    def _run(self) -> None:
        while not self._closed.wait(self._seconds * _CHECK_EVERY):
            self._extend()

    def _extend(self) -> None:
        with self._lock:
            now = time.monotonic()
            due = [handle for handle, hidden in self._hidden.items() if self._is_due(hidden, now)]
            for batch in _batches(due):
                refused = self._set_visibility(batch, self._seconds)
                if refused is None:
                    return  # the next check tries again
                for handle in batch:
                    self._hidden[handle].extended_at = now
                for handle in refused:
                    del self._hidden[handle]

    def _is_due(self, hidden: _Hidden, now: float) -> bool:
        old = now - hidden.extended_at >= self._seconds * _RENEW_AFTER
        return old and now + self._seconds <= hidden.until

    def _set_visibility(self, handles: Sequence[str], seconds: int) -> Sequence[str] | None:
        """Returns the handles that SQS refused for good, or None if the request failed."""
        try:
            answer = self._client.change_message_visibility_batch(
                QueueUrl=self._queue_url,
                Entries=[
                    {"Id": str(index), "ReceiptHandle": handle, "VisibilityTimeout": seconds}
                    for index, handle in enumerate(handles)
                ],
            )
        except (BotoCoreError, ClientError) as error:
            _LOG.warning("visibility not changed", extra={"error_message": str(error)})
            return None
        failures = answer.get("Failed", [])
        for failure in failures:
            _LOG.warning("visibility not changed", extra={"error_message": failure["Code"]})
        return [handles[int(failure["Id"])] for failure in failures if failure["SenderFault"]]


def _batches(handles: Sequence[str]) -> Iterator[Sequence[str]]:
    return (handles[start : start + _BATCH] for start in range(0, len(handles), _BATCH))
