"""The dashboard shows the metrics that exist, and the alarms watch the right ones."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from landmarks.errors import CorruptImageError, MessageError, ObjectNotFoundError, ServiceError
from landmarks.job import Job
from tests.fakes import seen_nobody, seen_person
from tests.infra.cloudformation import Node, render
from tests.infra.test_permissions import EXISTING
from worker.result import ObjectIdentity, Result
from worker.telemetry import NAMESPACE, SERVICE, Telemetry
from worker.verdict import Verdict

TOPIC = "arn:aws:sns:eu-central-1:111122223333:landmark-alarms"

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
# https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
METRICS_OF_AWS = {
    "AWS/SQS": {
        "ApproximateAgeOfOldestMessage",
        "ApproximateNumberOfMessagesNotVisible",
        "ApproximateNumberOfMessagesVisible",
    },
    "AWS/Lambda": {"ConcurrentExecutions", "Errors", "Invocations", "Throttles"},
}
DIMENSIONS_OF_AWS = {
    "AWS/SQS": ("QueueName", {"Queue.QueueName", "DeadLetterQueue.QueueName"}),
    "AWS/Lambda": ("FunctionName", {"Worker"}),
}


def emitted_metrics(capsys: pytest.CaptureFixture[str]) -> tuple[set[str], set[tuple[str, ...]]]:
    """The names and dimensions of all metrics that the worker emits."""
    job = Job("camera-roll", "photo.jpg")
    identity = ObjectIdentity("0" * 32, datetime(2026, 1, 2, tzinfo=UTC), 48_151)
    telemetry = Telemetry()
    for found in (seen_person(), seen_nobody()):
        telemetry.finished(job, Result(job, identity, found))
    telemetry.finished(job, Result(job, identity, CorruptImageError("cut")))
    telemetry.finished(job, Verdict.DUPLICATE)
    telemetry.finished(job, Verdict.SUPERSEDED)
    telemetry.retried(job, ObjectNotFoundError("not yet"))
    telemetry.given_up("message", MessageError("no key"))
    telemetry.given_up("message", ObjectNotFoundError("never"))
    telemetry.stranded("message", MessageError("no key"), ServiceError("SQS"))
    telemetry.end_invocation(detector_restarts=1)
    (metadata,) = json.loads(capsys.readouterr().out)["_aws"]["CloudWatchMetrics"]
    assert metadata["Namespace"] == NAMESPACE
    names = {metric["Name"] for metric in metadata["Metrics"]}
    return names, {tuple(dimensions) for dimensions in metadata["Dimensions"]}


def dashboard_metrics(**values: str) -> Iterator[tuple[str, ...]]:
    """Every metric of the dashboard: namespace, name, dimension, value."""
    body = json.loads(render(**values).properties("Dashboard")["DashboardBody"])
    for widget in body["widgets"]:
        above: list[str] = []
        for row in widget["properties"]["metrics"]:
            texts = [cell for cell in row if isinstance(cell, str)]
            if texts[0] == "...":
                texts = above[: len(above) - len(texts) + 1] + texts[1:]
            above = [above[column] if text == "." else text for column, text in enumerate(texts)]
            yield tuple(above)


def test_the_dashboard_shows_every_metric_of_the_worker(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """And none that the worker does not emit."""
    names, dimensions = emitted_metrics(capsys)
    shown = [metric for metric in dashboard_metrics() if metric[0] == NAMESPACE]
    assert {name for _, name, *_ in shown} == names
    assert dimensions == {("service",)}
    assert {tuple(dimension) for _, _, *dimension in shown} == {("service", SERVICE)}


def test_the_dashboard_shows_the_stacks_own_queues_and_function() -> None:
    """AWS has these metrics, and they are of this stack's resources."""
    shown = {metric for metric in dashboard_metrics() if metric[0] != NAMESPACE}
    assert {namespace for namespace, *_ in shown} == METRICS_OF_AWS.keys()
    for namespace, name, dimension, value in shown:
        assert name in METRICS_OF_AWS[namespace]
        allowed_dimension, resources = DIMENSIONS_OF_AWS[namespace]
        assert dimension == allowed_dimension
        assert value in resources


def alarms(**values: str) -> dict[str, Node]:
    """The alarms of the stack."""
    return render(**values).of_type("AWS::CloudWatch::Alarm")


def test_alarms_watch_dead_letters_age_errors_and_throttles() -> None:
    """Each of the resource that it is named after."""
    watched = {
        (
            alarm["Namespace"],
            alarm["MetricName"],
            *((dimension["Name"], dimension["Value"]) for dimension in alarm["Dimensions"]),
        )
        for alarm in alarms().values()
    }
    assert watched == {
        (
            "AWS/SQS",
            "ApproximateNumberOfMessagesVisible",
            ("QueueName", "DeadLetterQueue.QueueName"),
        ),
        ("AWS/SQS", "ApproximateAgeOfOldestMessage", ("QueueName", "Queue.QueueName")),
        ("AWS/Lambda", "Errors", ("FunctionName", "Worker")),
        ("AWS/Lambda", "Throttles", ("FunctionName", "Worker")),
    }


def test_existing_queues_are_watched_by_name() -> None:
    """By the dashboard and by the two alarms."""
    shown = {
        value for namespace, _, _, value in dashboard_metrics(**EXISTING) if "SQS" in namespace
    }
    watched = {
        alarm["Dimensions"][0]["Value"]
        for alarm in alarms(**EXISTING).values()
        if alarm["Namespace"] == "AWS/SQS"
    }
    assert shown == watched == {"jobs", "dead-letters"}


def test_one_dead_letter_is_enough() -> None:
    """One error or throttled call, too."""
    for name in ("DeadLettersAlarm", "ErrorsAlarm", "ThrottlesAlarm"):
        alarm = alarms()[name]
        assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("GreaterThanThreshold", 0)


def test_alarms_go_to_the_topic_if_there_is_one() -> None:
    """Both when they begin and when they end."""
    for alarm in alarms(AlarmTopicArn=TOPIC).values():
        assert alarm["AlarmActions"] == alarm["OKActions"] == [TOPIC]
    for alarm in alarms().values():
        assert not alarm.keys() & {"AlarmActions", "OKActions"}
