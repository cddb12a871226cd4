"""Every policy of the stack: who may do what."""

from collections.abc import Iterator

import pytest

from tests.events import ACCOUNT, REGION
from tests.infra.cloudformation import STACK_GUID, Node, Stack, render

KEY_ARN = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"

# Parameters that change policies.
VARIANTS = [
    {},
    {"BucketNotifications": "true"},
    {"ExistingImageBucket": "camera-roll", "ExistingImageBucketKeyArn": KEY_ARN},
    {"ExistingImageBucket": "camera-roll", "BucketNotifications": "true"},
    {"PrefixIndex": "true"},
    {"SegmentationBucket": "masks"},
]
# Actions that IAM cannot limit to a resource:
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncloudwatch.html
WITHOUT_RESOURCES = {"cloudwatch:GetMetricStatistics"}
# Actions on a bucket's objects, and on a stack, which is checked by name before its id is known.
WITH_WILDCARDS = ("s3:GetObject", "s3:PutObject", "cloudformation:DescribeStacks")
STACK_ARN = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/landmark-worker/*"
CREATED_BUCKET = f"landmark-images-{STACK_GUID}"


def policy_documents(node: Node) -> Iterator[Node]:
    """Every policy document in the stack."""
    children = list(node.values()) if isinstance(node, dict) else node
    if isinstance(node, dict):
        yield from (body for key, body in node.items() if key.endswith("PolicyDocument"))
    for child in children:
        if isinstance(child, dict | list):
            yield from policy_documents(child)


def statements(stack: Stack, effect: str) -> list[Node]:
    """All statements that allow, or deny."""
    return [
        statement
        for document in policy_documents(dict(stack.resources))
        for statement in document["Statement"]
        if statement["Effect"] == effect
    ]


def granted(document: Node) -> set[tuple[str, str]]:
    """The actions that a policy allows, each with its resource."""
    return {(statement["Action"], statement["Resource"]) for statement in document["Statement"]}


def operator_permissions(**values: str) -> set[tuple[str, str]]:
    """What the policy for operators allows."""
    return granted(render(**values).properties("OperatorPolicy")["PolicyDocument"])


def worker_permissions(**values: str) -> set[tuple[str, str]]:
    """What the function's role allows."""
    (policy,) = render(**values).properties("WorkerRole")["Policies"]
    return granted(policy["PolicyDocument"])


@pytest.mark.parametrize("values", VARIANTS)
def test_one_action_on_one_resource(values: dict[str, str]) -> None:
    """Wildcards are a bucket's objects, a stack's id, and the resource of an action without any."""
    allowing = statements(render(**values), "Allow")
    assert len(allowing) > 10, "the policies have not been found"
    for statement in allowing:
        action = statement["Action"]
        resource = statement.get("Resource", "")  # the trust policy has none
        assert isinstance(action, str)
        assert "*" not in action
        assert isinstance(resource, str)
        if action in WITHOUT_RESOURCES:
            assert resource == "*"
            continue
        assert "*" not in resource.removesuffix("/*")
        assert not resource.endswith("/*") or action.startswith(WITH_WILDCARDS)
        assert statement.get("Principal") != "*"


@pytest.mark.parametrize(
    ("values", "bucket"),
    [({}, "ImageBucket"), ({"ExistingImageBucket": "camera-roll"}, "camera-roll")],
)
def test_the_worker_has_the_permissions_that_it_uses(values: dict[str, str], bucket: str) -> None:
    """On its queue, bucket, table and log group."""
    assert worker_permissions(**values) == {
        ("sqs:ReceiveMessage", "Queue.Arn"),
        ("sqs:DeleteMessage", "Queue.Arn"),
        ("sqs:GetQueueAttributes", "Queue.Arn"),
        ("sqs:ChangeMessageVisibility", "Queue.Arn"),
        ("sqs:SendMessage", "DeadLetterQueue.Arn"),
        ("s3:GetObject", f"arn:aws:s3:::{bucket}/*"),
        ("s3:GetObjectVersion", f"arn:aws:s3:::{bucket}/*"),
        ("s3:ListBucket", f"arn:aws:s3:::{bucket}"),
        ("dynamodb:BatchGetItem", "ResultsTable.Arn"),
        ("dynamodb:GetItem", "ResultsTable.Arn"),
        ("dynamodb:PutItem", "ResultsTable.Arn"),
        ("logs:CreateLogStream", "WorkerLogs.Arn"),
        ("logs:PutLogEvents", "WorkerLogs.Arn"),
    }


def test_the_worker_may_decrypt_where_the_bucket_has_a_key() -> None:
    """With the key of the existing bucket, and no other."""
    without = worker_permissions(ExistingImageBucket="camera-roll")
    values = {"ExistingImageBucket": "camera-roll", "ExistingImageBucketKeyArn": KEY_ARN}
    assert worker_permissions(**values) - without == {("kms:Decrypt", KEY_ARN)}


def test_the_worker_may_write_masks() -> None:
    """In the bucket for masks, where there is one."""
    added = worker_permissions(SegmentationBucket="masks") - worker_permissions()
    assert added == {("s3:PutObject", "arn:aws:s3:::masks/*")}


def test_the_worker_has_one_role_and_no_policy_of_aws() -> None:
    """A managed policy would allow more than the template says."""
    stack = render()
    (role,) = stack.of_type("AWS::IAM::Role").values()
    assert "ManagedPolicyArns" not in role
    assert stack.properties("Worker")["Role"] == "WorkerRole.Arn"
    assert not stack.of_type("AWS::IAM::Policy")


def test_producers_may_only_send() -> None:
    """To the queue, and nothing else."""
    document = render().properties("ProducerPolicy")["PolicyDocument"]
    assert granted(document) == {("sqs:SendMessage", "Queue.Arn")}


def test_readers_may_only_query() -> None:
    """The policy for readers allows to query the table and nothing else."""
    document = render().properties("ReaderPolicy")["PolicyDocument"]
    assert granted(document) == {("dynamodb:Query", "ResultsTable.Arn")}


def test_readers_may_query_the_index_where_there_is_one() -> None:
    """And still nothing else; the worker needs no more than without it."""
    document = render(PrefixIndex="true").properties("ReaderPolicy")["PolicyDocument"]
    assert granted(document) == {
        ("dynamodb:Query", "ResultsTable.Arn"),
        ("dynamodb:Query", "ResultsTable.Arn/index/by-prefix"),
    }
    assert worker_permissions(PrefixIndex="true") == worker_permissions()


@pytest.mark.parametrize(
    ("values", "bucket"),
    [({}, "ImageBucket"), ({"ExistingImageBucket": "camera-roll"}, "camera-roll")],
)
def test_operators_have_the_permissions_that_the_command_needs(
    values: dict[str, str], bucket: str
) -> None:
    """tests/integration/test_command_permissions.py runs it to see what it needs."""
    assert operator_permissions(**values) == {
        ("sqs:GetQueueAttributes", "Queue.Arn"),
        ("sqs:SendMessage", "Queue.Arn"),
        ("sqs:GetQueueAttributes", "DeadLetterQueue.Arn"),
        ("sqs:GetQueueUrl", "DeadLetterQueue.Arn"),
        ("sqs:ReceiveMessage", "DeadLetterQueue.Arn"),
        ("sqs:ChangeMessageVisibility", "DeadLetterQueue.Arn"),
        ("sqs:DeleteMessage", "DeadLetterQueue.Arn"),
        ("sqs:StartMessageMoveTask", "DeadLetterQueue.Arn"),
        ("dynamodb:Query", "ResultsTable.Arn"),
        ("dynamodb:Query", "ResultsTable.Arn/index/by-prefix"),
        ("dynamodb:Scan", "ResultsTable.Arn"),
        ("s3:GetObject", f"arn:aws:s3:::{bucket}/*"),
        ("s3:GetObjectVersion", f"arn:aws:s3:::{bucket}/*"),
        ("s3:ListBucket", f"arn:aws:s3:::{bucket}"),
        ("cloudwatch:GetMetricStatistics", "*"),
        ("cloudformation:DescribeStacks", STACK_ARN),
    }


def test_operators_may_decrypt_where_the_bucket_has_a_key() -> None:
    """With the key of the existing bucket, and no other."""
    without = operator_permissions(ExistingImageBucket="camera-roll")
    values = {"ExistingImageBucket": "camera-roll", "ExistingImageBucketKeyArn": KEY_ARN}
    assert operator_permissions(**values) - without == {("kms:Decrypt", KEY_ARN)}


@pytest.mark.parametrize("values", [{"PrefixIndex": "true"}, {"SegmentationBucket": "masks"}])
def test_operators_need_no_more_with_an_index_or_masks(values: dict[str, str]) -> None:
    """The index is allowed in any case, and no command reads masks."""
    assert operator_permissions(**values) == operator_permissions()


@pytest.mark.parametrize(
    ("policy", "kind", "name", "action", "resources"),
    [
        ("QueuePolicy", "Queues", ["https://Queue"], "sqs:*", "Queue.Arn"),
        (
            "DeadLetterQueuePolicy",
            "Queues",
            ["https://DeadLetterQueue"],
            "sqs:*",
            "DeadLetterQueue.Arn",
        ),
        (
            "ImageBucketPolicy",
            "Bucket",
            "ImageBucket",
            "s3:*",
            ["ImageBucket.Arn", "ImageBucket.Arn/*"],
        ),
    ],
)
def test_only_tls(
    policy: str, kind: str, name: str | list[str], action: str, resources: str | list[str]
) -> None:
    """Queues and bucket deny every request without TLS."""
    properties = render().properties(policy)
    assert properties[kind] == name
    assert properties["PolicyDocument"]["Statement"] == [
        {
            "Sid": "OnlyTls",
            "Effect": "Deny",
            "Principal": "*",
            "Action": action,
            "Resource": resources,
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
    ]


def test_every_queue_and_bucket_has_its_policy() -> None:
    """The test above covers them all."""
    stack = render()
    queues = [
        url
        for policy in stack.of_type("AWS::SQS::QueuePolicy").values()
        for url in policy["Queues"]
    ]
    assert sorted(queues) == sorted(f"https://{name}" for name in stack.of_type("AWS::SQS::Queue"))
    assert stack.of_type("AWS::S3::Bucket").keys() == {"ImageBucket"}


@pytest.mark.parametrize(
    ("values", "bucket"),
    [({}, CREATED_BUCKET), ({"ExistingImageBucket": "camera-roll"}, "camera-roll")],
)
def test_only_the_bucket_may_notify(values: dict[str, str], bucket: str) -> None:
    """S3 may send to the queue on behalf of this bucket of this account."""
    document = render(**values, BucketNotifications="true").properties("QueuePolicy")
    _, statement = document["PolicyDocument"]["Statement"]
    assert statement == {
        "Sid": "BucketNotifies",
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": "Queue.Arn",
        "Condition": {
            "StringEquals": {"aws:SourceAccount": ACCOUNT},
            "ArnEquals": {"aws:SourceArn": f"arn:aws:s3:::{bucket}"},
        },
    }
