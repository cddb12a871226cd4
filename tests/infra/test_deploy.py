"""The template deployed into moto, which knows queues, buckets, tables, functions and mappings."""

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
from tests.infra.cloudformation import (
    Node,
    conditions,
    parameter_values,
    render,
    transform_template,
)
from tests.infra.test_permissions import KEY_ARN, VPC
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
    """A deployed stack."""

    name: str
    outputs: Mapping[str, str]

    @property
    def environment(self) -> dict[str, str]:
        """The function's environment, Lambda's own variable included."""
        function = boto3.client("lambda").get_function_configuration(
            FunctionName=self.outputs["FunctionName"]
        )
        megabytes = str(function["MemorySize"])
        return {
            **function["Environment"]["Variables"],
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": megabytes,
        }

    def queue_attributes(self, output: str) -> Mapping[str, str]:
        """The attributes of the queue that an output names."""
        answer = boto3.client("sqs").get_queue_attributes(
            QueueUrl=self.outputs[output], AttributeNames=["All"]
        )
        return {str(name): value for name, value in answer["Attributes"].items()}

    def items(self, key: str) -> list[dict[str, Node]]:
        """The items of an object."""
        items: list[dict[str, Node]] = boto3.client("dynamodb").query(
            TableName=self.outputs["ResultsTable"],
            KeyConditionExpression="object_key = :key",
            ExpressionAttributeValues={":key": {"S": key}},
        )["Items"]
        return items


def deploy(**parameters: str) -> Deployment:
    """Create a stack as `sam deploy` does."""
    name = f"deployed-{next(_NUMBERS)}-{os.getpid()}"
    client = boto3.client("cloudformation")
    template = transform_template()
    # moto ignores the conditions of outputs.
    wanted = render(**parameters).outputs
    template["Outputs"] = {key: template["Outputs"][key] for key in wanted}
    # It puts a hole where AWS::NoValue is in a list, which it then refuses in a policy.
    holding = conditions(**parameters)
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::IAM::ManagedPolicy":
            document = resource["Properties"]["PolicyDocument"]
            document["Statement"] = [
                part
                for part in document["Statement"]
                if "Fn::If" not in part or part["Fn::If"][0] in holding
            ]
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
    """The stack with default parameters."""
    return deploy()


@pytest.fixture
def invocations(monkeypatch: pytest.MonkeyPatch) -> list[Node]:
    """The events of invocations, which moto would run in Docker."""
    events: list[Node] = []

    def invoke(_function: object, event: Node) -> tuple[str, bool, str]:
        events.append(event)
        return '{"batchItemFailures": []}', False, ""

    monkeypatch.setattr("moto.awslambda.models.LambdaFunction._invoke_lambda", invoke)
    return events


def test_dead_letters_go_to_the_dead_letter_queue(deployment: Deployment) -> None:
    """After eight receives, with time left there."""
    queue = deployment.queue_attributes("QueueUrl")
    dead_letters = deployment.queue_attributes("DeadLetterQueueUrl")
    assert json.loads(queue["RedrivePolicy"]) == {
        "deadLetterTargetArn": deployment.outputs["DeadLetterQueueArn"],
        "maxReceiveCount": 8,
    }
    assert dead_letters["QueueArn"] == deployment.outputs["DeadLetterQueueArn"]
    assert int(dead_letters["MessageRetentionPeriod"]) > int(queue["MessageRetentionPeriod"])


def test_the_worker_starts_with_the_functions_environment(deployment: Deployment) -> None:
    """Its settings name the table, bucket and queues of the stack."""
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
    """From the queue through the event source mapping into the table."""
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


def test_an_unreadable_message_becomes_a_dead_letter(
    deployment: Deployment, invocations: list[Node], detectors: DetectorPool
) -> None:
    """In the queue that the function's environment names."""
    sqs = boto3.client("sqs")
    sqs.send_message(QueueUrl=deployment.outputs["QueueUrl"], MessageBody="photo.jpg")
    settings = Settings.from_environment({**deployment.environment, "MODEL_COMPLEXITY": "1"})
    handler = build_handler(settings, detectors)
    handler.handle(invocations[-1], Context())
    handler._pipeline.close()
    (message,) = sqs.receive_message(QueueUrl=deployment.outputs["DeadLetterQueueUrl"])["Messages"]
    assert message["Body"] == "photo.jpg"


