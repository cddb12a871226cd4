"""The template, made plain CloudFormation and deployed into the embedded services.

They know queues, buckets, tables, functions and mappings, and evaluate the
template by themselves; of policies on queues and buckets and of alarms they know
nothing, so those are left to the tests of the rendered template.
"""

import itertools
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import boto3
import pytest

from landmarks import LandmarkTable
from landmarks.errors import CorruptImageError
from landmarks.job import Job
from tests.fakes import Context, person, seen_person
from tests.infra.cloudformation import Node, parameter_values, render, transform_template
from worker.composition import build_handler
from worker.detector.pool import DetectorPool
from worker.model import ModelOptions
from worker.result import ObjectIdentity, Result
from worker.settings import Settings
from worker.table import ResultsTable

pytestmark = pytest.mark.filterwarnings("ignore:Tried to parse AWS.*not supported by moto")

KEY = "photos/café 1+1.jpg"

_NUMBERS = itertools.count(1)


@dataclass(frozen=True)
class Deployment:
    """A stack in the embedded services."""

    name: str
    outputs: Mapping[str, str]

    @property
    def environment(self) -> dict[str, str]:
        """The variables of the created function, Lambda's own included."""
        function = boto3.client("lambda").get_function_configuration(
            FunctionName=self.outputs["FunctionName"]
        )
        megabytes = str(function["MemorySize"])
        return {
            **function["Environment"]["Variables"],
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": megabytes,
        }

    def queue_attributes(self, output: str) -> Mapping[str, str]:
        """All attributes of one of the two queues."""
        answer = boto3.client("sqs").get_queue_attributes(
            QueueUrl=self.outputs[output], AttributeNames=["All"]
        )
        return {str(name): value for name, value in answer["Attributes"].items()}

    def mapping(self) -> Mapping[str, Node]:
        """The one event source mapping of the function."""
        mappings: list[dict[str, Node]] = boto3.client("lambda").list_event_source_mappings(
            FunctionName=self.outputs["FunctionName"]
        )["EventSourceMappings"]
        (mapping,) = mappings
        return mapping

    def items(self, key: str) -> list[dict[str, Node]]:
        """What a reader of the created table finds of an object."""
        items: list[dict[str, Node]] = boto3.client("dynamodb").query(
            TableName=self.outputs["ResultsTable"],
            KeyConditionExpression="object_key = :key",
            ExpressionAttributeValues={":key": {"S": key}},
        )["Items"]
        return items


