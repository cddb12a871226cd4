"""The stack's resources, where the worker, the reader or an operator depends on them."""

from operator import itemgetter

import pytest
from pynamodb.attributes import TTLAttribute

from landmarks.item import LandmarkItem, bind_item
from landmarks.job import IMAGE_SUFFIXES
from tests.events import ACCOUNT, REGION
from tests.infra.cloudformation import Node, load_template, render
from tests.infra.test_permissions import (
    DEAD_LETTER_QUEUE_ARN,
    EXISTING,
    KEY_ARN,
    QUEUE_ARN,
    TABLE_ARN,
    VPC,
)

# The function and its queue


def test_only_failed_messages_are_retried() -> None:
    """Lambda takes the handler's answer message by message."""
    stack = render(BatchSize="20", BatchWindowSeconds="5", MaximumConcurrency="7")
    assert stack.properties("WorkerJobs") == {
        "BatchSize": "20",
        "EventSourceArn": "Queue.Arn",
        "FunctionName": "Worker",
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "MaximumBatchingWindowInSeconds": "5",
        "ScalingConfig": {"MaximumConcurrency": "7"},
    }


def test_the_function_is_in_the_subnets_that_are_named() -> None:
    """And in none of them without the parameter."""
    assert "VpcConfig" not in render().properties("Worker")
    assert render(**VPC).properties("Worker")["VpcConfig"] == {
        "SubnetIds": ["subnet-0a1b2c3d", "subnet-4e5f6a7b"],
        "SecurityGroupIds": ["sg-0a1b2c3d"],
    }


@pytest.mark.parametrize("mode", ["PassThrough", "Active"])
def test_invocations_are_traced_as_chosen(mode: str) -> None:
    """PassThrough is what Lambda does by itself."""
    assert render(Tracing=mode).properties("Worker")["TracingConfig"] == {"Mode": mode}


@pytest.mark.parametrize("architecture", ["x86_64", "arm64"])
def test_the_function_has_the_chosen_architecture(architecture: str) -> None:
    """Which `sam build` passes to Docker."""
    stack = render(Architecture=architecture)
    assert stack.properties("Worker")["Architectures"] == [architecture]


def test_queues_are_encrypted() -> None:
    """SQS encrypts both queues with its own keys."""
    queues = render().of_type("AWS::SQS::Queue")
    assert queues.keys() == {"Queue", "DeadLetterQueue"}
    for queue in queues.values():
        assert queue["SqsManagedSseEnabled"]
        assert "KmsMasterKeyId" not in queue


def test_one_key_encrypts_all_that_the_stack_keeps() -> None:
    """Queues, table, log and bucket."""
    stack = render(KmsKeyArn=KEY_ARN)
    for queue in stack.of_type("AWS::SQS::Queue").values():
        assert (queue["SqsManagedSseEnabled"], queue["KmsMasterKeyId"]) == (False, KEY_ARN)
    for group in stack.of_type("AWS::Logs::LogGroup").values():
        assert group["KmsKeyId"] == KEY_ARN
    table, bucket = stack.properties("ResultsTable"), stack.properties("ImageBucket")
    assert table["SSESpecification"] == {
        "SSEEnabled": True,
        "SSEType": "KMS",
        "KMSMasterKeyId": KEY_ARN,
    }
    assert bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"] == [
        {
            "ServerSideEncryptionByDefault": {
                "SSEAlgorithm": "aws:kms",
                "KMSMasterKeyID": KEY_ARN,
            },
            "BucketKeyEnabled": True,
        }
    ]


