"""`python -m worker.poller`: starts the poller and sees to its orderly end.

Imports wait until signals are handled: they take most of the start.
"""

import os
import signal
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from types import FrameType
from typing import TYPE_CHECKING, Final

from landmarks.errors import LandmarkError, SettingsError
from worker.poller.options import Options, parse_options

if TYPE_CHECKING:
    from worker.handler import Handler
    from worker.poller.health import Health
    from worker.poller.loop import Poller
    from worker.settings import Settings

# A long poll takes 20 s at most.
_READ_TIMEOUT_SECONDS: Final = 25


class _Signals:
    """SIGTERM and SIGINT exit during the start, and drain the poller once it runs."""

    def __init__(self) -> None:
        self._poller: Poller | None = None
        self._received = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._receive)

    def hand_over(self, poller: "Poller") -> None:
        self._poller = poller
        if self._received:  # and an import swallowed the SystemExit
            sys.exit(0)

    def _receive(self, _number: int, _frame: FrameType | None) -> None:
        self._received = True
        if self._poller is None:
            sys.exit(0)
        self._poller.stop()


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the worker on the queue in QUEUE_URL, until SIGTERM or SIGINT.

    Raises:
        SettingsError: a setting is missing or wrong.
        ServiceError: the queue can't be polled.
    """
    options = parse_options(arguments)
    if options.check_health:
        sys.exit(_check_health(options))
    signals = _Signals()
    if options.stop_with is not None:
        from worker.detector.confinement import end_with  # noqa: PLC0415

        end_with(options.stop_with)
    from worker.poller.health import Health, serve_health  # noqa: PLC0415
    from worker.settings import Settings  # noqa: PLC0415
    from worker.startup import start_worker  # noqa: PLC0415

    settings = Settings.from_environment()
    if settings.queue_url is None:
        raise SettingsError("QUEUE_URL is not set: the poller has to know its queue")
    health = Health(options.health_seconds, options.health_file)
    if options.health_port is not None:
        serve_health(health, options.health_host, options.health_port)
    handler = start_worker(settings)
    poller = _build_poller(settings, settings.queue_url, options, handler, health)
    signals.hand_over(poller)
    finished = poller.run()
    if not finished:
        _exit_now()
    # A job that outlived its batch may still run: closing must not outlast the drain either.
    timer = threading.Timer(poller.drain_seconds_left, _exit_now)
    timer.daemon = True
    timer.start()
    handler.close()
    timer.cancel()


def _build_poller(
    settings: "Settings", queue_url: str, options: Options, handler: "Handler", health: "Health"
) -> "Poller":
    import boto3  # noqa: PLC0415
    from botocore.config import Config  # noqa: PLC0415

    from worker.composition import SQS_CONFIG  # noqa: PLC0415
    from worker.poller.heartbeat import Heartbeat  # noqa: PLC0415
    from worker.poller.loop import Poller, describe_queue  # noqa: PLC0415

    polling = Config(
        connect_timeout=3,
        read_timeout=_READ_TIMEOUT_SECONDS,
        retries={"mode": "standard", "total_max_attempts": 3},
    )
    client = boto3.client("sqs", config=polling)
    queue = describe_queue(client, queue_url)
    heartbeat = Heartbeat(
        boto3.client("sqs", config=SQS_CONFIG), queue.url, queue.visibility_seconds
    )
    options = replace(options, batches=options.batches or min(settings.detectors, 10))
    return Poller(client, queue, handler, heartbeat, options, health)


def _exit_now() -> None:
    """Exit without waiting for threads and detectors."""
    sys.stdout.flush()
    os._exit(0)


def _check_health(options: Options) -> str | None:
    from worker.poller.health import file_complaint, port_complaint  # noqa: PLC0415

    if options.health_file:
        return file_complaint(options.health_file)
    return port_complaint(options.health_host, options.health_port or 0)


if __name__ == "__main__":
    try:
        main()
    except LandmarkError as error:
        sys.exit(f"landmark-worker: {error}")
