"""Every command that README and `docs/` show is run as it stands there.

The exceptions are few and named: what needs an AWS account, Docker or Node says so on the page;
`make` is what CI calls.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import pytest

from tests.fakes import Cloud, nobody, person
from tests.integration.docs.pages import PAGES, ROOT, Block, blocks, name
from tests.integration.test_local import cloud_of, running, sourced
from tests.integration.test_poller import wait_until

PAGES_WITH_COMMANDS: Final = [page for page in PAGES if blocks(page, "console")]

# What the pages call the table of a deployed stack, and the bucket of somebody's photographs.
DEPLOYED_TABLE: Final = "landmark-worker-results"
THEIR_BUCKET: Final = "my-photos"

# Programs that are not everywhere: whoever is to call them is told what they need.
NEEDS: Final = {
    "aws": ("AWS account",),
    "sam": ("AWS account", "Docker"),
    "docker": ("Docker",),
    "curl": ("Docker",),
    "npm": ("Node",),
    "node": ("Node",),
    "pip": ("AWS account",),
    "cp": ("AWS account",),
}
# What prepares a shell, and has no meaning here.
SHELL: Final = ("export ", ". ", "cd ", "eval ")
UUID: Final = re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")


class Shell:
    """A folder with photographs, and a local stack that `landmarks` finds there or without."""

    def __init__(self, folder: Path, cloud: Cloud, variables: Mapping[str, str]) -> None:
        """Have `landmarks` and `python` be this checkout's."""
        self.folder = folder
        self.cloud = cloud
        programs = folder / "bin"
        programs.mkdir()
        for program, module in (("landmarks", "-m landmarks"), ("python", "")):
            script = programs / program
            script.write_text(f'#!/bin/sh\nexec "{sys.executable}" {module} "$@"\n', "utf-8")
            script.chmod(0o700)
        self._environment = {
            **{name: text for name, text in os.environ.items() if not name.startswith("AWS_")},
            **variables,
            "PATH": f"{programs}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "COLUMNS": "100",
        }

    def run(self, command: str, *, answer: str = "y\n") -> subprocess.CompletedProcess[str]:
        """Run a command line as a shell would; a live view is ended after some seconds."""
        line = (
            f"timeout --foreground --preserve-status --signal=INT 4 {command}"  # one signal
            if "--watch" in command
            else command
        )
        return subprocess.run(
            ["bash", "-c", line],
            cwd=self.folder,
            env=self._environment,
            input=answer,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def letter(self) -> str:
        """The id of a dead letter that is there now."""
        wait_until(lambda: UUID.search(self.run("landmarks dead-letters list").stdout) is not None)
        found = UUID.search(self.run("landmarks dead-letters list").stdout)
        assert found
        return found[0]


def prepare(shell: Shell) -> None:
    """Photographs in a folder and in two buckets, results of some, and letters that are dead."""
    photos = shell.folder / "photos"
    (photos / "h").mkdir(parents=True)
    (photos / "portrait.jpg").write_bytes(person())
    (photos / "astronaut.jpg").write_bytes(person())
    (photos / "list.jpg").write_bytes(b"Milk")
    (photos / "wall.png").write_bytes(nobody())
    (photos / "h" / "beach.jpg").write_bytes(b"sand")
    s3 = shell.cloud.clients["s3"]
    s3.create_bucket(Bucket=THEIR_BUCKET)
    s3.put_object(Bucket=THEIR_BUCKET, Key="2026/wall.png", Body=nobody(1))
    for key, content in [
        ("photo.jpg", person()),
        ("new/astronaut.jpg", person()),
        ("photos/a.jpg", person()),
        ("photos/2026/b.png", nobody(2)),
        ("photos/2026/c.jpg", b"no picture"),
    ]:
        shell.cloud.put(key, content)
        shell.cloud.send(f'{{"key": "{key}"}}')
    shell.cloud.send('{"photo": "new/h/beach.jpg"}', "new/h/beach.jpg", "neither")
    wait_until(lambda: shell.cloud.queued() == 0)


def copy_results(shell: Shell) -> None:
    """Have the table of a deployed stack hold what the local one holds."""
    client, local = shell.cloud.clients["dynamodb"], shell.cloud.stack.table
    table = client.describe_table(TableName=local)["Table"]
    fields = {field: table[field] for field in ("KeySchema", "AttributeDefinitions")}
    client.create_table(TableName=DEPLOYED_TABLE, BillingMode="PAY_PER_REQUEST", **fields)
    for item in client.scan(TableName=local)["Items"]:
        client.put_item(TableName=DEPLOYED_TABLE, Item=item)


@pytest.fixture(params=PAGES_WITH_COMMANDS, ids=name)
def page(request: pytest.FixtureRequest) -> Path:
    """A page that shows commands."""
    path: Path = request.param
    return path


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    """What somebody has who reads the page from its beginning."""
    output = tmp_path / "build" / "local"
    with running(output, "--port", "0"):
        variables = sourced(output)
        shell = Shell(tmp_path, cloud_of(variables), variables)
        prepare(shell)
        copy_results(shell)
        yield shell


def is_for_elsewhere(block: Block, command: str) -> bool:
    """Whether a command is not for this machine; then the page has said what it needs."""
    program = command.split(maxsplit=1)[0]
    if program == "make":
        target = command.split()[1]
        assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
        return True
    if program not in NEEDS:
        return command.startswith((*SHELL, "landmarks local"))
    said = any(need in block.said for need in NEEDS[program])
    assert said, f"{block.page}: {command}: say that this needs {' or '.join(NEEDS[program])}"
    return True


def test_every_command_of_a_page_works(page: Path, shell: Shell) -> None:
    """From the first to the last one, each ends as the page shows it: well, or with an error."""
    for block in blocks(page, "console"):
        for command, shown in block.dialogue:
            if is_for_elsewhere(block, command):
                continue
            wanted = UUID.sub(lambda _: shell.letter(), command)
            result = shell.run(wanted)
            said = f"{name(page)}: $ {wanted}\n{result.stdout}{result.stderr}"
            assert result.returncode == int(shown.startswith("Error:")), said
            assert "Traceback" not in result.stderr, said
            if command.startswith("landmarks enqueue"):  # the next one may look at what comes of it
                wait_until(lambda: shell.cloud.queued() == 0)


def test_every_program_of_a_page_works(shell: Shell) -> None:
    """The pieces of Python on a page run against the stack, one after the other."""
    assert shell.run("landmarks export -o results.parquet").returncode == 0
    for page in PAGES:
        pieces = [block.text for block in blocks(page, "python")]
        program = shell.folder / f"{page.stem}.py"
        given = f"queue_url = {shell.cloud.stack.queue_url!r}\n"
        program.write_text(given + "\n".join(pieces), encoding="utf-8")
        result = shell.run(f"python {program}") if pieces else None
        assert not (result and result.returncode), f"{name(page)}: {result}"


def test_the_tools_that_the_pages_call_are_few() -> None:
    """A program that nobody here knows is a mistake, or has to be added above with its needs."""
    known = {*NEEDS, "make", "landmarks", "python", "export", ".", "cd", "eval"}
    programs = {
        re.sub(r"^(\w+=\S+ )+", "", command).split()[0]
        for page in PAGES
        for block in blocks(page, "console")
        for command in block.commands
    }
    assert programs <= known
    assert shutil.which("bash")