def test_existing_queues_and_table_are_used_and_left_alone() -> None:
    """The stack creates none, and sets no policy of a queue, which would replace its owner's."""
    stack = render(**EXISTING)
    for kind in ("AWS::SQS::Queue", "AWS::SQS::QueuePolicy", "AWS::DynamoDB::Table"):
        assert not stack.of_type(kind)
    assert stack.properties("WorkerJobs")["EventSourceArn"] == QUEUE_ARN
    variables = stack.properties("Worker")["Environment"]["Variables"]
    urls = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/"
    for variable, output, value in (
        ("QUEUE_URL", "QueueUrl", f"{urls}jobs"),
        ("DEAD_LETTER_QUEUE_URL", "DeadLetterQueueUrl", f"{urls}dead-letters"),
        ("RESULTS_TABLE", "ResultsTable", "landmarks"),
    ):
        assert variables[variable] == stack.outputs[output]["Value"] == value
    for output, arn in (
        ("QueueArn", QUEUE_ARN),
        ("DeadLetterQueueArn", DEAD_LETTER_QUEUE_ARN),
        ("ResultsTableArn", TABLE_ARN),
    ):
        assert stack.outputs[output]["Value"] == arn


# The table


def test_the_table_has_the_keys_of_the_workers_item() -> None:
    """And expires items by its TTL attribute."""
    table = render().properties("ResultsTable")
    keys = {key["KeyType"]: key["AttributeName"] for key in table["KeySchema"]}
    attributes = LandmarkItem.get_attributes()
    assert attributes[keys["HASH"]].is_hash_key
    assert attributes[keys["RANGE"]].is_range_key
    assert {
        definition["AttributeName"]: definition["AttributeType"]
        for definition in table["AttributeDefinitions"]
    } == {name: attributes[name].attr_type for name in keys.values()}
    (expiry,) = (name for name, kind in attributes.items() if isinstance(kind, TTLAttribute))
    assert table["TimeToLiveSpecification"] == {"AttributeName": expiry, "Enabled": True}


def test_the_index_is_the_one_that_the_reader_queries() -> None:
    """Keys, projection and name agree, and without the parameter there is none."""
    assert "GlobalSecondaryIndexes" not in render().properties("ResultsTable")
    stack = render(PrefixIndex="true")
    table = stack.properties("ResultsTable")
    (index,) = bind_item("any", for_reading=True)._indexes.values()
    schema = index._get_schema()

    assert table["GlobalSecondaryIndexes"] == [
        {
            "IndexName": schema["index_name"],
            "KeySchema": sorted(schema["key_schema"], key=itemgetter("KeyType")),
            "Projection": schema["projection"],
        }
    ]
    assert all(key in table["AttributeDefinitions"] for key in schema["attribute_definitions"])
    assert len(table["AttributeDefinitions"]) == 3
    assert stack.outputs["PrefixIndexName"]["Value"] == schema["index_name"]
    assert stack.outputs["PrefixIndexName"]["Export"] == {"Name": "landmark-worker:PrefixIndexName"}


def test_a_stream_is_an_option() -> None:
    """Without the parameter there is neither stream nor output."""
    stack = render()
    assert "StreamSpecification" not in stack.properties("ResultsTable")
    assert "ResultsStreamArn" not in stack.outputs


@pytest.mark.parametrize("view", ["KEYS_ONLY", "NEW_IMAGE", "NEW_AND_OLD_IMAGES"])
def test_other_stacks_import_the_stream(view: str) -> None:
    """Its ARN is exported under the stack's name."""
    stack = render(ResultsStream=view)
    table = stack.properties("ResultsTable")
    assert table["StreamSpecification"] == {"StreamViewType": view}
    output = stack.outputs["ResultsStreamArn"]
    assert output["Value"] == "ResultsTable.StreamArn"
    assert output["Export"] == {"Name": "landmark-worker:ResultsStreamArn"}


def test_results_and_photographs_survive_the_stack() -> None:
    """Table and bucket are kept when the stack is deleted or replaces them; nothing else is."""
    for name, resource in render().resources.items():
        kept = name in {"ResultsTable", "ImageBucket"}
        for policy in ("DeletionPolicy", "UpdateReplacePolicy"):
            assert (resource.get(policy) == "Retain") == kept, f"{name} {policy}"


# The bucket


