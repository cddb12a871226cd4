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
from tests.events import batch_operation
from tests.infra.cloudformation import ROOT, Node, load_template
from worker.jobs import decode_event, decode_message
from worker.settings import Settings

EVENTS = ROOT / "infra-sam" / "events"

BUCKET = "landmarks-images"
PLAIN = Job(BUCKET, "photos/astronaut.jpg")
ACCENTED = Job(BUCKET, "photos/café 1+1.jpg")
NOTIFIED_PLAIN, NOTIFIED_ACCENTED = (
    replace(job, etag="5d41402abc4b2a76b9719d911017c592", sequencer="0055AED6DCD90281E5")
    for job in (PLAIN, ACCENTED)
)
ACCENTED_NOTIFIED = (NOTIFIED_ACCENTED,)
UNREADABLE = "unreadable"

# What the body says that the extended client's sample points to.
PAYLOAD = '{"key": "photos/astronaut.jpg"}'

# Per file of SQS messages, what they ask for, in order.
MESSAGES: dict[str, list[tuple[Job, ...] | str]] = {
    "direct": [(PLAIN,)],
    "s3-notification": [ACCENTED_NOTIFIED],
    "s3-test-event": [()],
    "s3-object-removed": [()],
    "s3-folder-marker": [()],
    "eventbridge": [ACCENTED_NOTIFIED],
    "custom-event": [(ACCENTED,)],
    "sns": [ACCENTED_NOTIFIED],
    "sns-direct": [(ACCENTED,)],
    "nested": [ACCENTED_NOTIFIED],
    "extended-client": [(PLAIN,)],
    "failure-destination": [ACCENTED_NOTIFIED],
    "fifo": [(PLAIN,), (ACCENTED,)],
    "pipe": [(PLAIN,), ACCENTED_NOTIFIED],
    "unreadable": [UNREADABLE],
    "batch": [
        (PLAIN,),
        (replace(ACCENTED, job_id="order 17, photo 2", force=True),),
        (NOTIFIED_PLAIN, NOTIFIED_ACCENTED),
        (),
        UNREADABLE,
    ],
}

# Per event straight to the function, its job.
EVENTS_WITHOUT_QUEUE: dict[str, Job] = {
    "function-s3": NOTIFIED_ACCENTED,
    "function-sns": NOTIFIED_ACCENTED,
    "function-eventbridge": NOTIFIED_ACCENTED,
    "function-custom-event": ACCENTED,
}
BATCH_OPERATIONS = {"batch-operations-1.0": "1.0", "batch-operations-2.0": "2.0"}
DIRECT_INVOCATION = "direct-invocation"


def load_event(name: str) -> Node:
    """One of the sample events."""
    return json.loads((EVENTS / f"{name}.json").read_text("utf-8"))


def load_records(name: str) -> list[Node]:
    """The SQS messages of a sample; a Pipe's are a list and nothing else."""
    event = load_event(name)
    records: list[Node] = event if isinstance(event, list) else event["Records"]
    return records


def decode(body: str) -> tuple[Job, ...] | str:
    """The jobs of a message, as the worker reads it."""
    try:
        return decode_message(
            body, default_bucket=BUCKET, read_payload=lambda _bucket, _key: PAYLOAD
        )
    except MessageError:
        return UNREADABLE


@pytest.mark.parametrize("name", MESSAGES)
def test_sample_events_are_what_they_are_called(name: str) -> None:
    """Every sample is SQS messages that ask for the jobs that its name promises."""
    records = load_records(name)
    assert {record["eventSource"] for record in records} == {"aws:sqs"}
    assert [decode(record["body"]) for record in records] == MESSAGES[name]


@pytest.mark.parametrize("name", EVENTS_WITHOUT_QUEUE)
def test_events_without_a_queue_are_what_they_are_called(name: str) -> None:
    """Every sample asks for one photograph."""
    assert decode_event(load_event(name), default_bucket=None) == (EVENTS_WITHOUT_QUEUE[name],)


@pytest.mark.parametrize("name", BATCH_OPERATIONS)
def test_batch_operations_are_of_both_schemas(name: str) -> None:
    """Every sample is a task as S3 writes it."""
    event = load_event(name)
    schema = BATCH_OPERATIONS[name]
    arguments = event["job"].get("userArguments")
    expected = batch_operation(ACCENTED.key, bucket=BUCKET, schema=schema, arguments=arguments)
    assert event == expected


def test_the_direct_invocation_is_a_job() -> None:
    """It has no SQS around it."""
    event = load_event(DIRECT_INVOCATION)
    assert "Records" not in event
    assert decode_direct(event, default_bucket=None) == PLAIN


def test_no_sample_is_left_untested() -> None:
    """Every file of the folder is listed above."""
    names = {path.stem for path in EVENTS.iterdir()}
    assert names == {*MESSAGES, *EVENTS_WITHOUT_QUEUE, *BATCH_OPERATIONS, DIRECT_INVOCATION}


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
