"""Runs every recipe in `docs/enqueue.md` with the embedded services."""

import json
import re
from pathlib import Path
from typing import Any

import boto3
import pytest
from samtranslator.yaml_helper import yaml_parse

from tests.fakes import Cloud
from tests.integration.enqueueing import attribute, bodies
from worker.jobs import decode_message

PAGE = Path(__file__).parents[2] / "docs" / "enqueue.md"
KEY = "incoming/café 1+1.jpg"
ACCOUNT_ARN = "us-east-1:123456789012"


def blocks(heading: str, language: str) -> list[str]:
    """Return the code blocks of one language below one heading."""
    sections = re.split(r"^##+ ", PAGE.read_text("utf-8"), flags=re.MULTILINE)
    (section,) = (text for text in sections if text.startswith(f"{heading}\n"))
    return re.findall(rf"^```{language}\n(.*?)^```", section, re.MULTILINE | re.DOTALL)


def resources(heading: str) -> dict[str, Any]:
    """Return the properties of a recipe's resources, with intrinsic functions expanded."""
    (text,) = (text for text in blocks(heading, "yaml") if text.startswith("# Resources"))
    return {name: body["Properties"] for name, body in yaml_parse(text).items() if len(body) > 1}


def notify(cloud: Cloud, heading: str, placeholder: str, name: str) -> None:
    """Configure the bucket with the recipe's JSON and an existing name."""
    (text,) = blocks(heading, "json")
    configuration = json.loads(text.replace(placeholder, name) if placeholder else text)
    cloud.clients["s3"].put_bucket_notification_configuration(
        Bucket=cloud.stack.bucket, NotificationConfiguration=configuration
    )


def queue_name(cloud: Cloud) -> str:
    """Return the name of the stack's queue."""
    return cloud.stack.queue_url.rpartition("/")[2]


def decoded(cloud: Cloud) -> list[tuple[str, str]]:
    """Return the bucket and key of each job that the worker reads, without duplicates."""
    found = (decode_message(body, default_bucket=None) for body in bodies(cloud))
    return sorted({(job.bucket, job.key) for messages in found for job in messages})


def test_s3_notifies_the_queue(cloud: Cloud) -> None:
    """An uploaded photograph becomes a job; a file with another suffix does not."""
    heading = "S3 notifications straight to the queue"
    notify(cloud, heading, "landmark-worker-jobs", queue_name(cloud))

    cloud.put(KEY, b"")
    cloud.put("incoming/notes.txt", b"")

    assert decoded(cloud) == [(cloud.stack.bucket, KEY)]


def test_an_eventbridge_rule_feeds_the_queue(cloud: Cloud) -> None:
    """A photograph below the rule's prefix becomes a job; another does not."""
    heading = "An EventBridge rule"
    rule = resources(heading)["PhotoRule"]
    pattern = json.dumps(rule["EventPattern"]).replace("my-photos", cloud.stack.bucket)
    events = boto3.client("events")
    events.put_rule(Name="PhotoRule", EventPattern=pattern)
    arn = f"arn:aws:sqs:{ACCOUNT_ARN}:{queue_name(cloud)}"
    events.put_targets(Rule="PhotoRule", Targets=[{**rule["Targets"][0], "Arn": arn}])
    notify(cloud, heading, "", "")

    cloud.put(KEY, b"")
    cloud.put("elsewhere/b.jpg", b"")

    assert decoded(cloud) == [(cloud.stack.bucket, KEY)]


@pytest.mark.parametrize("raw", [False, True])
def test_a_topic_feeds_the_queue(cloud: Cloud, *, raw: bool) -> None:
    """An uploaded photograph becomes a job, with and without raw delivery."""
    heading = "An SNS topic"
    sns = boto3.client("sns")
    topic = sns.create_topic(Name=f"topic-of-{queue_name(cloud)}")["TopicArn"]
    subscription = resources(heading)["PhotoSubscription"]
    sns.subscribe(
        TopicArn=topic,
        Protocol=subscription["Protocol"],
        Endpoint=f"arn:aws:sqs:{ACCOUNT_ARN}:{queue_name(cloud)}",
        Attributes={"RawMessageDelivery": str(raw).lower()},
    )
    notify(cloud, heading, "landmark-worker-PhotoTopic", topic.rpartition(":")[2])

    cloud.put(KEY, b"")

    assert decoded(cloud) == [(cloud.stack.bucket, KEY)]


def execute(heading: str, cloud: Cloud) -> dict[str, Any]:
    """Run a recipe's Python with the stack's queue, and return its variables."""
    (code,) = blocks(heading, "python")
    variables: dict[str, Any] = {"queue_url": cloud.stack.queue_url}
    exec(compile(code, str(PAGE), "exec"), variables)  # noqa: S102, our own page
    return variables


def test_a_producer_of_five_lines(cloud: Cloud) -> None:
    """The five-line producer sends its keys as jobs."""
    variables = execute("A producer of five lines", cloud)

    assert variables["refused"] == []
    assert decoded(cloud) == [("my-photos", "photos/a.jpg"), ("my-photos", "photos/b 1+1.jpg")]
    (block,) = blocks("A producer of five lines", "python")
    assert len([line for line in block.splitlines() if line]) == 5


def test_a_delayed_job(cloud: Cloud) -> None:
    """The job is in the queue, can't be received yet, and is valid."""
    execute("A delayed job", cloud)

    assert attribute(cloud, "ApproximateNumberOfMessagesDelayed") == 1
    assert bodies(cloud) == []
    (code,) = blocks("A delayed job", "python")
    (body,) = re.findall(r"json\.dumps\((\{.*?\})\)", code)
    (job,) = decode_message(body, default_bucket="b-b")
    assert (job.key, job.job_id) == ("photos/a.jpg", "after the upload settles")