def test_the_bucket_is_private() -> None:
    """No ACL and no policy can make it public, and it is encrypted."""
    bucket = render().properties("ImageBucket")
    assert bucket["PublicAccessBlockConfiguration"] == {
        "BlockPublicAcls": True,
        "BlockPublicPolicy": True,
        "IgnorePublicAcls": True,
        "RestrictPublicBuckets": True,
    }
    assert bucket["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}


def test_an_existing_bucket_is_left_alone() -> None:
    """The worker reads it, and the stack creates and changes none."""
    stack = render(ExistingImageBucket="camera-roll")
    assert not stack.of_type("AWS::S3::Bucket")
    assert not stack.of_type("AWS::S3::BucketPolicy")
    variables = stack.properties("Worker")["Environment"]["Variables"]
    assert variables["IMAGE_BUCKET"] == "camera-roll"
    assert stack.outputs["ImageBucket"]["Value"] == "camera-roll"


def test_notifications_are_an_option() -> None:
    """Without the parameter no upload becomes a job."""
    stack = render()
    assert "NotificationConfiguration" not in stack.properties("ImageBucket")
    assert len(stack.properties("QueuePolicy")["PolicyDocument"]["Statement"]) == 1


def test_the_bucket_is_created_after_the_policy_that_it_needs() -> None:
    """With notifications of both kinds, CloudFormation sees a reference to the queue's policy."""
    bucket = load_template()["Resources"]["ImageBucket"]["Properties"]
    _, notifications, _ = bucket["NotificationConfiguration"]["Fn::If"]
    _, images, all_objects = notifications["QueueConfigurations"]["Fn::If"]
    for configurations in (images, all_objects):
        first = configurations[0]["Queue"]["Fn::Select"][1]
        assert first == [{"Fn::GetAtt": ["Queue", "Arn"]}, {"Ref": "QueuePolicy"}]


PREFIX = {"Name": "prefix", "Value": "photos/"}
SUFFIX = {"Name": "suffix", "Value": ".jpg"}


@pytest.mark.parametrize(
    ("values", "rules"),
    [
        ({}, []),
        ({"NotificationPrefix": "photos/"}, [PREFIX]),
        ({"NotificationSuffix": ".jpg"}, [SUFFIX]),
        ({"NotificationPrefix": "photos/", "NotificationSuffix": ".jpg"}, [PREFIX, SUFFIX]),
    ],
)
def test_new_objects_become_jobs(values: dict[str, str], rules: list[Node]) -> None:
    """All of them, or those that match prefix and suffix."""
    stack = render(BucketNotifications="true", **values)
    (notification,) = stack.properties("ImageBucket")["NotificationConfiguration"][
        "QueueConfigurations"
    ]
    assert notification.pop("Filter", {"S3Key": {"Rules": []}}) == {"S3Key": {"Rules": rules}}
    assert notification == {"Event": "s3:ObjectCreated:*", "Queue": "Queue.Arn"}


@pytest.mark.parametrize("prefix", ["", "photos/"])
def test_new_images_become_jobs(prefix: str) -> None:
    """Those that `landmarks enqueue` would send, with a suffix in any usual case."""
    stack = render(BucketNotifications="images", NotificationPrefix=prefix)
    notifications = stack.properties("ImageBucket")["NotificationConfiguration"]
    suffixes = []
    for notification in notifications["QueueConfigurations"]:
        *prefixes, suffix = notification.pop("Filter")["S3Key"]["Rules"]
        assert notification == {"Event": "s3:ObjectCreated:*", "Queue": "Queue.Arn"}
        assert prefixes == ([PREFIX] if prefix else [])
        assert suffix.keys() == {"Name", "Value"}
        assert suffix["Name"] == "suffix"
        suffixes.append(suffix["Value"])
    assert suffixes == [
        case
        for suffix in IMAGE_SUFFIXES
        for case in (suffix, f".{suffix[1:].capitalize()}", suffix.upper())
    ]
    assert len(suffixes) <= 100, "S3's limit"
    assert not any(a != b and a.endswith(b) for a in suffixes for b in suffixes), "S3 refuses"
    assert len(stack.properties("QueuePolicy")["PolicyDocument"]["Statement"]) == 2


# Outputs
