"""The `landmarks` command as a whole: help, completion and imports."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from landmarks.cli.main import landmarks

ROOT = Path(__file__).parents[2]


def paths(group: click.Group, *above: str) -> Iterator[tuple[str, ...]]:
    """Yield all commands as typed, including groups."""
    yield above
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from paths(command, *above, name)
        else:
            yield (*above, name)


@pytest.mark.parametrize("path", list(paths(landmarks)), ids=" ".join)
def test_help_is_whole(path: tuple[str, ...]) -> None:
    """No summary is truncated, and no line is too long for a terminal."""
    result = CliRunner().invoke(landmarks, [*path, "--help"], terminal_width=80)

    assert result.exit_code == 0
    assert "..." not in result.stdout.partition("Commands:")[2]
    assert all(len(line) <= 100 for line in result.stdout.splitlines())


def test_commands_are_listed_by_what_they_are_for() -> None:
    """Each command is in a section, with the summaries in one column."""
    listed = CliRunner().invoke(landmarks, ["--help"]).stdout.partition("Try it:\n")[2]

    rows = [line for line in listed.splitlines() if line.startswith("  ")]
    assert [row.split()[0] for row in rows] == landmarks.list_commands(click.Context(landmarks))
    assert len({len(row) - len(row[2:].split(maxsplit=1)[1]) for row in rows}) == 1


def test_summaries_are_the_commands_own() -> None:
    """The summaries in `landmarks --help` match each command's own help."""
    context = click.Context(landmarks)
    listed = CliRunner().invoke(landmarks, ["--help"], terminal_width=200).stdout
    shown = dict(line.split(maxsplit=1) for line in listed.splitlines() if line.startswith("  "))

    for name in landmarks.list_commands(context):
        command = landmarks.get_command(context, name)
        assert command is not None
        assert shown[name] == command.get_short_help_str(200)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_a_script_for_each_shell(shell: str) -> None:
    """The script sets the variable that click reads."""
    script = CliRunner().invoke(landmarks, ["completion", shell], prog_name="landmarks").stdout

    assert f"_LANDMARKS_COMPLETE={shell}_complete" in script


def test_help_needs_no_heavy_imports() -> None:
    """`landmarks --help` imports neither boto3 nor drawing modules, to be fast."""
    code = """
import sys
from landmarks.cli.main import landmarks
landmarks(["--help"], standalone_mode=False)
heavy = {"boto3", "botocore", "pynamodb", "rich", "numpy", "moto", "PIL", "pyarrow", "worker"}
print("loaded:", *heavy.intersection(sys.modules))
"""
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True, text=True
    )

    assert "Try it:" in ran.stdout
    assert ran.stdout.endswith("loaded:\n")
