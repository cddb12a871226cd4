"""`sam local invoke` with the samples of `infra-sam/`, on the image of `sam build`."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

import pytest

from lambda_like import gateway
from landmarks.errors import MessageError
from landmarks.local.stack import create_stack
from tests.e2e.sam import ROOT, sam
from tests.fakes import Cloud, person
from worker.handler import sqs_records
from worker.jobs import decode_message

EVENTS = sorted((ROOT / "infra-sam" / "events").glob("*.json"))
# The port of the services in env.json.
SERVICES_PORT = 5000


@pytest.fixture(scope="module")
def local_cloud(services: Mapping[str, Any]) -> Cloud:
    """The stack that env.json names."""
    return Cloud(create_stack(), services)


@pytest.fixture(scope="module")
def services_host(image: str, local_cloud: Cloud) -> Iterator[str]:  # noqa: ARG001
    """An address in Docker's network that leads to the embedded services.

    They listen on this machine's loopback interface only, which containers cannot reach.
    """
    with gateway(image, network="bridge", listen=f"0.0.0.0:{SERVICES_PORT}") as door:
        addresses = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        yield door.container.inspect(addresses)


def take_dead_letters(cloud: Cloud) -> int:
    """Empty the dead-letter queue; returns how many messages were in it."""
    letters, url = cloud.dead_letters(), cloud.stack.dead_letter_queue_url
    for letter in letters:
        cloud.clients["sqs"].delete_message(QueueUrl=url, ReceiptHandle=letter["ReceiptHandle"])
    return len(letters)


def forget_results(cloud: Cloud) -> None:
    """Empty the table."""
    table, client = cloud.stack.table, cloud.clients["dynamodb"]
    for item in client.scan(TableName=table)["Items"]:
        key = {name: item[name] for name in ("object_key", "bucket")}
        client.delete_item(TableName=table, Key=key)


# The body of the sample whose body is in S3.
PAYLOAD = json.dumps({"key": "photos/astronaut.jpg"})


def keys_of(event: Any, cloud: Cloud) -> tuple[list[str], int]:  # noqa: ANN401, any JSON
    """The keys of an event's objects, and the number of unreadable messages."""

    def payload(bucket: str, key: str) -> str:
        cloud.put(key, PAYLOAD.encode(), bucket=bucket)
        return PAYLOAD

    if "tasks" in event:
        return [unquote_plus(task["s3Key"]) for task in event["tasks"]], 0
    keys: list[str] = []
    unreadable = 0
    for message in sqs_records(event) or [{"body": json.dumps(event)}]:
        try:
            jobs = decode_message(
                message["body"], default_bucket=cloud.stack.bucket, read_payload=payload
            )
        except MessageError:
            unreadable += 1
        else:
            keys += [job.key for job in jobs]
    return keys, unreadable


@pytest.mark.parametrize("path", EVENTS, ids=lambda path: path.stem)
def test_sample_event(
    built: tuple[str, ...], services_host: str, local_cloud: Cloud, path: Path
) -> None:
    """The worker does the jobs of the sample, and logs no error of a detector."""
    event = json.loads(path.read_text(encoding="utf-8"))
    keys, unreadable = keys_of(event, local_cloud)
    forget_results(local_cloud)
    for key in keys:
        local_cloud.put(key, person())

    printed, log = sam(
        *("local", "invoke", "Worker", *built, f"--config-file={ROOT / 'samconfig.toml'}"),
        f"--event={path}",
        f"--add-host=host.docker.internal:{services_host}",
        timeout_seconds=120,
    )

    # SAM prints progress to the same stream.
    answer = json.loads(printed.splitlines()[-1])
    if sqs_records(event) is not None:
        assert answer == {"batchItemFailures": []}
    elif "tasks" in event:
        assert {result["resultCode"] for result in answer["results"]} == {"Succeeded"}
    elif "key" in event:
        assert answer["statusCode"] == 200
    else:
        assert answer == {"jobs": len(keys)}
    assert local_cloud.statuses() == dict.fromkeys(keys, "detected")
    assert take_dead_letters(local_cloud) == unreadable
    assert '"ColdStart":[1.0]' in log
    assert "detector said" not in log
