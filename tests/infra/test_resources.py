"""What the stack consists of, and how its parts are joined."""

from operator import itemgetter

import pytest
from pynamodb.attributes import TTLAttribute

from landmarks.item import LandmarkItem, bind_item
from tests.infra.cloudformation import STACK_GUID, Node, render

NAMES_OF_OUTPUTS = {
    "DashboardName",
    "DeadLetterQueueArn",
    "DeadLetterQueueUrl",
    "FunctionArn",
    "FunctionName",
    "ImageBucket",
    "OperatorPolicyArn",
    "ProducerPolicyArn",
    "QueueArn",
    "QueueUrl",
    "ReaderPolicyArn",
    "ResultsTable",
    "ResultsTableArn",
}


# The function and its queue


def test_only_failed_messages_come_again() -> None:
    """The mapping reads the handler's answer message by message, and has the asked sizes."""
    stack = render(BatchSize="20", BatchWindowSeconds="5", MaximumConcurrency="7")
    assert stack.properties("WorkerJobs") == {
        "BatchSize": "20",
        "EventSourceArn": "Queue.Arn",
        "FunctionName": "Worker",
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "MaximumBatchingWindowInSeconds": "5",
        "ScalingConfig": {"MaximumConcurrency": "7"},
    }


def test_the_function_is_an_image_for_x86() -> None:
    """The function is the image that was built, for the processor that MediaPipe has wheels for."""
    worker = render().properties("Worker")
    assert worker["PackageType"] == "Image"
    assert worker["Architectures"] == ["x86_64"]


def test_failed_messages_end_in_the_dead_letter_queue() -> None:
    """Each of the two queues names the other."""
    stack = render(MaxReceiveCount="6")
    queue, dead_letters = stack.properties("Queue"), stack.properties("DeadLetterQueue")
    assert queue["RedrivePolicy"] == {
        "deadLetterTargetArn": "DeadLetterQueue.Arn",
        "maxReceiveCount": "6",
    }
    allowed = dead_letters["RedriveAllowPolicy"]
    assert allowed["redrivePermission"] == "byQueue"
    assert allowed["sourceQueueArns"] == [
        f"arn:aws:sqs:eu-central-1:111122223333:{queue['QueueName']}"
    ]


def test_queues_are_encrypted() -> None:
    """SQS encrypts both queues with its own keys."""
    queues = render().of_type("AWS::SQS::Queue")
    assert queues.keys() == {"Queue", "DeadLetterQueue"}
    assert all(queue["SqsManagedSseEnabled"] for queue in queues.values())


# The table


def test_the_table_is_the_workers() -> None:
    """The table has the keys and the expiry attribute of the item that the worker writes."""
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


def test_the_table_has_no_index_unasked() -> None:
    """Without the parameter nobody pays for it."""
    stack = render()
    assert "GlobalSecondaryIndexes" not in stack.properties("ResultsTable")
    assert "PrefixIndexName" not in stack.outputs


def test_the_index_is_the_readers() -> None:
    """Keys, projection and name are those by which the reader asks."""
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


def test_the_table_is_safe() -> None:
    """The table is paid by request, recoverable to a point in time and encrypted."""
    table = render().properties("ResultsTable")
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["SSESpecification"] == {"SSEEnabled": True}


def test_the_table_has_no_stream_unasked() -> None:
    """Nor is there an output that would name one."""
    stack = render()
    assert "StreamSpecification" not in stack.properties("ResultsTable")
    assert "ResultsStreamArn" not in stack.outputs


@pytest.mark.parametrize("view", ["KEYS_ONLY", "NEW_IMAGE", "NEW_AND_OLD_IMAGES"])
def test_the_table_has_the_stream_that_is_asked_for(view: str) -> None:
    """Other stacks find it under the stack's name."""
    stack = render(ResultsStream=view)
    table = stack.properties("ResultsTable")
    assert table["StreamSpecification"] == {"StreamViewType": view}
    output = stack.outputs["ResultsStreamArn"]
    assert output["Value"] == "ResultsTable.StreamArn"
    assert output["Export"] == {"Name": "landmark-worker:ResultsStreamArn"}


