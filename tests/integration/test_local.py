"""`landmarks local`: a stack in the foreground that another shell works with."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest

from landmarks.local.session import environment_files, locked_folder
from landmarks.local.stack import LocalStack, embedded_services
from tests.fakes import Cloud, nobody
from tests.integration.test_poller import ROOT, children, is_running, wait_until

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
    return process.communicate(timeout=60)


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


def test_messages_from_another_shell_are_processed(tmp_path: Path) -> None:
    """The sample events find their photos; Ctrl-C ends everything."""
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
        (worker,) = children(process.pid)
        output, words = stop(process)

    assert statuses == {"photos/astronaut.jpg": "detected", "photos/café 1+1.jpg": "detected"}
    assert process.returncode == 130
    assert "Traceback" not in words
    assert output == ""
    address = variables["AWS_ENDPOINT_URL"]
    assert f"2 photos in s3://landmarks-images at {address}; Ctrl-C stops everything\n" in words
    assert not (tmp_path / "environment").exists()
    assert not is_running(worker)
    assert '"stopped"' in (tmp_path / "worker.log").read_text()


def test_killed_stack_takes_its_worker_along(tmp_path: Path) -> None:
    """However the command ends, no worker goes on polling."""
    with running(tmp_path, "--port", "0") as process:
        wait_until(lambda: bool(children(process.pid)))
        (worker,) = children(process.pid)
        wait_until(lambda: '"polling"' in (tmp_path / "worker.log").read_text())
        process.kill()
        process.wait()
        wait_until(lambda: not is_running(worker))


def test_worker_that_ends_ends_the_command(tmp_path: Path) -> None:
    """The error shows the end of the worker's log."""
    with running(tmp_path, "--port", "0") as process:
        wait_until(lambda: bool(children(process.pid)))
        os.kill(children(process.pid)[0], signal.SIGKILL)
        _, words = process.communicate(timeout=60)

    assert process.returncode == 1
    assert "Error: the worker ended with status -9" in words


def test_services_alone_have_the_names_that_sam_knows(tmp_path: Path) -> None:
    """infra-sam/env.json has the same names; on any address there is a warning."""
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "a b.png").write_bytes(nobody())
    output = tmp_path / "output"
    arguments = ("--port", "0", "--no-worker", "--images", str(folder), "--host", "0.0.0.0")  # noqa: S104, what is tested
    with running(output, *arguments) as process:
        variables = sourced(output)
        cloud = cloud_of(variables)
        listed = cloud.clients["s3"].list_objects_v2(Bucket=cloud.stack.bucket)["Contents"]
        _, words = stop(process)

    assert [item["Key"] for item in listed] == ["a b.png"]
    assert "1 photo in" in words
    assert not (output / "worker.log").exists()
    for name in ("RESULTS_TABLE", "IMAGE_BUCKET"):
        assert variables[name] == ENVIRONMENT[name]
    for name in ("QUEUE_URL", "DEAD_LETTER_QUEUE_URL"):
        assert urlsplit(variables[name]).path == urlsplit(ENVIRONMENT[name]).path
    assert variables["AWS_ENDPOINT_URL"].startswith("http://127.0.0.1:")
    assert "Warning: everyone who can reach this machine" in words


def test_containers_have_a_file_of_their_own(tmp_path: Path) -> None:
    """`docker run --env-file` takes lines as they stand; this machine is called otherwise there."""
    with running(tmp_path, "--port", "0", "--no-worker") as process:
        file = tmp_path / "container.env"
        lines = file.read_text("utf-8").splitlines()
        variables = sourced(tmp_path)
        stop(process)

    given = dict(line.split("=", 1) for line in lines)
    assert given.keys() == variables.keys() - {"PWD", "_", "SHLVL", "PATH", "LC_CTYPE"}
    for name, value in given.items():
        assert value == variables[name].replace("//127.0.0.1:", "//host.docker.internal:")
    assert not file.exists()


def test_port_in_use_is_an_error(tmp_path: Path) -> None:
    """One line names it; nothing is left behind."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        with running(tmp_path, "--port", port, "--no-worker") as process:
            _, words = process.communicate(timeout=60)

    assert process.returncode == 1
    assert words == (
        f"Error: 127.0.0.1:{port}: Address already in use: "
        "choose another --port (0 takes a free one)\n"
    )
    assert not (tmp_path / "environment").exists()


def test_address_of_another_machine_is_an_error(tmp_path: Path) -> None:
    """One line names the option."""
    with running(tmp_path, "--host", "192.0.2.1", "--no-worker") as process:
        _, words = process.communicate(timeout=60)

    assert process.returncode == 1
    assert words.startswith("Error: 192.0.2.1:5000: ")
    assert words.endswith(": choose another --host\n")


def test_second_stack_in_a_folder_is_refused(tmp_path: Path) -> None:
    """One line says which process has the folder; its stack can still be used."""
    with running(tmp_path, "--port", "0", "--no-worker") as first:
        variables = sourced(tmp_path)
        with running(tmp_path, "--port", "0", "--no-worker") as second:
            _, words = second.communicate(timeout=60)
        after = sourced(tmp_path)

    assert second.returncode == 1
    assert words == (
        f"Error: a local stack is already running in {tmp_path} at {variables['AWS_ENDPOINT_URL']} "
        f"(process {first.pid}): stop it, or start this one in another folder\n"
    )
    assert after == variables


def test_folder_of_a_killed_stack_is_taken_over(tmp_path: Path) -> None:
    """What it left behind is replaced."""
    with running(tmp_path, "--port", "0", "--no-worker") as first:
        before = sourced(tmp_path)
        first.kill()
    assert (tmp_path / "environment").exists()
    with locked_folder(tmp_path):
        assert not (tmp_path / "environment").exists()
    with running(tmp_path, "--port", "0", "--no-worker") as second:
        after = sourced(tmp_path)
        stop(second)

    assert after["AWS_ENDPOINT_URL"] != before["AWS_ENDPOINT_URL"]
    assert not (tmp_path / "environment").exists()


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
    """Whatever the file says, a shell gets the same."""
    with environment_files(tmp_path, {"VALUE": value}):
        assert sourced(tmp_path)["VALUE"] == value