def deploy(**parameters: str) -> Deployment:
    """Create a stack as `sam deploy` does: plain CloudFormation, and every parameter given."""
    name = f"deployed-{next(_NUMBERS)}-{os.getpid()}"
    client = boto3.client("cloudformation")
    template = transform_template()
    # moto knows no conditions of outputs, and would export what is not there.
    wanted = render(**parameters).outputs
    template["Outputs"] = {key: template["Outputs"][key] for key in wanted}
    # It leaves a hole where AWS::NoValue stands in a list, and then refuses that in a policy.
    operators = template["Resources"]["OperatorPolicy"]["Properties"]["PolicyDocument"]
    if "ExistingImageBucketKeyArn" not in parameters:
        operators["Statement"] = [part for part in operators["Statement"] if "Fn::If" not in part]
    client.create_stack(
        StackName=name,
        TemplateBody=json.dumps(template),
        Parameters=[
            {"ParameterKey": key, "ParameterValue": value}
            for key, value in parameter_values(**parameters).items()
        ],
        Capabilities=["CAPABILITY_IAM"],
    )
    (stack,) = client.describe_stacks(StackName=name)["Stacks"]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    return Deployment(
        name, {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    )


@pytest.fixture(scope="module")
def deployment(services: None) -> Deployment:  # noqa: ARG001, it has to run
    """The stack that whoever changes no parameter gets."""
    return deploy()


@pytest.fixture
def invocations(monkeypatch: pytest.MonkeyPatch) -> list[Node]:
    """The events that functions would get, which the embedded services run in Docker."""
    events: list[Node] = []

    def invoke(_function: object, event: Node) -> tuple[str, bool, str]:
        events.append(event)
        return '{"batchItemFailures": []}', False, ""

    monkeypatch.setattr("moto.awslambda.models.LambdaFunction._invoke_lambda", invoke)
    return events


def test_dead_letters_go_to_the_created_queue(deployment: Deployment) -> None:
    """The created queue hands messages to the created dead-letter queue after eight receives."""
    queue = deployment.queue_attributes("QueueUrl")
    dead_letters = deployment.queue_attributes("DeadLetterQueueUrl")
    assert json.loads(queue["RedrivePolicy"]) == {
        "deadLetterTargetArn": deployment.outputs["DeadLetterQueueArn"],
        "maxReceiveCount": 8,
    }
    assert dead_letters["QueueArn"] == deployment.outputs["DeadLetterQueueArn"]
    assert int(dead_letters["MessageRetentionPeriod"]) > int(queue["MessageRetentionPeriod"])


def test_the_created_queue_waits_long_enough(deployment: Deployment) -> None:
    """The created queue hides messages for six times the function's timeout and the window."""
    function = boto3.client("lambda").get_function_configuration(
        FunctionName=deployment.outputs["FunctionName"]
    )
    window = deployment.mapping()["MaximumBatchingWindowInSeconds"]
    visibility = int(deployment.queue_attributes("QueueUrl")["VisibilityTimeout"])
    assert visibility == 6 * int(function["Timeout"]) + int(window)


def test_the_created_mapping_joins_queue_and_function(deployment: Deployment) -> None:
    """The created mapping is enabled, from the created queue to the created function."""
    mapping = deployment.mapping()
    assert mapping["State"] == "Enabled"
    assert mapping["EventSourceArn"] == deployment.outputs["QueueArn"]
    assert mapping["FunctionArn"] == deployment.outputs["FunctionArn"]
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["BatchSize"] == 10
    assert int(mapping["ScalingConfig"]["MaximumConcurrency"]) == 10


def test_the_worker_starts_with_the_created_functions_environment(deployment: Deployment) -> None:
    """The settings of the created function name the created table, bucket and queues."""
    assert Settings.from_environment(deployment.environment) == Settings(
        results_table=deployment.outputs["ResultsTable"],
        image_bucket=deployment.outputs["ImageBucket"],
        allowed_buckets=frozenset({deployment.outputs["ImageBucket"]}),
        queue_url=deployment.outputs["QueueUrl"],
        max_receive_count=8,
        dead_letter_queue_url=deployment.outputs["DeadLetterQueueUrl"],
    )


def test_a_message_becomes_an_item(
    deployment: Deployment, invocations: list[Node], detectors: DetectorPool
) -> None:
    """A job on the created queue comes by the created mapping, and its result into the table."""
    body = json.dumps({"key": KEY})
    boto3.client("s3").put_object(Bucket=deployment.outputs["ImageBucket"], Key=KEY, Body=person())
    sqs = boto3.client("sqs")
    sent = sqs.send_message(QueueUrl=deployment.outputs["QueueUrl"], MessageBody=body)
    (event,) = invocations
    (record,) = event["Records"]
    assert record["eventSourceARN"] == deployment.outputs["QueueArn"]
    assert (record["messageId"], record["body"]) == (sent["MessageId"], body)

    settings = Settings.from_environment({**deployment.environment, "MODEL_COMPLEXITY": "1"})
    handler = build_handler(settings, detectors)
    assert handler.handle(event, Context()) == {"batchItemFailures": []}
    handler._pipeline.close()
    (item,) = deployment.items(KEY)
    assert item["status"] == {"S": "detected"}
    assert item["message_id"] == {"S": sent["MessageId"]}


def test_an_unreadable_message_ends_in_the_created_dead_letter_queue(
    deployment: Deployment, invocations: list[Node], detectors: DetectorPool
) -> None:
    """What nobody can read goes where the created function's environment says."""
    sqs = boto3.client("sqs")
    sqs.send_message(QueueUrl=deployment.outputs["QueueUrl"], MessageBody="photo.jpg")
    settings = Settings.from_environment({**deployment.environment, "MODEL_COMPLEXITY": "1"})
    handler = build_handler(settings, detectors)
    handler.handle(invocations[-1], Context())
    handler._pipeline.close()
    (message,) = sqs.receive_message(QueueUrl=deployment.outputs["DeadLetterQueueUrl"])["Messages"]
    assert message["Body"] == "photo.jpg"


def test_the_created_table_takes_results_that_expire(deployment: Deployment) -> None:
    """The worker's item fits the created table's keys, and expires by the table's attribute."""
    table = ResultsTable(deployment.outputs["ResultsTable"], ModelOptions(), ttl_days=30)
    identity = ObjectIdentity("0" * 32, datetime(2026, 1, 2, tzinfo=UTC), size_bytes=48_151)
    job = Job("camera-roll", "broken.jpg")
    cut = CorruptImageError("cut off")
    assert table.save(Result(job, identity, cut))
    (item,) = deployment.items("broken.jpg")
    template = transform_template()["Resources"]["ResultsTable"]["Properties"]
    assert item[template["TimeToLiveSpecification"]["AttributeName"]].keys() == {"N"}
    assert item["bucket"] == {"S": "camera-roll"}


def test_the_created_index_lists_a_directory(deployment: Deployment) -> None:
    """A stack with the index lists by it, one without by its whole table, both the same."""
    indexed = deploy(PrefixIndex="true")
    assert indexed.outputs["PrefixIndexName"] == "by-prefix"
    assert "PrefixIndexName" not in deployment.outputs
    identity = ObjectIdentity("0" * 32, datetime(2026, 1, 2, tzinfo=UTC), size_bytes=48_151)
    for stack in (deployment, indexed):
        name = stack.outputs["ResultsTable"]
        for key in ("listed/a.jpg", "listed/b/c.jpg"):
            result = Result(Job("camera-roll", key), identity, seen_person())
            assert ResultsTable(name, ModelOptions()).save(result)

        listing = LandmarkTable(name).list("camera-roll", "listed/")

        assert [found.key for found in listing] == ["listed/a.jpg"]
        assert listing.by_index == (stack is indexed)


def test_the_created_stream_is_the_tables() -> None:
    """Whoever takes the stack's output follows the created table; unasked there is no output."""
    outputs = deploy(ResultsStream="NEW_IMAGE").outputs
    table = boto3.client("dynamodb").describe_table(TableName=outputs["ResultsTable"])["Table"]
    assert table["LatestStreamArn"] == outputs["ResultsStreamArn"]
    assert table["StreamSpecification"]["StreamViewType"] == "NEW_IMAGE"


def test_logs_are_forgotten(deployment: Deployment) -> None:
    """The created log group has the retention of the parameter."""
    (group,) = boto3.client("logs").describe_log_groups(
        logGroupNamePrefix=f"/aws/lambda/{deployment.name}"
    )["logGroups"]
    assert group["retentionInDays"] == 30


def test_the_created_dashboard_names_the_created_resources(deployment: Deployment) -> None:
    """The dashboard shows the queues and the function under the names that they were given."""
    body = boto3.client("cloudwatch").get_dashboard(
        DashboardName=deployment.outputs["DashboardName"]
    )["DashboardBody"]
    cells = {
        cell
        for widget in json.loads(body)["widgets"]
        for row in widget["properties"]["metrics"]
        for cell in row
        if isinstance(cell, str)
    }
    queues = (deployment.outputs[name] for name in ("QueueArn", "DeadLetterQueueArn"))
    names = {deployment.outputs["FunctionName"], *(arn.split(":")[-1] for arn in queues)}
    assert names <= cells


def test_a_second_stack_on_an_existing_bucket(deployment: Deployment) -> None:
    """A stack beside the first one uses the bucket that it is given and shares nothing else."""
    bucket = deployment.outputs["ImageBucket"]
    before = boto3.client("s3").list_buckets()["Buckets"]
    second = deploy(ExistingImageBucket=bucket, FunctionTimeoutSeconds="300")
    assert boto3.client("s3").list_buckets()["Buckets"] == before
    shared = {name for name in second.outputs if second.outputs[name] == deployment.outputs[name]}
    assert shared == {"ImageBucket"}
    assert second.environment["IMAGE_BUCKET"] == bucket
    assert second.queue_attributes("QueueUrl")["VisibilityTimeout"] == "1800"
