#!/usr/bin/env python3
"""Measure how long the image takes from `docker run` to its first landmarks.

`python image/cold_start.py` starts containers as Lambda does (`lambda_like.py`), with the
embedded services. Absolute figures depend on the machine.
"""

import argparse
import re
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import boto3
import skimage

from build_image import DEFAULT_TAG
from docker_cli import DockerError, docker
from lambda_like import gateway, worker
from landmarks.local.stack import LocalStack, create_stack, embedded_services

# The emulator's log; the "Init Duration" in its REPORT line is meaningless.
_INITIALISATION = re.compile(r"INIT REPORT\(durationMs: ([\d.]+)\)")
_DURATION = re.compile(r"REPORT .*\tDuration: ([\d.]+) ms")
_PHOTO = "astronaut.png"
_WARM_INVOCATIONS = 5


@dataclass(frozen=True)
class Start:
    """One start, in seconds.

    Attributes:
        until_landmarks: from `docker run` to the first answer.
        initialisation: of that, before the first invocation, by the emulator's clock.
        warm: a later invocation, by the emulator's clock.
    """

    until_landmarks: float
    initialisation: float
    warm: float


def measure(image: str, stack: LocalStack) -> Start:
    """Start a container, and invoke it several times."""
    event = {"bucket": stack.bucket, "key": _PHOTO, "force": True}
    with gateway(image) as door:
        started = time.monotonic()
        with worker(image, environment=stack.environment, network=door.network) as container:
            try:
                answers = [door.emulator.first_answer(event)]
                until_landmarks = time.monotonic() - started
                answers += [door.emulator.invoke(event) for _ in range(_WARM_INVOCATIONS)]
            except TimeoutError as error:
                raise DockerError(f"{error}; the container's log:\n{container.logs()}") from error
            log = container.logs()
    if any(answer.get("statusCode") != HTTPStatus.OK for answer in answers):
        raise DockerError(f"the worker does not answer with landmarks; its log:\n{log}")
    return Start(
        until_landmarks=until_landmarks,
        initialisation=_seconds(_INITIALISATION, log)[0],
        warm=statistics.median(_seconds(_DURATION, log)[1:]),
    )


def _seconds(pattern: re.Pattern[str], log: str) -> list[float]:
    return [float(milliseconds) / 1000 for milliseconds in pattern.findall(log)]


def is_emulated(image: str) -> bool:
    """Whether the image is for another processor than the Docker engine's."""
    engine = docker("version", "--format={{.Server.Arch}}")
    return docker("image", "inspect", "--format={{.Architecture}}", image) != engine


def report(starts: Sequence[Start]) -> str:
    """Format the medians and the range."""
    totals = sorted(start.until_landmarks for start in starts)

    def median(name: str) -> float:
        return float(statistics.median(getattr(start, name) for start in starts))

    return (
        f"cold start   {median('until_landmarks'):.2f} s from `docker run` to the first landmarks"
        f" (median of {len(starts)}, {totals[0]:.2f} to {totals[-1]:.2f} s)\n"
        f"             {median('initialisation'):.2f} s of it the function's initialisation\n"
        f"warm         {median('warm') * 1000:.0f} ms a photograph, 512 pixels square\n"
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", 1)[0])
    parser.add_argument("image", nargs="?", default=DEFAULT_TAG, help="default: %(default)s")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args(argv)
    content = (Path(skimage.__file__).parent / "data" / _PHOTO).read_bytes()
    try:
        if is_emulated(options.image):
            sys.stdout.write("cold start   not measured: this machine emulates the processor\n")
            return 0
        with embedded_services():
            stack = create_stack()
            boto3.client("s3").put_object(Bucket=stack.bucket, Key=_PHOTO, Body=content)
            starts = [measure(options.image, stack) for _ in range(options.runs)]
    except DockerError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    sys.stdout.write(report(starts))
    return 0


if __name__ == "__main__":
    sys.exit(main())
