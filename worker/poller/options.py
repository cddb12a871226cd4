"""The poller's command line."""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

# SQS hides a message for at most 12 hours. An hour is left for a batch to wait for its turn.
_MAX_BATCH_SECONDS: Final = 11 * 3600


@dataclass(frozen=True)
class Options:
    """What the command line says.

    Attributes:
        wait_seconds: of one long poll.
        batches: how many batches of ten messages are handed over together; None is one a detector.
        batch_seconds: how long they may take; None is the queue's visibility timeout.
        drain_seconds: from the first SIGTERM to the end, at most.
        health_file: touched while the poller is healthy.
        health_host: the address that the health port listens on.
        health_port: answers GET /healthz; None opens none.
        health_seconds: how long the poller stays healthy without a successful poll.
        check_health: only ask a running poller.
        stop_with: id of the parent process; the poller stops when it ends.
    """

    wait_seconds: int = 10
    batches: int | None = None
    batch_seconds: int | None = None
    drain_seconds: int = 25
    health_file: Path | None = None
    health_host: str = "127.0.0.1"
    health_port: int | None = None
    health_seconds: int = 120
    check_health: bool = False
    stop_with: int | None = None


def parse_options(arguments: Sequence[str] | None) -> Options:
    """Read the command line; exits with usage and status 2 if it is wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m worker.poller",
        description="Run the worker on the queue in QUEUE_URL, until SIGTERM or SIGINT.",
    )

    def add(name: str, allowed: Callable[[str], object], metavar: str, words: str) -> None:
        default = getattr(Options, name.removeprefix("--").replace("-", "_"))
        shown = "" if default is None else " (default: %(default)s)"
        parser.add_argument(
            name, type=allowed, default=default, metavar=metavar, help=f"{words}{shown}"
        )

    add(
        "--wait-seconds",
        _whole(0, 20),
        "0..20",
        "how long to wait for messages, and thus how long stopping takes when idle",
    )
    add(
        "--batches",
        _whole(1, 10),
        "N",
        "batches of ten messages to work on together; as many more are received meanwhile "
        "(default: one per detector)",
    )
    add(
        "--batch-seconds",
        _whole(1, _MAX_BATCH_SECONDS),
        "N",
        "how long they may take; their visibility is extended meanwhile "
        "(default: the queue's visibility timeout)",
    )
    add(
        "--drain-seconds",
        _whole(0, 600),
        "N",
        "how long work in progress may take to finish after SIGTERM; unfinished messages go "
        "back to the queue",
    )
    add("--health-file", Path, "PATH", "file to touch every second while healthy")
    add(
        "--health-port",
        _whole(0, 65535),
        "PORT",
        "answer GET /healthz with 200, or 503 while something is wrong",
    )
    add(
        "--health-host",
        str,
        "ADDRESS",
        "address to listen on; 0.0.0.0 or :: also accepts probes from other machines",
    )
    add("--health-seconds", _whole(1, 3600), "N", "how long to stay healthy without a poll")
    add("--stop-with", int, "PID", "stop when the parent process PID ends, however it ends")
    parser.add_argument(
        "--check-health",
        action="store_true",
        help="ask a running poller at --health-file or --health-port: exit status 0 or 1",
    )
    options = Options(**vars(parser.parse_args(arguments)))
    if options.check_health and not (options.health_file or options.health_port):
        parser.error("--check-health needs --health-file or --health-port")
    return options


def _whole(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not (text.isascii() and text.isdecimal() and low <= int(text) <= high):
            raise argparse.ArgumentTypeError(f"has to be a whole number from {low} to {high}")
        return int(text)

    return parse
