"""What docs/deploy.md says that a deployer may do, and that a key has to allow."""

import json
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase

import pytest
from cfnlint.schema.manager import (  # type: ignore[import-untyped]
    PROVIDER_SCHEMA_MANAGER,
)

from tests.events import ACCOUNT, REGION
from tests.infra.cloudformation import ROOT, Node, render
from tests.infra.test_permissions import actions
from tests.integration.docs.pages import blocks

PAGE = ROOT / "docs" / "deploy.md"
DEPLOYER, KEY_POLICY = (json.loads(block.text) for block in blocks(PAGE, "json"))

# How AWS names resources of each type, by the name from the template or from CloudFormation.
ARNS = {
    "AWS::CloudWatch::Alarm": f"cloudwatch:{REGION}:{ACCOUNT}:alarm:%s",
    "AWS::CloudWatch::Dashboard": f"cloudwatch::{ACCOUNT}:dashboard/%s",
    "AWS::DynamoDB::Table": f"dynamodb:{REGION}:{ACCOUNT}:table/%s",
    "AWS::IAM::ManagedPolicy": f"iam::{ACCOUNT}:policy/%s",
    "AWS::IAM::Role": f"iam::{ACCOUNT}:role/%s",
    "AWS::Lambda::EventSourceMapping": f"lambda:{REGION}:{ACCOUNT}:event-source-mapping:%s",
    "AWS::Lambda::Function": f"lambda:{REGION}:{ACCOUNT}:function:%s",
    "AWS::Logs::LogGroup": f"logs:{REGION}:{ACCOUNT}:log-group:%s",
    "AWS::S3::Bucket": "s3:::%s",
    "AWS::S3::BucketPolicy": "s3:::%s",
    "AWS::SQS::Queue": f"sqs:{REGION}:{ACCOUNT}:%s",
    "AWS::SQS::QueuePolicy": f"sqs:{REGION}:{ACCOUNT}:%s",
}
NAMES = ("BucketName", "DashboardName", "LogGroupName", "QueueName")
STACK = render(BucketNotifications="true", PrefixIndex="true")


def declared(kind: str) -> set[str]:
    """The permissions that CloudFormation needs to create, change and delete a resource."""
    handlers = PROVIDER_SCHEMA_MANAGER.get_resource_schema(REGION, kind).schema["handlers"]
    return {
        action
        for operation in ("create", "read", "update", "delete")
        for action in handlers.get(operation, {"permissions": []})["permissions"]
    }


def arn(name: str, resource: Node) -> str:
    """What AWS calls a resource of the stack."""
    properties = resource["Properties"]
    if name == "ImageBucketPolicy":
        properties = STACK.properties("ImageBucket")
    given = [str(properties[key]) for key in NAMES if key in properties]
    return f"arn:aws:{ARNS[resource['Type']]}" % (*given, f"landmark-worker-{name}-1AB2")[0]


def allowed(action: str, resource: str) -> bool:
    """Whether the page's policy allows an action on a resource of this account."""
    return any(
        fnmatchcase(action, pattern) and fnmatchcase(resource, scope)
        for statement in DEPLOYER["Statement"]
        for pattern in actions(statement)
        for scope in _scopes(statement)
    )


def _scopes(statement: Node) -> Iterator[str]:
    scopes = statement["Resource"]
    for scope in [scopes] if isinstance(scopes, str) else scopes:
        yield scope.replace("111122223333", ACCOUNT)


@pytest.mark.parametrize("name", STACK.resources)
def test_the_deployer_may_do_what_each_resource_needs(name: str) -> None:
    """In the resource's own service, as its type declares."""
    resource = STACK.resources[name]
    service = resource["Type"].split("::")[1].lower()
    needed = {action for action in declared(resource["Type"]) if action.startswith(f"{service}:")}
    assert needed
    assert [action for action in needed if not allowed(action, arn(name, resource))] == []


def test_the_deployer_passes_the_role_and_nothing_else() -> None:
    """Roles of other stacks stay out of reach."""
    assert allowed("iam:PassRole", arn("WorkerRole", STACK.resources["WorkerRole"]))
    for action in ("iam:PassRole", "iam:CreateRole", "iam:PutRolePolicy"):
        assert not allowed(action, f"arn:aws:iam::{ACCOUNT}:role/Admin")


def test_the_page_names_what_a_key_and_a_vpc_need() -> None:
    """Except for aliases, which the template does not take, and grants, which end by themselves."""
    text = re.sub(r"```.*?```", "", PAGE.read_text("utf-8"), flags=re.DOTALL)
    for service in ("kms", "ec2"):
        needed = {
            action
            for kind in {resource["Type"] for resource in STACK.resources.values()}
            for action in declared(kind)
            if action.startswith(f"{service}:")
        }
        assert set(re.findall(rf"`({service}:\w+)`", text)) == needed - {
            "kms:ListAliases",
            "kms:RevokeGrant",
        }


def test_the_keys_policy_is_for_the_stacks_log() -> None:
    """By its name, which CloudWatch Logs demands."""
    (log,) = (s for s in KEY_POLICY["Statement"] if s["Sid"] == "Log")
    (group,) = log["Condition"]["ArnEquals"].values()
    assert group.endswith(f":log-group:{STACK.properties('WorkerLogs')['LogGroupName']}")
