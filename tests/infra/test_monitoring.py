"""Logs, alarms and the dashboard: what they show has to exist, and what exists they show."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from landmarks.errors import CorruptImageError, MessageError, ObjectNotFoundError, ServiceError
from landmarks.job import Job
from tests.fakes import seen_nobody, seen_person
from tests.infra.cloudformation import Node, render
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
    """The names and the dimensions of everything that the worker counts."""
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


def dashboard_metrics() -> Iterator[tuple[str, ...]]:
    """Every metric of the dashboard as namespace, name, dimension and its value."""
    body = json.loads(render().properties("Dashboard")["DashboardBody"])
    for widget in body["widgets"]:
        above: list[str] = []
        for row in widget["properties"]["metrics"]:
            texts = [cell for cell in row if isinstance(cell, str)]
            if texts[0] == "...":
                texts = above[: len(above) - len(texts) + 1] + texts[1:]
            above = [above[column] if text == "." else text for column, text in enumerate(texts)]
            yield tuple(above)


def test_the_dashboard_shows_all_that_the_worker_counts(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The worker's metrics and those of the dashboard are the same, dimension included."""
    names, dimensions = emitted_metrics(capsys)
    shown = [metric for metric in dashboard_metrics() if metric[0] == NAMESPACE]
    assert {name for _, name, *_ in shown} == names
    assert dimensions == {("service",)}
    assert {tuple(dimension) for _, _, *dimension in shown} == {("service", SERVICE)}


def test_the_dashboard_shows_the_stacks_own_queues_and_function() -> None:
    """Of AWS's metrics the dashboard names only such as there are, of this stack's resources."""
    shown = {metric for metric in dashboard_metrics() if metric[0] != NAMESPACE}
    assert {namespace for namespace, *_ in shown} == METRICS_OF_AWS.keys()
    for namespace, name, dimension, value in shown:
        assert name in METRICS_OF_AWS[namespace]
        allowed_dimension, resources = DIMENSIONS_OF_AWS[namespace]
        assert dimension == allowed_dimension
        assert value in resources


def test_dashboards_of_two_regions_have_two_names() -> None:
    """Dashboards have one name in all regions, so the region is part of it."""
    name = render().properties("Dashboard")["DashboardName"]
    assert name == "landmark-worker-eu-central-1"


def test_the_dashboard_has_no_gaps_and_no_overlaps() -> None:
    """Two widgets stand beside each other in every row."""
    body = json.loads(render().properties("Dashboard")["DashboardBody"])
    places = [(widget["x"], widget["y"]) for widget in body["widgets"]]
    rows = len(places) // 2
    assert sorted(places) == sorted((x, 6 * row) for x in (0, 12) for row in range(rows))
    assert {(widget["width"], widget["height"]) for widget in body["widgets"]} == {(12, 6)}


def alarms(**values: str) -> dict[str, Node]:
    """The alarms of the stack."""
    return render(**values).of_type("AWS::CloudWatch::Alarm")


def test_what_is_watched() -> None:
    """Dead letters, the queue's age, errors and throttles: each of the resource it is about."""
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


def test_one_dead_letter_is_enough() -> None:
    """A single message in the dead-letter queue, error or throttling counts."""
    for name in ("DeadLettersAlarm", "ErrorsAlarm", "ThrottlesAlarm"):
        alarm = alarms()[name]
        assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("GreaterThanThreshold", 0)


def test_a_stack_without_work_is_no_alarm() -> None:
    """SQS and Lambda report nothing while nothing happens, and that is well."""
    assert {alarm["TreatMissingData"] for alarm in alarms().values()} == {"notBreaching"}


def test_the_age_is_the_parameters() -> None:
    """Whoever wants to hear of older messages only says from which age on."""
    alarm = alarms(AlarmAgeSeconds="7200")["QueueAgeAlarm"]
    assert alarm["Threshold"] == "7200"
    assert alarm["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"


def test_alarms_go_to_the_topic_if_there_is_one() -> None:
    """With a topic every alarm says there when it begins and ends; without one it says nothing."""
    for alarm in alarms(AlarmTopicArn=TOPIC).values():
        assert alarm["AlarmActions"] == alarm["OKActions"] == [TOPIC]
    for alarm in alarms().values():
        assert not alarm.keys() & {"AlarmActions", "OKActions"}


def test_logs_are_kept_as_long_as_asked() -> None:
    """The function writes to the stack's own log group, which forgets.

    As text: CloudWatch then takes the worker's JSON lines, and the metrics in
    them, as they are.
    """
    stack = render(LogRetentionDays="90")
    assert stack.properties("WorkerLogs")["RetentionInDays"] == "90"
    logging = stack.properties("Worker")["LoggingConfig"]
    assert logging == {"LogGroup": "WorkerLogs", "LogFormat": "Text"}
