"""A queue in memory, and the poller on it."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from worker.poller.health import Health
from worker.poller.heartbeat import Heartbeat
from worker.poller.loop import EventHandler, Poller, Queue
from worker.poller.options import Options

_VISIBILITY_SECONDS = 300
_EMPTY_SECONDS = 0.01  # what an empty receive takes


class _Messages:
    """The operations of SQS's client that the poller uses."""

    def __init__(self, records: Sequence[Mapping[str, Any]]) -> None:
        self._waiting = [
            {
                "MessageId": record["messageId"],
                "ReceiptHandle": record["messageId"],
                "Body": record["body"],
                "Attributes": record["attributes"],
            }
            for record in records
        ]
        self._left = len(records)
        self._lock = threading.Lock()
        self.when_empty: Callable[[], None] = lambda: None

    def receive_message(self, *, MaxNumberOfMessages: int, **_: object) -> Mapping[str, Any]:  # noqa: N803, SQS's name
        with self._lock:
            received = self._waiting[:MaxNumberOfMessages]
            del self._waiting[:MaxNumberOfMessages]
        if not received:
            time.sleep(_EMPTY_SECONDS)
        return {"Messages": received}

    def delete_message_batch(self, *, Entries: Sequence[object], **_: object) -> Mapping[str, Any]:  # noqa: N803, SQS's name
        with self._lock:
            self._left -= len(Entries)
        if not self._left:
            self.when_empty()
        return {}


def poll(
    handler: EventHandler, records: Sequence[Mapping[str, Any]], batches: int
) -> Mapping[str, Any]:
    """Have the poller work off these messages; returns once all are deleted."""
    messages: Any = _Messages(records)
    queue = Queue("queue", records[0]["eventSourceARN"], _VISIBILITY_SECONDS)
    heartbeat = Heartbeat(messages, queue.url, _VISIBILITY_SECONDS)
    options = Options(batches=batches)
    poller = Poller(messages, queue, handler, heartbeat, options, Health(_VISIBILITY_SECONDS))
    messages.when_empty = poller.stop
    poller.run()
    return {"batchItemFailures": []}