def test_results_expire(deployment: Deployment) -> None:
    """By the attribute that the table is told of."""
    table = ResultsTable(deployment.outputs["ResultsTable"], ModelOptions(), ttl_days=30)
    identity = ObjectIdentity("0" * 32, datetime(2026, 1, 2, tzinfo=UTC), size_bytes=48_151)
    job = Job("camera-roll", "broken.jpg")
    cut = CorruptImageError("cut off")
    assert table.save(Result(job, identity, cut))
    (item,) = deployment.items("broken.jpg")
    template = transform_template()["Resources"]["ResultsTable"]["Properties"]
    assert item[template["TimeToLiveSpecification"]["AttributeName"]].keys() == {"N"}
    assert item["bucket"] == {"S": "camera-roll"}


def test_the_index_lists_a_folder(deployment: Deployment) -> None:
    """With and without it the listing is the same."""
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


def test_the_stream_is_that_of_the_table() -> None:
    """The output names it."""
    outputs = deploy(ResultsStream="NEW_IMAGE").outputs
    table = boto3.client("dynamodb").describe_table(TableName=outputs["ResultsTable"])["Table"]
    assert table["LatestStreamArn"] == outputs["ResultsStreamArn"]
    assert table["StreamSpecification"]["StreamViewType"] == "NEW_IMAGE"


def test_a_second_stack_on_an_existing_bucket(deployment: Deployment) -> None:
    """It shares nothing but the bucket."""
    bucket = deployment.outputs["ImageBucket"]
    before = boto3.client("s3").list_buckets()["Buckets"]
    second = deploy(ExistingImageBucket=bucket, FunctionTimeoutSeconds="300")
    assert boto3.client("s3").list_buckets()["Buckets"] == before
    shared = {name for name in second.outputs if second.outputs[name] == deployment.outputs[name]}
    assert shared == {"ImageBucket"}
    assert second.environment["IMAGE_BUCKET"] == bucket
    assert second.queue_attributes("QueueUrl")["VisibilityTimeout"] == "1800"


def test_a_stack_on_existing_queues_and_an_existing_table() -> None:
    """It uses those of the first stack, and creates none."""
    first = deploy()
    shared = {
        "QueueArn": "ExistingQueueArn",
        "DeadLetterQueueArn": "ExistingDeadLetterQueueArn",
        "ResultsTableArn": "ExistingTableArn",
    }
    queues, tables = boto3.client("sqs").list_queues(), boto3.client("dynamodb").list_tables()
    second = deploy(**{parameter: first.outputs[name] for name, parameter in shared.items()})
    assert boto3.client("sqs").list_queues()["QueueUrls"] == queues["QueueUrls"]
    assert boto3.client("dynamodb").list_tables()["TableNames"] == tables["TableNames"]
    for output in (*shared, "QueueUrl", "DeadLetterQueueUrl", "ResultsTable"):
        assert second.outputs[output] == first.outputs[output]
    for variable in ("QUEUE_URL", "DEAD_LETTER_QUEUE_URL", "RESULTS_TABLE"):
        assert second.environment[variable] == first.environment[variable]
    (mapping,) = boto3.client("lambda").list_event_source_mappings(
        FunctionName=second.outputs["FunctionName"]
    )["EventSourceMappings"]
    assert mapping["EventSourceArn"] == first.outputs["QueueArn"]


def test_a_stack_with_a_boundary_a_key_and_a_network() -> None:
    """As AWS then has them; moto's CloudFormation forgets the keys of table and bucket."""
    boundary = "arn:aws:iam::111122223333:policy/developers"
    stack = deploy(PermissionsBoundaryArn=boundary, KmsKeyArn=KEY_ARN, **VPC)
    for output in ("QueueUrl", "DeadLetterQueueUrl"):
        assert stack.queue_attributes(output)["KmsMasterKeyId"] == KEY_ARN
    function = boto3.client("lambda").get_function_configuration(
        FunctionName=stack.outputs["FunctionName"]
    )
    assert function["VpcConfig"]["SubnetIds"] == VPC["SubnetIds"].split(",")
    role = boto3.client("iam").get_role(RoleName=function["Role"].rpartition("/")[2])["Role"]
    assert role["PermissionsBoundary"]["PermissionsBoundaryArn"] == boundary
