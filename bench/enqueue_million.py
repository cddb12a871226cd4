"""`python -m bench.enqueue_million`: keys a second and peak memory of `landmarks enqueue`.

Runs the command in a process of its own, with `bench.enqueue_services` in another as a stand-in for
S3 and SQS. The two share this machine's processors.
"""

import argparse
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.enqueue_services import BUCKET

_ROOT = Path(__file__).parents[1]
_COUNTS = (10_000, 100_000, 1_000_000)


@dataclass(frozen=True, slots=True)
class Measurement:
    """One run of the command.

    Attributes:
        keys: number of keys listed.
        once: number of keys that arrived exactly once.
        status: the command's exit status.
        wall_seconds: wall time.
        cpu_seconds: CPU time, user and system.
        peak_mebibytes: the largest resident set.
    """

    keys: int
    once: int
    status: int
    wall_seconds: float
    cpu_seconds: float
    peak_mebibytes: float


@contextmanager
def services(keys: int) -> Iterator[str]:
    """Run the stand-in with this many objects; yields its address."""
    command = [sys.executable, "-m", "bench.enqueue_services", str(keys)]
    with subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout  # noqa: S101, for mypy
            yield f"http://127.0.0.1:{server.stdout.readline().strip()}"
        finally:
            server.terminate()


def start_command(endpoint: str, folder: Path, *options: str) -> subprocess.Popen[str]:
    """Start the command in a folder."""
    queue = f"{endpoint}/000000000000/jobs"
    command = [sys.executable, "-m", "landmarks", "enqueue", f"s3://{BUCKET}", "--queue-url", queue]
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(_ROOT),
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
    return subprocess.Popen(
        [*command, *options], cwd=folder, env=environment, stderr=subprocess.PIPE, text=True
    )


def arrivals(endpoint: str) -> dict[str, int]:
    """The number of keys that arrived `once` and `never`."""
    with urllib.request.urlopen(f"{endpoint}/seen") as answer:  # noqa: S310, our own services
        counts: dict[str, int] = json.load(answer)
        return counts


def measure(keys: int, *, resumable: bool = True) -> Measurement:
    """Enqueue a number of keys.

    Args:
        keys: number of objects in the bucket.
        resumable: whether to write a state file after each batch.
    """
    with services(keys) as endpoint, TemporaryDirectory() as folder:
        began_at = time.monotonic()
        options = ("--resume", "state.json") if resumable else ()
        with start_command(endpoint, Path(folder), *options) as process:
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        wall_seconds = time.monotonic() - began_at
        once = arrivals(endpoint)["once"]
    return Measurement(
        keys=keys,
        once=once,
        status=process.returncode,
        wall_seconds=wall_seconds,
        cpu_seconds=usage.ru_utime + usage.ru_stime,
        peak_mebibytes=usage.ru_maxrss / 1024,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; returns 1 if a key was lost or sent twice."""
    parser = argparse.ArgumentParser(prog="python -m bench.enqueue_million", description=__doc__)
    parser.add_argument("keys", type=int, nargs="*", default=_COUNTS, help="10000 100000 1000000")
    parser.add_argument("--without-state", action="store_true", help="no --resume")
    options = parser.parse_args(arguments)
    good = True
    for keys in options.keys:
        found = measure(keys, resumable=not options.without_state)
        good = good and found.once == found.keys and found.status == 0
        sys.stdout.write(
            f"{found.keys:>9,} keys: {found.keys / found.wall_seconds:,.0f} keys/s, "
            f"{found.wall_seconds:.1f} s, {found.cpu_seconds:.1f} s CPU, "
            f"peak {found.peak_mebibytes:.1f} MiB; {found.once:,} arrived exactly once, "
            f"exit status {found.status}\n"
        )
        sys.stdout.flush()
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
