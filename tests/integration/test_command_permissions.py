"""The calls of each command agree with its permissions in operations.md and the policies.

These tests check calls instead of results, because the embedded services don't check permissions.
`tests/permissions.py` adds what calls don't show: SQS's move task, and S3's use of KMS.
"""

from collections.abc import Iterator
from functools import reduce
from pathlib import Path
from typing import Final

import click
import pytest
from click.testing import CliRunner

from landmarks.cli.main import landmarks
from landmarks.errors import MessageError, ObjectNotFoundError
from landmarks.item import bind_item
from tests.fakes import Cloud, nobody, person, seen_person
from tests.infra.cloudformation import render
from tests.infra.test_permissions import KEY_ARN, STACK_ARN, granted
from tests.integration.docs.pages import ROOT
from tests.integration.test_enqueue_sources import put_inventory, row
from tests.integration.test_stack import deploy, name_of
from tests.items import store
from tests.permissions import EVERYTHING, Permission, recorded, said
from tests.results import save_result
from worker.queue import DeadLetterQueue, ReceivedMessage
from worker.result import Detection

PAGE: Final = ROOT / "docs" / "operations.md"
BUCKET: Final = "s3://BUCKET"  # the stack's

# Each row of the page's table, with command lines that together make all of its calls.
RUNS: Final = {
    "enqueue": [f"enqueue {BUCKET}/photos", f"enqueue {BUCKET}/photos/a.jpg"],
    "enqueue --inventory": [f"enqueue {BUCKET}/inventory/manifest.json --inventory"],
    "enqueue --upload": [f"enqueue folder --upload {BUCKET}/new"],
    "status": ["status", "status --dead-letter-queue-url="],
    "dead-letters list": ["dead-letters list"],
    "dead-letters show": ["dead-letters show id-0"],
    "dead-letters redrive": [
        "dead-letters redrive --code INVALID_MESSAGE --yes",
        "dead-letters redrive --all --yes",
    ],
    "dead-letters drop": [
        "dead-letters drop --code INVALID_MESSAGE --yes",
        "dead-letters drop --all --yes",
    ],
    "retry": ["retry", "retry --options-changed --options-hash 0"],
    "get": ["get photos/a.jpg", "get photos%2Fa.jpg --bucket elsewhere"],
    "list": [
        f"list {BUCKET}/photos",
        f"list {BUCKET}/photos/ -r",
        f"list {BUCKET} --table INDEXED",
    ],
    "report": ["report"],
    "export": ["export -o all.jsonl"],
    "overlay": ["overlay photos/a.jpg -o a.png", "overlay photos/b.jpg -o b.png"],
    "env": ["env --stack STACK"],
}
# Exit statuses of commands that fail here, without a result.
REFUSED: Final = {"get photos%2Fa.jpg --bucket elsewhere": 1}

# Commands that call no AWS.
AT_HOME: Final = {"demo", "detect", "local", "completion"}

# Granted by the bucket's owner, because the stack can't know who uploads.
NOT_GRANTED: Final = {Permission("s3:PutObject", "bucket")}

PLACES: Final = {
    "Queue.Arn": "queue",
    "DeadLetterQueue.Arn": "dead-letter queue",
    "ResultsTable.Arn": "table",
    "ResultsTable.Arn/index/by-prefix": "index",
    "arn:aws:s3:::camera-roll": "bucket",
    "arn:aws:s3:::camera-roll/*": "bucket",
    KEY_ARN: "key",
    STACK_ARN: "stack",
    "*": EVERYTHING,
}


