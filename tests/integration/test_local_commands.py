"""`--local`: commands against the stack that `landmarks local` runs."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from landmarks.cli.main import landmarks
from tests.fakes import Cloud, closed_port, nobody
from tests.integration.test_local import cloud_of, running, sourced
from tests.items import store


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder in which `landmarks local --no-worker` is running."""
    folder = tmp_path_factory.mktemp("local")
    with running(folder / "build" / "local", "--port", "0", "--no-worker"):
        yield folder


@pytest.fixture
def stack(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """The local stack; the environment points to another one."""
    cloud = cloud_of(sourced(folder / "build" / "local"))
    monkeypatch.chdir(folder)
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)  # it remembers other tests' credentials
    for name in ("QUEUE_URL", "DEAD_LETTER_QUEUE_URL", "RESULTS_TABLE"):
        monkeypatch.setenv(name, "of-another-stack")
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:1")
    return cloud


def run(*arguments: str, lines: str = "") -> Result:
    """Run a command with --local."""
    return CliRunner().invoke(landmarks, [*arguments, "--local"], input=lines)


def succeed(*arguments: str) -> str:
    """Return the output of a command that succeeds."""
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result.output


def test_enqueue_status_and_the_rest_find_the_stack(stack: Cloud, tmp_path: Path) -> None:
    """Uploads, enqueued results and status use the local stack."""
    (tmp_path / "a.png").write_bytes(nobody())
    store(stack, "b.jpg", "failed", code="NOT_AN_IMAGE", options_hash="f" * 16)

    assert "1 sent" in succeed("enqueue", str(tmp_path), "--upload", f"s3://{stack.stack.bucket}/x")
    assert "1 sent" in succeed("retry")
    address = f"s3://{stack.stack.bucket}"
    assert "1 sent" in succeed("retry", address, "--options-changed", "--options-hash", "0")
    seen = json.loads(succeed("status", "--json"))

    assert seen["queue"]["depth"] == 3
    assert seen["recent"]["error_codes"] == {"NOT_AN_IMAGE": 1}
    listed = stack.clients["s3"].list_objects_v2(Bucket=stack.stack.bucket, Prefix="x/")
    assert [item["Key"] for item in listed["Contents"]] == ["x/a.png"]


def test_dead_letters_are_the_stacks(stack: Cloud) -> None:
    """A dead letter is listed and redriven."""
    url = stack.stack.dead_letter_queue_url
    letter = stack.clients["sqs"].send_message(QueueUrl=url, MessageBody="?")["MessageId"]

    assert letter in succeed("dead-letters", "list")
    assert succeed("dead-letters", "redrive", letter) == "1 sent back to the queue\n"


def test_exports_are_for_a_shell(stack: Cloud, folder: Path) -> None:
    """`env` prints what other tools need, and nothing of another stack's."""
    printed = succeed("env")

    expected = sourced(folder / "build" / "local")
    assert "AWS_ENDPOINT_URL" in expected
    exports = dict(line.removeprefix("export ").split("=", 1) for line in printed.splitlines())
    assert exports.items() <= expected.items()
    assert exports["QUEUE_URL"] == stack.stack.queue_url


def test_missing_bucket_is_looked_for_in_the_local_stack(stack: Cloud) -> None:
    """The error names the bucket that there is, and not AWS's command."""
    result = run("enqueue", "s3://nobucket")

    address = stack.clients["s3"].meta.endpoint_url
    assert result.exit_code == 1
    assert result.stderr == (
        f"Error: nobucket: no such bucket at {address}: "
        f"check its name (IMAGE_BUCKET is {stack.stack.bucket})\n"
    )


@pytest.mark.usefixtures("stack")
def test_suggested_command_is_for_the_local_stack() -> None:
    """It names the bucket and repeats --local."""
    result = run("get", "new/a.jpg")

    assert result.exit_code == 1
    assert result.stderr.endswith(
        "enqueue it: landmarks enqueue s3://landmarks-images/new/a.jpg --local\n"
    )


def test_a_variable_with_the_name_of_a_stack_is_no_contradiction(
    stack: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """--local replaces it, like the other variables."""
    monkeypatch.setenv("LANDMARKS_STACK", "production")

    assert stack.stack.queue_url in succeed("env")
    assert json.loads(succeed("status", "--json"))["queue"]


def test_the_environment_is_what_it_was(stack: Cloud) -> None:
    """After the command, the environment no longer points to the local stack."""
    del stack
    before = dict(os.environ)

    succeed("status")

    assert dict(os.environ) == before


@pytest.mark.parametrize("left_behind", [False, True])
def test_no_stack_is_an_error_that_says_how_to_start_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, left_behind: bool
) -> None:
    """The file may be missing, or belong to a stack that was killed."""
    monkeypatch.chdir(tmp_path)
    with closed_port() as nowhere:
        if left_behind:
            (tmp_path / "build" / "local").mkdir(parents=True)
            file = tmp_path / "build" / "local" / "environment"
            file.write_text(f"export AWS_ENDPOINT_URL={nowhere}\n", "utf-8")
        result = run("status")

    assert result.exit_code == 1
    assert result.stderr.startswith("Error: no local stack is running")
    assert result.stderr.endswith("start one with: landmarks local\n")
    assert len(result.stderr.splitlines()) == 1
