"""Every policy of the stack: who may do what."""

from collections.abc import Iterator

import pytest

from tests.events import ACCOUNT, REGION
from tests.infra.cloudformation import STACK_GUID, Node, Stack, render

KEY_ARN = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
QUEUE_ARN = f"arn:aws:sqs:{REGION}:{ACCOUNT}:jobs"
DEAD_LETTER_QUEUE_ARN = f"arn:aws:sqs:{REGION}:{ACCOUNT}:dead-letters"
TABLE_ARN = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/landmarks"

VPC = {"SubnetIds": "subnet-0a1b2c3d,subnet-4e5f6a7b", "SecurityGroupIds": "sg-0a1b2c3d"}
EXISTING = {
    "ExistingQueueArn": QUEUE_ARN,
    "ExistingDeadLetterQueueArn": DEAD_LETTER_QUEUE_ARN,
    "ExistingTableArn": TABLE_ARN,
}

# Parameters that change policies.
VARIANTS = [
    {},
    {"BucketNotifications": "true"},
    {"ExistingImageBucket": "camera-roll", "ExistingImageBucketKeyArn": KEY_ARN},
    {"ExistingImageBucket": "camera-roll", "BucketNotifications": "true"},
    {"PrefixIndex": "true"},
    {"SegmentationBucket": "masks"},
    {"KmsKeyArn": KEY_ARN, "Tracing": "Active", **VPC},
    {**EXISTING, "PrefixIndex": "true", "KmsKeyArn": KEY_ARN},
]
# What Lambda does with the role: https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
VPC_ACTIONS = {
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
}
TRACING_ACTIONS = {"xray:PutTelemetryRecords", "xray:PutTraceSegments"}
# Actions that IAM, or Lambda, cannot limit to a resource:
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncloudwatch.html
WITHOUT_RESOURCES = {"cloudwatch:GetMetricStatistics"} | VPC_ACTIONS | TRACING_ACTIONS
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


def actions(statement: Node) -> list[str]:
    """The actions of a statement, of which those of the key, the VPC and X-Ray have several."""
    action = statement["Action"]
    return [action] if isinstance(action, str) else action


def granted(document: Node) -> set[tuple[str, str]]:
    """The actions that a policy allows, each with its resource."""
    return {
        (action, statement["Resource"])
        for statement in document["Statement"]
        if statement["Effect"] == "Allow"
        for action in actions(statement)
    }


def operator_permissions(**values: str) -> set[tuple[str, str]]:
    """What the policy for operators allows."""
    return granted(render(**values).properties("OperatorPolicy")["PolicyDocument"])


def worker_permissions(**values: str) -> set[tuple[str, str]]:
    """What the function's role allows."""
    (policy,) = render(**values).properties("WorkerRole")["Policies"]
    return granted(policy["PolicyDocument"])


@pytest.mark.parametrize("values", VARIANTS)
def test_actions_on_one_resource(values: dict[str, str]) -> None:
    """Wildcards are a bucket's objects, a stack's id, and the resource of an action without any."""
    allowing = statements(render(**values), "Allow")
    assert len(allowing) > 10, "the policies have not been found"
    for statement in allowing:
        resource = statement.get("Resource", "")  # the trust policy has none
        assert isinstance(resource, str)
        assert statement.get("Principal") != "*"
        for action in actions(statement):
            assert "*" not in action
            if action in WITHOUT_RESOURCES:
                assert resource == "*"
                continue
            assert "*" not in resource.removesuffix("/*")
            assert not resource.endswith("/*") or action.startswith(WITH_WILDCARDS)


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


def test_the_worker_may_use_the_stacks_key() -> None:
    """To read and write the encrypted queues, table and bucket."""
    added = worker_permissions(KmsKeyArn=KEY_ARN) - worker_permissions()
    assert added == {
        ("kms:Decrypt", KEY_ARN),
        ("kms:DescribeKey", KEY_ARN),
        ("kms:Encrypt", KEY_ARN),
        ("kms:GenerateDataKey", KEY_ARN),
        ("kms:GenerateDataKeyWithoutPlaintext", KEY_ARN),
        ("kms:ReEncryptFrom", KEY_ARN),
        ("kms:ReEncryptTo", KEY_ARN),
    }


@pytest.mark.parametrize(
    ("policy", "key_actions"),
    [
        ("ProducerPolicy", {"kms:Decrypt", "kms:GenerateDataKey"}),
        ("ReaderPolicy", {"kms:Decrypt", "kms:DescribeKey"}),
        ("OperatorPolicy", {"kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"}),
    ],
)
def test_other_roles_may_use_the_stacks_key(policy: str, key_actions: set[str]) -> None:
    """As far as they send to the queue, and read the table or the bucket."""
    with_key, without = (
        granted(render(**values).properties(policy)["PolicyDocument"])
        for values in ({"KmsKeyArn": KEY_ARN}, {})
    )
    assert with_key - without == {(action, KEY_ARN) for action in key_actions}


def test_lambda_may_connect_the_function_to_the_vpc_but_its_code_may_not() -> None:
    """The key is only in requests that are signed inside a function."""
    stack = render(**VPC)
    assert worker_permissions(**VPC) - worker_permissions() == {
        (action, "*") for action in VPC_ACTIONS
    }
    (policy,) = stack.properties("WorkerRole")["Policies"]
    assert [s for s in policy["PolicyDocument"]["Statement"] if s["Effect"] == "Deny"] == [
        {
            "Effect": "Deny",
            "Action": "ec2:*",
            "Resource": "*",
            "Condition": {"Null": {"lambda:SourceFunctionArn": "false"}},
        }
    ]


def test_a_traced_function_may_write_traces() -> None:
    """X-Ray's actions have no resources."""
    added = worker_permissions(Tracing="Active") - worker_permissions()
    assert added == {(action, "*") for action in TRACING_ACTIONS}


def test_permissions_are_for_the_existing_queues_and_table() -> None:
    """The same actions as on those that the stack creates."""
    names = {
        "Queue.Arn": QUEUE_ARN,
        "DeadLetterQueue.Arn": DEAD_LETTER_QUEUE_ARN,
        "ResultsTable.Arn": TABLE_ARN,
        "ResultsTable.Arn/index/by-prefix": f"{TABLE_ARN}/index/by-prefix",
    }

    def existing(permissions: set[tuple[str, str]]) -> set[tuple[str, str]]:
        return {(action, names.get(resource, resource)) for action, resource in permissions}

    assert worker_permissions(**EXISTING) == existing(worker_permissions())
    for policy in ("ProducerPolicy", "ReaderPolicy", "OperatorPolicy"):
        documents = [
            render(PrefixIndex="true", **values).properties(policy)["PolicyDocument"]
            for values in (EXISTING, {})
        ]
        assert granted(documents[0]) == existing(granted(documents[1]))


def test_every_role_has_the_permissions_boundary() -> None:
    """Where the account demands one."""
    boundary = "arn:aws:iam::111122223333:policy/boundaries/developers"
    for arn in (boundary, ""):
        roles = render(PermissionsBoundaryArn=arn).of_type("AWS::IAM::Role")
        assert [role.get("PermissionsBoundary", "") for role in roles.values()] == [arn]


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
        ("dynamodb:Scan", "ResultsTable.Arn/index/by-prefix"),
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