@pytest.fixture
def filled(cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """Photographs with and without versions, results, dead letters, an inventory and a folder."""
    monkeypatch.chdir(tmp_path)
    detection = Detection(seen_person().landmarks, 512, 512, "jpeg")
    for key in ("photos/a.jpg", "photos/b.jpg"):
        save_result(cloud, key, detection, version=cloud.put(key, person()))
        cloud.keep_versions()
    store(cloud, "photos/list.txt", "failed", code="NOT_AN_IMAGE")
    letters = DeadLetterQueue(cloud.clients["sqs"], cloud.stack.dead_letter_queue_url)
    for number, error in enumerate([MessageError("no key"), ObjectNotFoundError("no object")]):
        letters.put(ReceivedMessage(f"id-{number}", "receipt", "?", 1), error, float("inf"))
    put_inventory(cloud, [row("a.jpg")])
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "small.png").write_bytes(nobody())
    (tmp_path / "folder" / "in parts.jpg").write_bytes(bytes(9_000_000))
    deploy(cloud)
    bind_item(f"{cloud.stack.table}-indexed", for_reading=True).create_table(wait=True)
    return cloud


def run(cloud: Cloud, line: str, *, text: str | None = None) -> None:
    """Run a command line with the stack's settings and bucket."""
    names = {
        "BUCKET": cloud.stack.bucket,
        "STACK": name_of(cloud),
        "INDEXED": f"{cloud.stack.table}-indexed",
    }
    named = reduce(lambda text, name: text.replace(name, names[name]), names, line)
    arguments = named.split()
    result = CliRunner().invoke(landmarks, arguments, env=cloud.stack.environment, input=text)
    assert result.exit_code == REFUSED.get(line, 0), result.output


def commands(group: click.Group, before: str = "") -> Iterator[str]:
    """Return the full names of all commands."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, f"{before}{name} ")
        else:
            yield f"{before}{name}"


def policy(name: str, *, with_key: bool = True) -> set[Permission]:
    """Return what a policy of the stack grants, in the page's words."""
    key = {"ExistingImageBucketKeyArn": KEY_ARN} if with_key else {}
    stack = render(ExistingImageBucket="camera-roll", **key)
    pairs = granted(stack.properties(name)["PolicyDocument"])
    return {Permission(action, PLACES[resource]) for action, resource in pairs}


@pytest.mark.parametrize("name", RUNS)
def test_a_command_needs_what_the_page_says(filled: Cloud, name: str) -> None:
    """A command's calls need exactly the permissions in its row."""
    with recorded(filled.stack) as needed:
        for line in RUNS[name]:
            run(filled, line)

    assert needed == said(PAGE)[name]


def test_stack_option_needs_what_env_needs(filled: Cloud) -> None:
    """A command that takes its names from a stack describes the stack, and nothing else."""
    with recorded(filled.stack) as needed:
        CliRunner().invoke(landmarks, ["get", "photos/a.jpg", "--stack", name_of(filled)])

    assert needed == said(PAGE)["get"] | said(PAGE)["env"]


def test_the_page_has_every_command() -> None:
    """Every command has a row, and every row is tested above."""
    rows = said(PAGE).keys()

    assert rows == RUNS.keys()
    without_options = {name.partition(" --")[0] for name in rows}
    assert without_options == set(commands(landmarks)) - AT_HOME


def test_operator_policy_grants_what_commands_need_and_nothing_else() -> None:
    """It covers all rows of the page's table, except uploads."""
    rows = said(PAGE)
    needed = set().union(*rows.values())

    assert policy("OperatorPolicy") == needed - NOT_GRANTED
    assert [name for name in rows if rows[name] & NOT_GRANTED] == ["enqueue --upload"]
    without_key = policy("OperatorPolicy", with_key=False)
    assert without_key == needed - NOT_GRANTED - {Permission("kms:Decrypt", "key")}


def test_a_producer_may_enqueue_what_it_names(filled: Cloud) -> None:
    """Enqueueing keys from standard input needs exactly ProducerPolicy."""
    with recorded(filled.stack) as needed:
        run(filled, "enqueue -", text="photos/a.jpg\n")

    assert needed == policy("ProducerPolicy")


def test_a_reader_may_get_a_result(filled: Cloud) -> None:
    """Getting a result, and drawing it on a local file, needs exactly ReaderPolicy."""
    (Path.cwd() / "copy.jpg").write_bytes(person())
    with recorded(filled.stack) as needed:
        run(filled, "get photos/a.jpg")
        run(filled, "overlay photos/a.jpg -o a.png --image copy.jpg")

    assert needed == policy("ReaderPolicy")