def test_results_and_photographs_survive_the_stack() -> None:
    """Table and bucket stay when the stack is deleted or has to replace them; nothing else does."""
    for name, resource in render().resources.items():
        kept = name in {"ResultsTable", "ImageBucket"}
        for policy in ("DeletionPolicy", "UpdateReplacePolicy"):
            assert (resource.get(policy) == "Retain") == kept, f"{name} {policy}"


# The bucket


def test_the_bucket_is_private() -> None:
    """No access list and no policy can open the bucket to the public, and it is encrypted."""
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


def test_the_bucket_has_a_name_of_its_own() -> None:
    """The created bucket's name fits S3's rules whatever the stack is called."""
    name = render().properties("ImageBucket")["BucketName"]
    assert name == f"landmark-images-{STACK_GUID}"
    assert len(name) <= 63


def test_an_existing_bucket_is_left_alone() -> None:
    """With an existing bucket the stack creates none, changes none, and the worker reads it."""
    stack = render(ExistingImageBucket="camera-roll")
    assert not stack.of_type("AWS::S3::Bucket")
    assert not stack.of_type("AWS::S3::BucketPolicy")
    variables = stack.properties("Worker")["Environment"]["Variables"]
    assert variables["IMAGE_BUCKET"] == "camera-roll"
    assert stack.outputs["ImageBucket"]["Value"] == "camera-roll"


def test_the_bucket_notifies_nobody_unasked() -> None:
    """Without the parameter no object becomes a job by itself."""
    stack = render()
    assert "NotificationConfiguration" not in stack.properties("ImageBucket")
    assert len(stack.properties("QueuePolicy")["PolicyDocument"]["Statement"]) == 1


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
def test_the_bucket_notifies_of_new_objects(values: dict[str, str], rules: list[Node]) -> None:
    """Every new object becomes a job, or those whose keys begin and end as asked."""
    stack = render(BucketNotifications="true", **values)
    (notification,) = stack.properties("ImageBucket")["NotificationConfiguration"][
        "QueueConfigurations"
    ]
    assert notification.pop("Filter", {"S3Key": {"Rules": []}}) == {"S3Key": {"Rules": rules}}
    assert notification == {"Event": "s3:ObjectCreated:*", "Queue": "Queue.Arn"}


def test_the_bucket_comes_after_the_permission_to_notify() -> None:
    """S3 tries out a notification when it is configured, and would refuse one that is denied."""
    assert render(BucketNotifications="true").resources["ImageBucket"]["DependsOn"] == "QueuePolicy"


# Outputs


def test_outputs_are_complete_and_exported() -> None:
    """Whoever needs a part of the stack finds it, other stacks under the stack's name."""
    outputs = render().outputs
    assert outputs.keys() == NAMES_OF_OUTPUTS
    for name, output in outputs.items():
        assert output["Description"]
        if name != "DashboardName":
            assert output["Export"] == {"Name": f"landmark-worker:{name}"}


def test_outputs_name_what_they_say() -> None:
    """Every output is the name, the address or the ARN of the resource that it is called after."""
    values = {name: output["Value"] for name, output in render().outputs.items()}
    assert values == {
        "DashboardName": "Dashboard",
        "DeadLetterQueueArn": "DeadLetterQueue.Arn",
        "DeadLetterQueueUrl": "https://DeadLetterQueue",
        "FunctionArn": "Worker.Arn",
        "FunctionName": "Worker",
        "ImageBucket": "ImageBucket",
        "OperatorPolicyArn": "OperatorPolicy",
        "ProducerPolicyArn": "ProducerPolicy",
        "QueueArn": "Queue.Arn",
        "QueueUrl": "https://Queue",
        "ReaderPolicyArn": "ReaderPolicy",
        "ResultsTable": "ResultsTable",
        "ResultsTableArn": "ResultsTable.Arn",
    }
