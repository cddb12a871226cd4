"""The poller's command line."""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

# A batch is held for half a day at the most: see leases.py. An hour is left for its turn to come.
_MAX_BATCH_SECONDS: Final = 11 * 3600


_MAX_BATCHES: Final = 10


_MAX_DRAIN_SECONDS: Final = 600


_MAX_HEALTH_SECONDS: Final = 3600


_MAX_PORT: Final = 65535


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says.

    Attributes:
        wait_seconds: of one long poll.
        batches: of ten messages, handed over together; None is one a detector.
        batch_seconds: how long they may take; None is the queue's visibility timeout.
        drain_seconds: from SIGTERM to the end, at most.
        health_file: touched while all is well.
        health_host: where the health port listens.
        health_port: answers GET /healthz; None opens none.
        health_seconds: how long without a successful poll is still well.
        check_health: only look at the health of a poller that runs.
    """

    wait_seconds: int
    batches: int | None
    batch_seconds: int | None
    drain_seconds: int
    health_file: Path | None
    health_host: str
    health_port: int | None
    health_seconds: int
    check_health: bool


def parse_options(arguments: Sequence[str] | None) -> Options:
    """Read the command line; ends the process with usage and status 2 where it is wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m worker.poller",
        description="Run the worker on the queue that QUEUE_URL names, until SIGTERM or SIGINT.",
    )
    add = parser.add_argument
    add(
        *("--wait-seconds",),
        type=_whole(0, 20),
        default=10,
        metavar="0..20",
        help="how long to wait for messages at a time, and so at most to stop when idle (10)",
    )
    add(
        *("--batches",),
        type=_whole(1, _MAX_BATCHES),
        metavar="N",
        help="batches of ten messages worked on together (one a detector); "
        "as many more are received meanwhile",
    )
    add(
        *("--batch-seconds",),
        type=_whole(1, _MAX_BATCH_SECONDS),
        metavar="N",
        help="how long they may take; their visibility is extended meanwhile "
        "(the queue's visibility timeout)",
    )
    add(
        *("--drain-seconds",),
        type=_whole(0, _MAX_DRAIN_SECONDS),
        default=25,
        metavar="N",
        help="after SIGTERM, how long what has been begun may take to end; "
        "what has not is given back to the queue (25)",
    )
    _add_health_options(parser)
    options = parser.parse_args(arguments)
    if options.check_health and not (options.health_file or options.health_port):
        parser.error("--check-health needs --health-file or --health-port")
    return Options(**vars(options))


def _add_health_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        *("--health-file",),
        type=Path,
        metavar="PATH",
        help="a file to touch every second while all is well",
    )
    add(
        *("--health-port",),
        type=_whole(0, _MAX_PORT),
        metavar="PORT",
        help="answer GET /healthz with 200, or 503 while something is wrong",
    )
    add(
        *("--health-host",),
        default="127.0.0.1",
        metavar="HOST",
        help="where the health port listens; 0.0.0.0 for probes from outside (127.0.0.1)",
    )
    add(
        *("--health-seconds",),
        type=_whole(1, _MAX_HEALTH_SECONDS),
        default=120,
        metavar="N",
        help="how long without a successful poll is still well (120)",
    )
    add(
        *("--check-health",),
        action="store_true",
        help="look at file or port of a running poller instead: status 0 or 1",
    )


def _whole(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not (text.isascii() and text.isdecimal() and low <= int(text) <= high):
            raise argparse.ArgumentTypeError(f"has to be a whole number from {low} to {high}")
        return int(text)

    return parse
