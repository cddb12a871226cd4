"""The `landmarks` command as a whole: what it lists, and how fast."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from worker.cli import landmarks

ROOT = Path(__file__).parents[2]


def paths(group: click.Group, *above: str) -> Iterator[tuple[str, ...]]:
    """Every command, as it is typed, and the groups."""
    yield above
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from paths(command, *above, name)
        else:
            yield (*above, name)


@pytest.mark.parametrize("path", list(paths(landmarks)), ids=" ".join)
def test_help_is_whole(path: tuple[str, ...]) -> None:
    """No summary is cut off, and no example is too long to be read."""
    result = CliRunner().invoke(landmarks, [*path, "--help"], terminal_width=80)

    assert result.exit_code == 0
    assert "..." not in result.stdout.partition("Commands:")[2]
    assert all(len(line) <= 100 for line in result.stdout.splitlines())


def test_commands_are_listed_in_the_order_of_their_use() -> None:
    """A newcomer reads from trying to operating."""
    listed = CliRunner().invoke(landmarks, ["--help"]).stdout.partition("Commands:\n")[2]

    names = [line.split()[0] for line in listed.splitlines()]
    assert names == [
        "demo",
        "local",
        "enqueue",
        "status",
        "report",
        "dead-letters",
        "retry",
        "reprocess",
    ]


def test_help_waits_for_no_imports() -> None:
    """The command line alone is loaded: neither AWS's clients nor what draws on terminals."""
    code = (
        "import sys, worker.cli;"
        "print(*{'boto3', 'botocore', 'pynamodb', 'rich', 'numpy', 'moto', 'PIL'}"
        ".intersection(sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True)

    assert ran.stdout.strip() == b""
