"""`landmarks local`: a stack in the foreground that another shell works with."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest

from landmarks.local.session import LocalFiles, export_lines
from landmarks.local.stack import LocalStack, embedded_services
from tests.fakes import Cloud, nobody
from tests.integration.test_poller import ROOT, children, wait_until

EVENTS = ROOT / "infra-sam" / "events"
ENVIRONMENT = json.loads((ROOT / "infra-sam" / "env.json").read_text("utf-8"))["Worker"]


@contextmanager
def running(output: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """The command, from when its stack can be used; killed at the latest when the block ends."""
    with subprocess.Popen(
        [sys.executable, "-m", "landmarks", "local", "--output", str(output), *arguments],
        env={**os.environ, "MODEL_COMPLEXITY": "1", "DETECTORS": "1"},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            wait_until(lambda: (output / "environment").exists() or process.poll() is not None)
            yield process
        finally:
            process.kill()


def stop(process: subprocess.Popen[str]) -> tuple[str, str]:
    """Do what Ctrl-C does; returns what the command wrote."""
    process.send_signal(signal.SIGINT)
    return process.communicate(timeout=20)


def sourced(output: Path) -> dict[str, str]:
    """The variables that a shell has after sourcing the file."""
    script = '. "$1"; exec "$2" -c "import json, os; print(json.dumps(dict(os.environ)))"'
    file = str(output / "environment")
    command = ["sh", "-c", script, "sh", file, sys.executable]
    variables: dict[str, str] = json.loads(subprocess.check_output(command, env={"PATH": "/bin"}))
    return variables


def cloud_of(variables: dict[str, str]) -> Cloud:
    """The stack, as a client in that shell sees it."""
    session = boto3.Session(
        aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
        region_name=variables["AWS_REGION"],
    )
    endpoint = variables["AWS_ENDPOINT_URL"]
    clients: dict[str, Any] = {
        "s3": session.client("s3", endpoint_url=endpoint),
        "sqs": session.client("sqs", endpoint_url=endpoint),
        "dynamodb": session.client("dynamodb", endpoint_url=endpoint),
    }
    stack = LocalStack(
        bucket=variables["IMAGE_BUCKET"],
        queue_url=variables["QUEUE_URL"],
        dead_letter_queue_url=variables["DEAD_LETTER_QUEUE_URL"],
        table=variables["RESULTS_TABLE"],
    )
    return Cloud(stack, clients)


def test_what_is_sent_from_another_shell_is_done(tmp_path: Path) -> None:
    """The sample events' messages find their photos, the worker works, Ctrl-C ends everything."""
    bodies = [
        record["body"]
        for name in ("direct", "s3-notification")
        for record in json.loads((EVENTS / f"{name}.json").read_text("utf-8"))["Records"]
    ]
    with running(tmp_path, "--port", "0") as process:
        variables = sourced(tmp_path)
        cloud = cloud_of(variables)
        cloud.send(*bodies)
        wait_until(lambda: cloud.queued() == 0)
        statuses = cloud.statuses()
        output, words = stop(process)

    assert statuses == {"photos/astronaut.jpg": "detected", "photos/café 1+1.jpg": "detected"}
    assert process.returncode == 130
    assert "Traceback" not in words
    assert set(output.splitlines()) <= {f"export {k}={v}" for k, v in variables.items()}
    assert "2 photos in s3://landmarks-images" in words
    assert not (tmp_path / "environment").exists()
    assert '"stopped"' in (tmp_path / "worker.log").read_text()


def test_killed_stack_takes_its_worker_along(tmp_path: Path) -> None:
    """However the command ends, no worker is left that polls what is no more."""
    with running(tmp_path, "--port", "0") as process:
        wait_until(lambda: bool(children(process.pid)))
        (poller,) = children(process.pid)
        wait_until(lambda: '"polling"' in (tmp_path / "worker.log").read_text())
        process.kill()
        process.wait()
        wait_until(lambda: not Path(f"/proc/{poller}").exists())


def test_names_are_the_ones_that_sam_is_told(tmp_path: Path) -> None:
    """infra-sam/env.json names this stack, but for the address; without a worker nothing works."""
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "a b.png").write_bytes(nobody())
    output = tmp_path / "output"
    with running(output, "--port", "0", "--no-worker", "--images", str(folder)) as process:
        variables = sourced(output)
        cloud = cloud_of(variables)
        keys = [
            item["Key"]
            for item in cloud.clients["s3"].list_objects_v2(Bucket=cloud.stack.bucket)["Contents"]
        ]
        _, words = stop(process)

    assert keys == ["a b.png"]
    assert "1 photo in" in words
    assert not (output / "worker.log").exists()
    for name in ("RESULTS_TABLE", "IMAGE_BUCKET"):
        assert variables[name] == ENVIRONMENT[name]
    for name in ("QUEUE_URL", "DEAD_LETTER_QUEUE_URL"):
        assert urlsplit(variables[name]).path == urlsplit(ENVIRONMENT[name]).path


def test_port_of_somebody_else_is_an_error(tmp_path: Path) -> None:
    """One line says which; nothing is left behind."""
    with embedded_services():
        port = os.environ["AWS_ENDPOINT_URL"].rpartition(":")[2]
        with running(tmp_path, "--port", port, "--no-worker") as process:
            _, words = process.communicate(timeout=20)

    assert process.returncode == 1
    assert words == f"Error: 127.0.0.1:{port}: Address already in use\n"
    assert not (tmp_path / "environment").exists()


def test_open_door_is_warned_of(tmp_path: Path) -> None:
    """Who lets containers in is told who else comes in; clients here use the loopback interface."""
    arguments = ("--port", "0", "--host", "0.0.0.0", "--no-worker")  # noqa: S104, what is tested
    with running(tmp_path, *arguments) as process:
        variables = sourced(tmp_path)
        _, words = stop(process)

    assert variables["AWS_ENDPOINT_URL"].startswith("http://127.0.0.1:")
    assert "Warning: whoever reaches this machine" in words


def test_worker_that_ends_ends_the_command(tmp_path: Path) -> None:
    """Nobody waits at a stack that does no work; the error shows the worker's last words."""
    with running(tmp_path, "--port", "0") as process:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        wait_until(lambda: bool(children.read_text()))
        os.kill(int(children.read_text().split()[0]), signal.SIGKILL)
        _, words = process.communicate(timeout=20)

    assert process.returncode == 1
    assert "Error: the worker ended with status -9" in words


def test_embedded_services_start_empty() -> None:
    """A second use in the same process finds nothing of the first."""
    with embedded_services():
        boto3.client("s3").create_bucket(Bucket="left-behind")
        boto3.client("sqs").create_queue(QueueName="left-behind")
    with embedded_services():
        buckets = boto3.client("s3").list_buckets()["Buckets"]
        queues = boto3.client("sqs").list_queues().get("QueueUrls", [])

    assert (buckets, queues) == ([], [])


@pytest.mark.parametrize("value", ["a b", "it's", "$HOME", "é"])
def test_any_value_survives_the_shell(value: str, tmp_path: Path) -> None:
    """What is sourced is what was meant."""
    LocalFiles(tmp_path).environment.write_text(export_lines({"VALUE": value}), encoding="utf-8")

    assert sourced(tmp_path)["VALUE"] == value
