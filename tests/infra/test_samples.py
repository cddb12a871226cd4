"""The sample events, and what SAM's commands find when they are run without flags."""

import hashlib
import inspect
import json
import os
import tomllib
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from landmarks.errors import MessageError
from landmarks.job import Job, decode_direct
from landmarks.local.stack import create_stack
from tests.infra.cloudformation import ROOT, Node, load_template, refusals
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

# Per file, what its messages ask for, in order.
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


def load_config() -> dict[str, dict[str, Node]]:
    """The parameters of samconfig.toml, by command."""
    commands = tomllib.loads((ROOT / "samconfig.toml").read_text("utf-8"))["default"]
    return {name: command["parameters"] for name, command in commands.items()}


def decode(body: str) -> tuple[Job, ...] | str:
    """The jobs of a message, as the worker reads it."""
    try:
        return decode_message(body, default_bucket=BUCKET)
    except MessageError:
        return UNREADABLE


@pytest.mark.parametrize("name", MESSAGES)
def test_sample_events_are_what_they_are_called(name: str) -> None:
    """Every sample is an SQS event whose messages ask for the jobs that its name promises."""
    event = load_event(name)
    assert {record["eventSource"] for record in event["Records"]} == {"aws:sqs"}
    assert [decode(record["body"]) for record in event["Records"]] == MESSAGES[name]


@pytest.mark.parametrize("name", MESSAGES)
def test_sample_events_are_as_lambda_makes_them(name: str) -> None:
    """Ids differ from message to message, and the checksums are the bodies'."""
    records = load_event(name)["Records"]
    assert len({record["messageId"] for record in records}) == len(records)
    for record in records:
        checksum = hashlib.md5(record["body"].encode(), usedforsecurity=False)
        assert record["md5OfBody"] == checksum.hexdigest()
        assert int(record["attributes"]["ApproximateReceiveCount"]) == 1


def test_the_direct_invocation_is_one() -> None:
    """The sample without SQS asks for one photograph at once."""
    event = load_event(DIRECT_INVOCATION)
    assert "Records" not in event
    assert decode_direct(event, default_bucket=None) == PLAIN


def test_no_sample_is_left_untested() -> None:
    """The folder holds the events above and no other."""
    names = {path.stem for path in EVENTS.iterdir()}
    assert names == {*MESSAGES, DIRECT_INVOCATION}


# sam local invoke


def load_environment() -> dict[str, str]:
    """What `sam local invoke` puts in the place of the template's variables."""
    environment: dict[str, dict[str, str]] = json.loads(
        (ROOT / "infra-sam" / "env.json").read_text("utf-8")
    )
    return environment["Worker"]


def names_resource(node: Node) -> bool:
    """Whether the value is of something that only a deployment has."""
    if isinstance(node, dict) and "Ref" in node:
        return node["Ref"] in load_template()["Resources"]
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else []
    return any(map(names_resource, children))


def test_the_local_environment_replaces_what_a_deployment_would_name() -> None:
    """All variables with names of resources are replaced, and only variables that there are.

    SAM ignores any other in silence.
    """
    worker = load_template()["Resources"]["Worker"]["Properties"]
    variables = worker["Environment"]["Variables"]
    deployed = {name for name, value in variables.items() if names_resource(value)}
    assert load_environment().keys() == {*deployed, "AWS_ENDPOINT_URL"}
    assert "AWS_ENDPOINT_URL" in variables


@pytest.mark.usefixtures("services")
def test_the_local_environment_is_the_local_stacks() -> None:
    """The worker starts with it, and it names what the embedded services' stack is made of."""
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


def test_local_invocations_find_their_files() -> None:
    """`sam local invoke` without flags has an event and an environment."""
    parameters = load_config()["local_invoke"]
    assert (ROOT / parameters["event"]).is_file()
    assert (ROOT / parameters["env_vars"]).is_file()


def test_the_host_of_the_local_environment_is_known_in_the_container() -> None:
    """The name in env.json is the one that samconfig.toml gives to this machine."""
    (host,) = load_config()["local_invoke"]["add_host"]
    assert f"//{host.partition(':')[0]}:" in load_environment()["AWS_ENDPOINT_URL"]


def test_deployments_need_no_flags() -> None:
    """Name, capability, bucket and image repository are settled, and no region or account is."""
    config = load_config()
    assert config["global"]["stack_name"] == "landmark-worker"
    assert config["validate"]["lint"] is True
    assert config["deploy"] == {
        "capabilities": "CAPABILITY_IAM",
        "confirm_changeset": True,
        "resolve_s3": True,
        "resolve_image_repos": True,
    }


def test_the_template_asks_for_no_parameter() -> None:
    """`sam deploy` has a default for everything, so --guided is a matter of taste."""
    parameters = load_template()["Parameters"]
    assert all("Default" in body for body in parameters.values())
    assert refusals() == []
