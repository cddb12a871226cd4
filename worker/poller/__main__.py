"""`python -m worker.poller`: settings and options → a running poller, and its orderly end."""

import os
import signal
import sys
import threading
from collections.abc import Sequence
from types import FrameType
from typing import TYPE_CHECKING, Final

from worker.poller.options import Options, parse_options

if TYPE_CHECKING:
    from worker.handler import Handler
    from worker.poller.health import Health
    from worker.poller.loop import Poller
    from worker.settings import Settings

# A long poll answers after 20 s at the latest.
_READ_SECONDS: Final = 25


class _Signals:
    """What SIGTERM and SIGINT do: stop the poller, or the start of one."""

    def __init__(self) -> None:
        self.poller: Poller | None = None
        self._asked = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._receive)

    def hand_over(self, poller: "Poller") -> None:
        """From now on the poller is asked to stop; what was started ends by itself."""
        self.poller = poller
        if self._asked:
            sys.exit(0)

    def _receive(self, _number: int, _frame: FrameType | None) -> None:
        self._asked = True
        if self.poller is None:
            sys.exit(0)
        self.poller.stop()


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the worker on the queue that QUEUE_URL names, until SIGTERM or SIGINT.

    Raises:
        SettingsError: a setting is missing or wrong.
        ServiceError: the queue can't be polled.
    """
    options = parse_options(arguments)
    if options.check_health:
        sys.exit(_check_health(options))
    signals = _Signals()
    # Imported late: they take most of the start, in which a signal should count already.
    from landmarks.errors import SettingsError  # noqa: PLC0415
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
    ended = poller.run()
    if not ended:
        _leave()
    # What runs on after a batch's deadline may not outlast the drain time either.
    timer = threading.Timer(poller.drain_seconds_left, _leave)
    timer.daemon = True
    timer.start()
    handler.close()
    timer.cancel()


def _build_poller(
    settings: "Settings", queue_url: str, options: Options, handler: "Handler", health: "Health"
) -> "Poller":
    import boto3  # noqa: PLC0415, as above
    from botocore.config import Config  # noqa: PLC0415, as above

    from worker.composition import SQS_CONFIG  # noqa: PLC0415, as above
    from worker.poller.leases import Leases  # noqa: PLC0415, as above
    from worker.poller.loop import Pace, Poller, describe_queue  # noqa: PLC0415, as above

    patient = Config(
        connect_timeout=3,
        read_timeout=_READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": 3},
    )
    client = boto3.client("sqs", config=patient)
    queue = describe_queue(client, queue_url)
    hasty = boto3.client("sqs", config=SQS_CONFIG)
    pace = Pace(
        # A poll that is under way at the end takes what has just been given back.
        wait_seconds=min(options.wait_seconds, options.drain_seconds),
        batches=options.batches or min(settings.detectors, 10),
        batch_seconds=options.batch_seconds,
        drain_seconds=options.drain_seconds,
    )
    leases = Leases(hasty, queue.url, queue.visibility_seconds)
    return Poller(client, queue, handler, leases, pace=pace, health=health)


def _leave() -> None:
    """End at once: threads and detectors are left to the process's end."""
    sys.stdout.flush()
    os._exit(0)


def _check_health(options: Options) -> str | None:
    from worker.poller.health import file_complaint, port_complaint  # noqa: PLC0415, as above

    if options.health_file:
        return file_complaint(options.health_file)
    return port_complaint("127.0.0.1", options.health_port or 0)


if __name__ == "__main__":
    from landmarks.errors import LandmarkError

    try:
        main()
    except LandmarkError as error:
        sys.exit(f"landmark-worker: {error}")
