"""The example of a stream consumer, and what docs/streams.md shows of it."""

import re
from textwrap import dedent

import pytest
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

from tests.events import REGION
from tests.infra.cloudformation import ROOT, Node

EXAMPLE = ROOT / "examples" / "stream-consumer"
TEMPLATE = (EXAMPLE / "template.yaml").read_text("utf-8")
DOCS = (ROOT / "docs" / "streams.md").read_text("utf-8")

STREAM_POLICY = "AWSLambdaDynamoDBExecutionRole"


class _ManagedPolicies:
    """AWS's policy for functions that read a stream."""

    def load(self) -> dict[str, str]:
        return {STREAM_POLICY: f"arn:aws:iam::aws:policy/service-role/{STREAM_POLICY}"}


@pytest.fixture
def resources(monkeypatch: pytest.MonkeyPatch) -> Node:
    """Plain CloudFormation."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    template = yaml_parse(TEMPLATE)
    # `sam package` uploads the code and says where it is.
    template["Resources"]["Consumer"]["Properties"]["CodeUri"] = "s3://code/consumer.zip"
    return transform(template, {}, _ManagedPolicies())["Resources"]


def test_failed_records_are_retried_and_end_in_a_queue(resources: Node) -> None:
    """Record by record, five times."""
    mapping = resources["ConsumerResults"]["Properties"]
    assert mapping["EventSourceArn"] == {"Ref": "ResultsStreamArn"}
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["BisectBatchOnFunctionError"] is True
    assert mapping["MaximumRetryAttempts"] == 5
    assert mapping["DestinationConfig"] == {
        "OnFailure": {"Destination": {"Fn::GetAtt": ["Failures", "Arn"]}}
    }


def test_the_function_may_read_the_stream_and_send_to_its_queues(resources: Node) -> None:
    """And nothing else."""
    role = resources["ConsumerRole"]["Properties"]
    managed = {arn.rpartition("/")[2] for arn in map(str, role["ManagedPolicyArns"])}
    assert STREAM_POLICY in managed
    statements = [
        statement
        for policy in role["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
    ]
    actions = {str(action) for statement in statements for action in _list(statement["Action"])}
    assert actions == {"sqs:SendMessage", "sqs:SendMessage*"}
    assert {name for name in ("RaisedHands", "Failures") if name in str(statements)} == {
        "RaisedHands",
        "Failures",
    }


def _list(node: Node) -> list[Node]:
    return node if isinstance(node, list) else [node]


def test_the_function_is_the_example(resources: Node) -> None:
    """Its handler exists, and gets the variables that it reads."""
    function = resources["Consumer"]["Properties"]
    module, _, name = function["Handler"].partition(".")
    source = (EXAMPLE / f"{module}.py").read_text("utf-8")
    assert f"def {name}(" in source
    assert set(re.findall(r'os\.environ\["(\w+)"\]', source)) == set(
        function["Environment"]["Variables"]
    )


def test_docs_show_the_template() -> None:
    """Word for word."""
    (shown,) = re.findall(r"```yaml\n(.*?)```", DOCS, re.DOTALL)
    start = TEMPLATE.index("        Results:\n")
    assert shown == dedent(TEMPLATE[start : TEMPLATE.index("\nOutputs:")])
