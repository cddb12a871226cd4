"""`--stack`: commands that take their names from the outputs of a CloudFormation stack."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import boto3
import pytest
from botocore.client import BaseClient
from click.testing import CliRunner, Result

from landmarks.cli.main import landmarks
from landmarks.cli.status import status
from tests.fakes import Cloud
from tests.infra.cloudformation import render
from tests.integration.docs.pages import ROOT
from tests.items import store
from tests.unit.test_advice import refused

VARIABLES: Final = ("QUEUE_URL", "DEAD_LETTER_QUEUE_URL", "RESULTS_TABLE", "IMAGE_BUCKET")


def name_of(cloud: Cloud) -> str:
    """The name under which `deploy` creates a stack."""
    return f"{cloud.stack.table}-stack"


def deploy(cloud: Cloud, *, region: str | None = None, without: str = "") -> str:
    """Create a CloudFormation stack with the template's outputs; returns its name."""
    name = name_of(cloud)
    values = {
        **dict.fromkeys(render().outputs, "unused"),
        "QueueUrl": cloud.stack.queue_url,
        "DeadLetterQueueUrl": cloud.stack.dead_letter_queue_url,
        "ResultsTable": cloud.stack.table,
        "ImageBucket": cloud.stack.bucket,
    }
    template = {
        "Resources": {"Unused": {"Type": "AWS::SQS::Queue"}},  # at least one is required
        "Outputs": {key: {"Value": text} for key, text in values.items() if key != without},
    }
    client = boto3.client("cloudformation", region_name=region)
    client.create_stack(StackName=name, TemplateBody=json.dumps(template))
    return name


@pytest.fixture
def unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that names no stack, and none of its parts."""
    for name in (*VARIABLES, "LANDMARKS_STACK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)  # it remembers other tests' credentials


@pytest.fixture
def stack(cloud: Cloud, unknown: None) -> str:
    """The name of a deployed stack."""
    del unknown
    return deploy(cloud)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The access key of each DescribeStacks request."""
    keys: list[str] = []
    of_all_clients: Any = BaseClient  # the type stubs lack this method
    call = of_all_clients._make_api_call

    def record(client: Any, operation: str, parameters: Any) -> object:  # noqa: ANN401, made at run time
        if operation == "DescribeStacks":
            keys.append(client._get_credentials().access_key)
        return call(client, operation, parameters)

    monkeypatch.setattr(BaseClient, "_make_api_call", record)
    return keys


def run(*arguments: str, lines: str = "", **variables: str) -> Result:
    """Run a command; keywords are environment variables."""
    boto3.DEFAULT_SESSION = None  # it remembers credentials
    return CliRunner().invoke(landmarks, arguments, input=lines, env=variables)


def succeed(*arguments: str, lines: str = "", **variables: str) -> Result:
    """Run a command that succeeds."""
    result = run(*arguments, lines=lines, **variables)
    assert result.exit_code == 0, result.output
    return result


def test_queues_and_table_are_the_stacks(cloud: Cloud, stack: str, asked: list[str]) -> None:
    """Each command asks CloudFormation once."""
    store(cloud, "a.jpg", "failed", code="NOT_AN_IMAGE")

    succeed("enqueue", "-", "--stack", stack, lines="b.jpg\n")
    succeed("dead-letters", "list", "--stack", stack)
    seen = json.loads(succeed("status", "--json", "--stack", stack).stdout)

    assert cloud.queued() == 1
    assert seen["queue"]["depth"] == 1
    assert seen["recent"]["error_codes"] == {"NOT_AN_IMAGE": 1}
    assert len(asked) == 3


def test_a_variable_names_the_stack(cloud: Cloud, stack: str) -> None:
    """LANDMARKS_STACK is enough."""
    store(cloud, "a.jpg", "failed", code="NOT_AN_IMAGE")

    assert "NOT_AN_IMAGE" in succeed("get", "a.jpg", LANDMARKS_STACK=stack).stdout


@pytest.mark.usefixtures("unknown")
def test_what_is_said_explicitly_is_used_instead_of_the_stacks(
    cloud: Cloud, asked: list[str]
) -> None:
    """By option or variable; where nothing is missing, CloudFormation is not asked."""
    store(cloud, "a.jpg", "failed", code="NOT_AN_IMAGE")
    table = cloud.stack.table

    by_option = succeed("get", "a.jpg", "--table", table, "--stack", "no-such-stack")
    by_variable = succeed("get", "a.jpg", RESULTS_TABLE=table, LANDMARKS_STACK="no-such-stack")

    assert (by_option.stderr, by_variable.stderr) == ("", "")
    assert asked == []


def test_suggested_command_has_the_same_options(cloud: Cloud, stack: str) -> None:
    """Or else it would be for another stack."""
    options = f"--stack {stack} --region us-east-1"
    result = run("get", "a.jpg", *options.split(), IMAGE_BUCKET="another-stacks-bucket")

    assert result.stderr.endswith(
        f"enqueue it: landmarks enqueue s3://{cloud.stack.bucket}/a.jpg {options}\n"
    )

    letters = cloud.stack.dead_letter_queue_url
    cloud.clients["sqs"].send_message(QueueUrl=letters, MessageBody="{}")
    shown = succeed("status", *options.split()).stdout
    assert f"see: landmarks dead-letters list {options}\n" in shown


def test_the_option_wins_over_variables_of_another_stack(cloud: Cloud, stack: str) -> None:
    """They may have been exported long ago."""
    store(cloud, "a.jpg", "failed", code="NOT_AN_IMAGE")

    result = succeed("get", "a.jpg", "--stack", stack, RESULTS_TABLE="another-stacks-table")

    assert "NOT_AN_IMAGE" in result.stdout


