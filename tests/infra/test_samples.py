"""The sample events and the environment of `sam local invoke`."""

import inspect
import json
import os
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from landmarks.errors import MessageError
from landmarks.job import Job, decode_direct
from landmarks.local.stack import create_stack
from tests.infra.cloudformation import ROOT, Node, load_template
from worker.jobs import decode_message
from worker.settings import Settings

EVENTS = ROOT / "infra-sam" / "events"

BUCKET = "landmarks-images"
PLAIN = Job(BUCKET, "photos/astronaut.jpg")
ACCENTED = Job(BUCKET, "photos/café 1+1.jpg")
NOTIFIED_PLAIN, NOTIFIED_ACCENTED = (
    replace(job, etag="5d41402abc4b2a76b9719d911017c592", sequencer="0055AED6DCD90281E5")
    for job in (PLAIN, ACCENTED)
)
UNREADABLE = "unreadable"

# The jobs of each message, by file.
MESSAGES: dict[str, list[tuple[Job, ...] | str]] = {
    "direct": [(PLAIN,)],
    "s3-notification": [(NOTIFIED_ACCENTED,)],
    "s3-test-event": [()],
    "s3-object-removed": [()],
    "eventbridge": [(NOTIFIED_ACCENTED,)],
    "sns": [(NOTIFIED_ACCENTED,)],
    "unreadable": [UNREADABLE],
    "batch": [
        (PLAIN,),
        (replace(ACCENTED, job_id="order 17, photo 2", force=True),),
        (NOTIFIED_PLAIN, NOTIFIED_ACCENTED),
        (),
        UNREADABLE,
    ],
}
DIRECT_INVOCATION = "direct-invocation"


def load_event(name: str) -> Node:
    """One of the sample events."""
    return json.loads((EVENTS / f"{name}.json").read_text("utf-8"))


def decode(body: str) -> tuple[Job, ...] | str:
    """The jobs that the worker reads in a message."""
    try:
        return decode_message(body, default_bucket=BUCKET)
    except MessageError:
        return UNREADABLE


@pytest.mark.parametrize("name", MESSAGES)
def test_sample_events_are_what_they_are_called(name: str) -> None:
    """The worker reads the jobs that the name of the sample promises."""
    event = load_event(name)
    assert {record["eventSource"] for record in event["Records"]} == {"aws:sqs"}
    assert [decode(record["body"]) for record in event["Records"]] == MESSAGES[name]


def test_the_direct_invocation_is_a_job() -> None:
    """It has no SQS around it."""
    event = load_event(DIRECT_INVOCATION)
    assert "Records" not in event
    assert decode_direct(event, default_bucket=None) == PLAIN


def test_no_sample_is_left_untested() -> None:
    """Every file of the folder is listed above."""
    names = {path.stem for path in EVENTS.iterdir()}
    assert names == {*MESSAGES, DIRECT_INVOCATION}


# sam local invoke


def load_environment() -> dict[str, str]:
    """What `sam local invoke` replaces in the function's environment."""
    environment: dict[str, dict[str, str]] = json.loads(
        (ROOT / "infra-sam" / "env.json").read_text("utf-8")
    )
    return environment["Worker"]


def names_resource(node: Node) -> bool:
    """Whether the value refers to a resource, which only a deployed stack has."""
    if isinstance(node, dict) and "Ref" in node:
        return node["Ref"] in load_template()["Resources"]
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else []
    return any(map(names_resource, children))


def test_the_local_environment_replaces_every_reference_to_a_resource() -> None:
    """SAM silently ignores variables that the template does not have."""
    worker = load_template()["Resources"]["Worker"]["Properties"]
    variables = worker["Environment"]["Variables"]
    deployed = {name for name, value in variables.items() if names_resource(value)}
    assert load_environment().keys() == {*deployed, "AWS_ENDPOINT_URL"}
    assert "AWS_ENDPOINT_URL" in variables


@pytest.mark.usefixtures("services")
def test_the_local_environment_is_that_of_the_local_stack() -> None:
    """The worker starts with it, and finds the resources of `landmarks local`."""
    environment = load_environment()
    settings = Settings.from_environment(environment)
    name = inspect.signature(create_stack).parameters["name"].default
    mine = f"samples-{os.getpid()}"
    stack = create_stack(mine)
    assert settings.results_table == stack.table.replace(mine, name)
    assert settings.image_bucket == stack.bucket.replace(mine, name) == BUCKET
    assert settings.allowed_buckets == frozenset({BUCKET})
    urls = [settings.queue_url, settings.dead_letter_queue_url]
    paths = [urlsplit(url).path for url in (stack.queue_url, stack.dead_letter_queue_url)]
    endpoint = environment["AWS_ENDPOINT_URL"]
    assert urls == [endpoint + path.replace(mine, name) for path in paths]


# samconfig.toml
