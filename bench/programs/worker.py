"""The worker: its cold start, and its handler.

A request is an event, the answer that of the handler. It is ready when its detectors are.
"""

import time
from dataclasses import dataclass

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
    from bench.programs.loop import answer_requests  # noqa: PLC0415, the worker starts first

    # The start does not wait for the detectors; the benchmark does.
    handler._detectors.wait_until_ready(time.monotonic() + _READY_SECONDS)  # noqa: SLF001, no public way
    answer_requests(lambda event: handler.handle(event, _Context()))
    handler.close()


if __name__ == "__main__":
    main()
