"""An address selects the same objects in every command."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from landmarks.cli.main import landmarks
from landmarks.errors import CorruptImageError
from tests.fakes import Cloud
from tests.integration.report.pages import Page
from tests.results import save_result

SELECTED = {
    "": {"p/1.jpg", "p/10.jpg", "p/s/2.jpg", "pq/3.jpg", "p.jpg"},
    "*": {"p/1.jpg", "p/10.jpg", "p/s/2.jpg", "pq/3.jpg", "p.jpg"},
    "p": {"p/1.jpg", "p/10.jpg", "p/s/2.jpg"},
    "p/": {"p/1.jpg", "p/10.jpg", "p/s/2.jpg"},
    "p/s": {"p/s/2.jpg"},
    "p*": {"p/1.jpg", "p/10.jpg", "p/s/2.jpg", "pq/3.jpg", "p.jpg"},
    "p/1*": {"p/1.jpg", "p/10.jpg"},
    "p/1.jpg": {"p/1.jpg"},
    "p/*": {"p/1.jpg", "p/10.jpg", "p/s/2.jpg"},
    "p/1": set(),
}


@pytest.fixture
def filled(cloud: Cloud) -> Cloud:
    """Objects in S3 that have failed."""
    for key in SELECTED[""]:
        cloud.put(key, b"cut short")
        save_result(cloud, key, CorruptImageError("cut short"))
    return cloud


def run(cloud: Cloud, *arguments: str) -> str:
    """Return what a command prints."""
    return CliRunner().invoke(landmarks, arguments, env=cloud.stack.environment).stdout


@pytest.mark.parametrize("rest", SELECTED)
def test_every_command_selects_the_same(
    filled: Cloud, services: dict[str, Any], tmp_path: Path, rest: str
) -> None:
    """A name is a folder or an object, and a star stands for any ending."""
    bucket, page = filled.stack.bucket, tmp_path / "page.html"
    address = f"s3://{bucket}/{rest}"

    exported = run(filled, "export", address, "-o", "-").splitlines()
    listed = run(filled, "list", address, "--recursive", "--json").splitlines()
    retried = run(filled, "retry", address, "--dry-run").splitlines()
    run(filled, "report", address, "--no-photos", "-o", str(page))
    run(filled, "enqueue", address)
    sent = services["sqs"].receive_message(QueueUrl=filled.stack.queue_url, MaxNumberOfMessages=10)

    assert {json.loads(line)["object_key"] for line in exported} == SELECTED[rest]
    assert {json.loads(line)["object_key"] for line in listed} == SELECTED[rest]
    assert {line.split()[0].removeprefix(f"s3://{bucket}/") for line in retried} == SELECTED[rest]
    assert set(Page(page).keys if page.exists() else ()) == SELECTED[rest]
    bodies = [json.loads(message["Body"]) for message in sent.get("Messages", [])]
    assert {body["key"] for body in bodies} == SELECTED[rest]
