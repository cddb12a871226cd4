"""The worker as it is: its cold start, and its handler for every event that comes.

A request is an event; the answer is the handler's. Ready is when the detectors are, too.
"""

import time
from dataclasses import dataclass

from worker.settings import Settings
from worker.startup import start_worker

_READY_SECONDS = 60
_INVOCATION_SECONDS = 120


@dataclass(frozen=True)
class _Context:
    """Lambda's, of an invocation that has all the time it needs."""

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        return _INVOCATION_SECONDS * 1000


def main() -> None:
    """Answer until the benchmark closes the pipe."""
    handler = start_worker(Settings.from_environment())
    from bench.programs.loop import answer_requests  # noqa: PLC0415, the worker starts first

    # As on Lambda, the start is over before the detectors are; here it is waited for them.
    for detector in handler._detectors._detectors:  # noqa: SLF001, no public door
        detector._make_ready(time.monotonic() + _READY_SECONDS)  # noqa: SLF001
    answer_requests(lambda event: handler.handle(event, _Context()))
    handler.close()


if __name__ == "__main__":
    main()
