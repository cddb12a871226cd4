"""Every command in README and `docs/` is run as the page shows it.

Except what needs an AWS account, Docker or Node, which the page has to say, and `make`.
"""

import os
import re
import signal
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

# The names that the pages use: a deployed stack's table, a bucket of photographs, and one
# whose photographs have been processed.
DEPLOYED_TABLE: Final = "landmark-worker-results"
THEIR_BUCKET: Final = "my-photos"
PROCESSED_BUCKET: Final = "my-photos-images"

# Programs that are not run here, and what the page has to say that they need.
NEEDS: Final = {
    "aws": ("AWS account",),
    "sam": ("AWS account", "Docker"),
    "docker": ("Docker",),
    "curl": ("Docker",),
    "npm": ("Node",),
    "node": ("Node",),
    "npx": ("AWS account",),
    "pip": ("AWS account",),
    "cp": ("AWS account",),
}
# Prepares a shell; does nothing here.
SHELL: Final = ("export ", ". ", "cd ", "eval ")
UUID: Final = re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")


class Shell:
    """A folder with photographs, and the environment of a local stack."""

    def __init__(self, folder: Path, cloud: Cloud, variables: Mapping[str, str]) -> None:
        """Put this checkout's `landmarks` and `python` on PATH."""
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
        """Run a command line as a shell would; Ctrl-C ends a live view once it shows something."""
        with subprocess.Popen(
            ["bash", "-c", f"exec {command}" if "--watch" in command else command],
            cwd=self.folder,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            if "--watch" in command and process.stdout:
                process.stdout.readline()
                process.send_signal(signal.SIGINT)
            stdout, stderr = process.communicate(answer)
        return subprocess.CompletedProcess(command, process.returncode, stdout, stderr)

    def send_a_dead_letter(self) -> None:
        """Send a message that the worker cannot read, and wait until it has given it up."""
        self.cloud.send('{"photo": "new/h/beach.jpg"}')
        wait_until(lambda: self.cloud.queued() == 0)

    def letter(self) -> str:
        """The id of a dead letter."""
        found = UUID.search(self.run("landmarks dead-letters list").stdout)
        return found[0] if found else self.letter()


def prepare(shell: Shell) -> None:
    """Store photographs in a folder and in two buckets, and have some processed."""
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
    s3.create_bucket(Bucket=PROCESSED_BUCKET)
    s3.put_object(Bucket=PROCESSED_BUCKET, Key="2026/wall.png", Body=nobody(3))
    shell.cloud.send({"bucket": PROCESSED_BUCKET, "key": "2026/wall.png"})
    for key, content in [
        ("photo.jpg", person()),
        ("new/astronaut.jpg", person()),
        ("photos/a.jpg", person()),
        ("photos/2026/b.png", nobody(2)),
        ("photos/2026/c.jpg", b"no picture"),
    ]:
        shell.cloud.put(key, content)
        shell.cloud.send(f'{{"key": "{key}"}}')
    wait_until(lambda: shell.cloud.queued() == 0)


def copy_results(shell: Shell) -> None:
    """Copy the local table to that of a deployed stack."""
    client, local = shell.cloud.clients["dynamodb"], shell.cloud.stack.table
    table = client.describe_table(TableName=local)["Table"]
    fields = {field: table[field] for field in ("KeySchema", "AttributeDefinitions")}
    client.create_table(TableName=DEPLOYED_TABLE, BillingMode="PAY_PER_REQUEST", **fields)
    for item in client.scan(TableName=local)["Items"]:
        client.put_item(TableName=DEPLOYED_TABLE, Item=item)


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """A folder with photographs, and a local stack with results, for all pages in turn."""
    folder = tmp_path_factory.mktemp("reader")
    output = folder / "build" / "local"
    with running(output, "--port", "0"):
        variables = sourced(output)
        shell = Shell(folder, cloud_of(variables), variables)
        prepare(shell)
        copy_results(shell)
        yield shell


def is_for_elsewhere(block: Block, command: str) -> bool:
    """Whether a command cannot run here; then the page says what it needs."""
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


@pytest.mark.parametrize("page", PAGES_WITH_COMMANDS, ids=name)
def test_every_command_of_a_page_works(page: Path, shell: Shell) -> None:
    """From the first to the last, each succeeds or fails as the page shows it."""
    shell.send_a_dead_letter()
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
    """The Python of a page runs against the stack, one block after the other."""
    assert shell.run("landmarks export --force -o results.parquet").returncode == 0
    for page in PAGES:
        pieces = [block.text for block in blocks(page, "python")]
        program = shell.folder / f"{page.stem}.py"
        given = f"queue_url = {shell.cloud.stack.queue_url!r}\n"
        program.write_text(given + "\n".join(pieces), encoding="utf-8")
        result = shell.run(f"python {program}") if pieces else None
        assert not (result and result.returncode), f"{name(page)}: {result}"


def test_every_program_that_the_pages_run_is_known() -> None:
    """Another one is a mistake, or belongs in `NEEDS`."""
    known = {*NEEDS, "make", "landmarks", "python", "export", ".", "cd", "eval"}
    programs = {
        re.sub(r"^(\w+=\S+ )+", "", command).split()[0]
        for page in PAGES
        for block in blocks(page, "console")
        for command in block.commands
    }
    assert programs <= known
