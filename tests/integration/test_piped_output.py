"""Where standard output is no terminal, no line is wrapped or cut off, and times have one form."""

import json
import re
from collections.abc import Callable

import boto3
import pytest
from click.testing import CliRunner

from landmarks.cli.main import landmarks
from tests.fakes import LONGEST_KEY, Cloud, seen_people
from tests.results import save_result

FOR_PEOPLE = re.compile(r"\b20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC\b")
FOR_PROGRAMS = re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z")

Run = Callable[..., str]


@pytest.fixture
def run(cloud: Cloud) -> Run:
    """Returns what a command prints, as if on a narrow terminal."""
    save_result(cloud, LONGEST_KEY, seen_people(2), max_people=2)
    boto3.client("sqs").send_message(
        QueueUrl=cloud.stack.dead_letter_queue_url, MessageBody=f'{{"photo": "{"x " * 500}end"}}'
    )

    def run_one(*arguments: str) -> str:
        environment = {**cloud.stack.environment, "COLUMNS": "30"}
        result = CliRunner().invoke(landmarks, arguments, env=environment)
        assert result.exit_code == 0, result.output
        return result.stdout

    return run_one


def test_get(run: Run, cloud: Cloud) -> None:
    """The key and the bucket are on one line, and each person is on one."""
    lines = run("get", LONGEST_KEY).splitlines()

    assert lines[0] == f"{LONGEST_KEY}  {cloud.stack.bucket}"
    assert [line.split()[-1] for line in lines if re.match(r"  [01] ", line)] == ["hands"] * 2


def test_list(run: Run, cloud: Cloud) -> None:
    """The key is whole."""
    assert run("list", f"s3://{cloud.stack.bucket}").endswith(f"  {LONGEST_KEY}\n")


def test_status(run: Run) -> None:
    """Labels and explanations stay together."""
    assert re.search(
        r"^  in flight .* received, or waiting for a retry$", run("status"), re.MULTILINE
    )


def test_dead_letters(run: Run) -> None:
    """A body is whole."""
    assert 'x end"}\n' in run("dead-letters", "list")


def test_times(run: Run, cloud: Cloud) -> None:
    """One form for people, and ISO 8601 with a Z for programs."""
    place = f"s3://{cloud.stack.bucket}"
    (letter,) = map(json.loads, run("dead-letters", "list", "--json").splitlines())
    show = run("dead-letters", "show", letter["letter_id"] or letter["message_id"])

    for text in (run("get", LONGEST_KEY), run("list", place), show):
        assert FOR_PEOPLE.search(text)
        assert "+00:00" not in text
    for text in (
        run("get", LONGEST_KEY, "--json"),
        run("list", place, "--json"),
        run("status", "--json"),
    ):
        times = re.findall(r'"(20\d\d-[^"]+)"', text)
        assert times
        assert all(FOR_PROGRAMS.fullmatch(time) for time in times)
    assert FOR_PROGRAMS.fullmatch(letter["sent_at"])
