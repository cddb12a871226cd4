"""The worker: its cold start, its handler, and its poller.

A request is an event, the answer that of the handler. With `poll` in the request, the poller gets
the event's messages in batches. The program is ready when its detectors are.
"""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from worker.settings import Settings
from worker.startup import start_worker

_READY_SECONDS = 60
_INVOCATION_SECONDS = 120


@dataclass(frozen=True)
class _Context:
    """Lambda's context, with plenty of time."""

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        return _INVOCATION_SECONDS * 1000


def main() -> None:
    """Answer until standard input is closed."""
    handler = start_worker(Settings.from_environment())
    # The worker starts first.
    from bench.programs.loop import answer_requests  # noqa: PLC0415
    from bench.programs.poller import poll  # noqa: PLC0415

    def answer(request: Mapping[str, Any]) -> Mapping[str, Any]:
        if "poll" in request:
            return poll(handler, request["Records"], batches=int(os.environ["DETECTORS"]))
        return handler.handle(request, _Context())

    # The start does not wait for the detectors; the benchmark does.
    handler._detectors.wait_until_ready(time.monotonic() + _READY_SECONDS)  # noqa: SLF001, no public way
    answer_requests(answer)
    handler.close()


if __name__ == "__main__":
    main()
