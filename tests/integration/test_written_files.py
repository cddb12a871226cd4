"""One rule for all commands that write a file: what the user named is kept unless forced."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from landmarks.cli.main import landmarks
from tests.fakes import Cloud, person
from tests.results import save_result

KEY = "new/a.jpg"

# What writes to a file, without its name.
WRITERS = {
    "get": ("get", KEY, "-o"),
    "export": ("export", "--format", "csv", "-o"),
    "report": ("report", "--no-photos", "-o"),
    "overlay": ("overlay", KEY, "--image", "photo.jpg", "-o"),
}

Run = Callable[..., Result]


@pytest.fixture
def run(cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command in an empty folder, on a table with a result."""
    save_result(cloud, KEY)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photo.jpg").write_bytes(person())
    return lambda *arguments: CliRunner().invoke(
        landmarks, arguments, env=dict(cloud.stack.environment)
    )


@pytest.mark.parametrize("command", WRITERS)
def test_a_named_file_is_kept_unless_forced(run: Run, command: str) -> None:
    """Wrong usage, in one line, before anything is read."""
    file = Path("file.png")
    file.write_text("mine")

    refused = run(*WRITERS[command], "file.png", "--table", "no-such-table")

    assert refused.exit_code == 2
    assert refused.stderr == "Error: file.png already exists: use --force to replace it\n"
    assert file.read_text() == "mine"
    assert run(*WRITERS[command], "file.png", "--force").exit_code == 0
    assert file.read_bytes() != b"mine"


@pytest.mark.parametrize("command", WRITERS)
def test_a_device_is_no_file(run: Run, command: str) -> None:
    """It can be written to without being replaced."""
    Path("null.png").symlink_to("/dev/null")

    assert run(*WRITERS[command], "null.png").exit_code == 0


def test_the_default_name_is_replaced(run: Run) -> None:
    """It was not the user's choice, until it is."""
    Path("report.html").write_text("older")

    assert run("report", "--no-photos").exit_code == 0

    assert Path("report.html").read_text("utf-8").startswith("<!DOCTYPE html>")
    assert run("report", "--no-photos", "-o", "report.html").exit_code == 2


@pytest.mark.parametrize("arguments", [("s3://no-such-bucket",), ("--status", "failed")])
def test_an_empty_report_replaces_nothing(run: Run, arguments: tuple[str, ...]) -> None:
    """After a typo, the page is still there, and one line says what was looked for."""
    Path("report.html").write_text("83 photos")

    result = run("report", *arguments)

    assert result.exit_code == 1
    assert Path("report.html").read_text() == "83 photos"
    words = result.stderr.splitlines()[-1]
    assert words.startswith("Error: no results ")
    assert arguments[-1] in words


def test_what_was_not_sent_is_listed_in_a_new_file(run: Run) -> None:
    """Two runs don't share a list, which the second may be reading."""
    Path("unsent.jsonl").write_text('{"key": "a.jpg"}\n')

    result = run("enqueue", "-", "--unsent", "unsent.jsonl")

    assert result.exit_code == 2
    assert result.stderr.startswith("Error: unsent.jsonl already exists")