@pytest.mark.usefixtures("services", "unknown")
def test_no_such_stack() -> None:
    """The error names stack and region."""
    result = run("status", "--stack", "photo-landmark")

    assert result.exit_code == 1
    assert result.stderr == (
        "Error: no stack photo-landmark in us-east-1: check its name, --region and --profile\n"
    )


@pytest.mark.usefixtures("unknown")
def test_a_stack_of_another_kind(cloud: Cloud) -> None:
    """The error says what is missing."""
    name = deploy(cloud, without="ResultsTable")
    result = run("status", "--stack", name)

    assert result.exit_code == 1
    assert result.stderr == (
        f"Error: stack {name} (CREATE_COMPLETE) is not a finished landmark-worker stack: "
        "it has no output ResultsTable\n"
    )


def test_a_denied_caller_is_told_the_permission(
    stack: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And which policy contains it."""

    def denied(_client: object, operation: str, _parameters: object) -> object:
        raise refused("AccessDenied", operation)

    monkeypatch.setattr(BaseClient, "_make_api_call", denied)
    result = run("status", "--stack", stack)

    assert result.exit_code == 1
    assert f"don't allow cloudformation:DescribeStacks on stack {stack}" in result.stderr
    assert "OperatorPolicy" in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("option", ["--stack", "--profile", "--region"])
@pytest.mark.parametrize("first", [True, False], ids=["first", "last"])
def test_local_and_aws_exclude_each_other(option: str, *, first: bool) -> None:
    """In any order, whether or not a local stack is running."""
    given = ["--local", option, "x"] if first else [option, "x", "--local"]
    result = run("status", *given)

    assert result.exit_code == 2
    assert f"--local and {option} can't be combined" in result.stderr


@pytest.mark.usefixtures("unknown")
def test_region_is_where_the_stack_is_looked_for(cloud: Cloud) -> None:
    """And it is exported, because the stack's table is there."""
    name = deploy(cloud, region="eu-west-1")

    assert run("env", "--stack", name).exit_code == 1
    printed = succeed("env", "--stack", name, "--region", "eu-west-1").stdout

    assert "export AWS_DEFAULT_REGION=eu-west-1\n" in printed
    assert f"export RESULTS_TABLE={cloud.stack.table}\n" in printed


def test_profile_is_preferred_to_keys_in_the_environment(
    stack: str, asked: list[str], tmp_path: Path
) -> None:
    """As in AWS's own command; botocore prefers the keys to AWS_PROFILE."""
    file = tmp_path / "credentials"
    file.write_text("[p]\naws_access_key_id = of-p\naws_secret_access_key = of-p\n", "utf-8")
    variables = {"AWS_SHARED_CREDENTIALS_FILE": str(file), "AWS_DEFAULT_PROFILE": "another"}

    printed = succeed("env", "--stack", stack, "--profile", "p", **variables).stdout

    assert asked == ["of-p"]
    assert "export AWS_PROFILE=p\n" in printed


def test_no_such_profile(stack: str) -> None:
    """One line names it."""
    result = run("status", "--stack", stack, "--profile", "nobody")

    assert result.exit_code == 1
    assert result.stderr == "Error: The config profile (nobody) could not be found\n"


def test_exports_are_for_a_shell(cloud: Cloud, stack: str, tmp_path: Path) -> None:
    """After `eval`, other commands need no options."""
    script = tmp_path / "landmarks"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m landmarks "$@"\n', "utf-8")
    script.chmod(0o700)
    line = f'eval "$(landmarks env --stack {stack})" && landmarks status --json && env'
    said = subprocess.check_output(
        ["sh", "-c", line],
        cwd=ROOT,
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        text=True,
    )

    shown, *variables = said.splitlines()
    assert json.loads(shown)["queue"]["depth"] == 0
    assert set(variables) >= {
        f"{name}={value}" for name, value in cloud.stack.environment.items() if name in VARIABLES
    }


@pytest.mark.usefixtures("unknown")
def test_env_needs_a_stack() -> None:
    """Without one, it says how to name it."""
    result = run("env")

    assert result.exit_code == 2
    assert "specify --stack NAME or --local" in result.stderr


def test_completion_asks_nobody(stack: str, asked: list[str]) -> None:
    """A press of Tab after --stack calls no service."""
    status.make_context("status", ["--stack", stack], resilient_parsing=True)

    assert asked == []


@pytest.mark.usefixtures("unknown")
def test_missing_names_are_reported_with_what_gives_them() -> None:
    """The error mentions --stack."""
    result = run("get", "a.jpg")

    assert result.exit_code == 2
    assert (
        "--table is missing: specify it, set RESULTS_TABLE, or use --stack or --local"
        in result.stderr
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("enqueue", "s3://nobucket"), "nobucket: no such bucket at http"),
        (("get", "a.jpg", "--table", "nothing"), "no such table at http"),
        (("dead-letters", "list", "--dead-letter-queue-url"), "no such queue at http"),
    ],
    ids=["bucket", "table", "queue"],
)
def test_advice_fits_the_endpoint(
    cloud: Cloud, arguments: tuple[str, ...], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where services run at an endpoint of one's own, AWS has no answer."""
    endpoint = os.environ["AWS_ENDPOINT_URL"]
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    if arguments[-1] == "--dead-letter-queue-url":
        arguments += (f"{cloud.stack.dead_letter_queue_url}-not",)
    result = run(*arguments, "--endpoint-url", endpoint, **cloud.stack.environment)

    assert result.exit_code == 1
    assert words in result.stderr
    assert "aws " not in result.stderr
    assert "region" not in result.stderr
