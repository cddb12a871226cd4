"""`landmarks enqueue --resume`: interrupted or killed runs resume without sending twice.

The command runs as a process. The services are the benchmark's, which count how often each key
arrives.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.enqueue_million import arrivals, services, start_command
from tests.fakes import Cloud
from tests.integration.enqueueing import keys, run
from tests.signals import hang_ups

KEYS = 6_000
IN_FLIGHT = 160  # 8 threads, 2 batches each, 10 messages per batch


@pytest.fixture
def endpoint() -> Iterator[str]:
    """A bucket with thousands of objects, and a queue that counts."""
    with services(KEYS) as address:
        yield address


def sent(state: Path) -> int:
    """Return how many messages are sent according to a state file; 0 without a file."""
    return json.loads(state.read_text("utf-8"))["totals"]["sent"] if state.exists() else 0


def stop(process: subprocess.Popen[str], state: Path, number: signal.Signals) -> tuple[int, str]:
    """Send a signal in the middle of the run; return the exit status and standard error."""
    deadline = time.monotonic() + 120
    while sent(state) < 300:
        assert time.monotonic() < deadline, "the run does not begin"
        time.sleep(0.01)
    process.send_signal(number)
    _, errors = process.communicate(timeout=120)
    return process.returncode, errors


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_an_interrupted_run_goes_on_without_sending_twice(
    endpoint: str, tmp_path: Path, number: signal.Signals, status: int
) -> None:
    """After Ctrl-C, SIGTERM or a closed terminal, every key arrives exactly once."""
    state = tmp_path / "state.json"

    with hang_ups(signal.SIG_DFL):
        process = start_command(endpoint, tmp_path, "--resume", "state.json")
    ended, errors = stop(process, state, number)
    assert ended == status
    assert "To continue, run the command again with --resume state.json" in errors
    assert 300 <= sent(state) == KEYS - arrivals(endpoint)["never"] < KEYS

    again = start_command(endpoint, tmp_path, "--resume", "state.json")
    _, errors = again.communicate(timeout=60)
    assert again.returncode == 0
    assert f"{KEYS:,} including earlier runs" in errors
    assert arrivals(endpoint) == {"once": KEYS, "never": 0}


def test_under_nohup_a_closed_terminal_ends_nothing(endpoint: str, tmp_path: Path) -> None:
    """Under nohup, the run finishes after the terminal closes."""
    with hang_ups(signal.SIG_IGN):
        process = start_command(endpoint, tmp_path, "--resume", "state.json")

    ended, _ = stop(process, tmp_path / "state.json", signal.SIGHUP)

    assert ended == 0
    assert arrivals(endpoint) == {"once": KEYS, "never": 0}


def test_a_killed_run_loses_nothing_and_repeats_what_was_in_flight(
    endpoint: str, tmp_path: Path
) -> None:
    """After SIGKILL, no key is missing, and only those in flight are repeated."""
    process = start_command(endpoint, tmp_path, "--resume", "state.json")
    ended, _ = stop(process, tmp_path / "state.json", signal.SIGKILL)
    assert ended == -signal.SIGKILL

    again = start_command(endpoint, tmp_path, "--resume", "state.json")
    again.communicate(timeout=60)

    assert again.returncode == 0
    arrived = arrivals(endpoint)
    assert arrived["never"] == 0
    assert KEYS - arrived["once"] <= IN_FLIGHT


def test_a_run_without_a_state_file_leaves_one_when_it_is_interrupted(
    endpoint: str, tmp_path: Path
) -> None:
    """The message says how to continue, and that works."""
    process = start_command(endpoint, tmp_path)
    deadline = time.monotonic() + 120
    while arrivals(endpoint)["once"] < 300:
        assert time.monotonic() < deadline, "the run does not begin"
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=120)
    (state,) = tmp_path.glob("landmarks-enqueue-*.json")

    again = start_command(endpoint, tmp_path, "--resume", state.name)
    again.communicate(timeout=60)

    assert (process.returncode, again.returncode) == (130, 0)
    assert arrivals(endpoint) == {"once": KEYS, "never": 0}


def test_waiting_for_standard_input_can_be_interrupted(cloud: Cloud, tmp_path: Path) -> None:
    """Ctrl-C works while the command waits for standard input."""
    options = ["enqueue", "-", "--queue-url", cloud.stack.queue_url]
    command = [sys.executable, "-m", "landmarks", *options]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, cwd=tmp_path, env=environment, text=True
    ) as process:
        assert process.stdin
        process.stdin.write("a.jpg\n" * 10)
        process.stdin.flush()
        while cloud.queued() < 10:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=120) == 130


def test_a_finished_run_sends_nothing_again(cloud: Cloud, tmp_path: Path) -> None:
    """Its state file says that it is finished."""
    cloud.put("a.jpg", b"")
    arguments = (f"s3://{cloud.stack.bucket}", "--resume", str(tmp_path / "state.json"))
    assert run(cloud, *arguments).exit_code == 0

    result = run(cloud, *arguments)

    assert result.exit_code == 0
    assert "this run is already finished" in result.stderr
    assert keys(cloud) == ["a.jpg"]


def test_a_state_file_of_other_arguments_is_refused(cloud: Cloud, tmp_path: Path) -> None:
    """The error lists the different arguments, and nothing is sent."""
    state = tmp_path / "state.json"
    cloud.put("a.jpg", b"")
    url = f"s3://{cloud.stack.bucket}"
    run(cloud, url, "--resume", str(state))

    result = run(cloud, url, "--resume", str(state), "--force", "--job-id", "x")

    assert result.exit_code == 2
    assert "other arguments (force, job_id)" in result.stderr
    assert keys(cloud) == ["a.jpg"]


@pytest.mark.parametrize("content", ["", "[]", '{"format": 1}'])
def test_a_file_that_is_no_state_is_refused(cloud: Cloud, tmp_path: Path, content: str) -> None:
    """Another file is rejected and not changed."""
    file = tmp_path / "precious.json"
    file.write_text(content, "utf-8")

    result = run(cloud, "-", "--resume", str(file), lines="a.jpg\n")

    assert result.exit_code == 2
    assert "not a valid state file" in result.stderr
    assert file.read_text("utf-8") == content
    assert cloud.queued() == 0
