"""The template of the stream's consumer, and what docs/streams.md shows of it."""

import re
from textwrap import dedent

import pytest
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

from tests.events import REGION
from tests.infra.cloudformation import ROOT, Node, load_template

EXAMPLE = ROOT / "examples" / "stream-consumer"
TEMPLATE = (EXAMPLE / "template.yaml").read_text("utf-8")
DOCS = (ROOT / "docs" / "streams.md").read_text("utf-8")

STREAM_POLICY = "AWSLambdaDynamoDBExecutionRole"


class _ManagedPolicies:
    """AWS's policy for functions that read a stream, the only one that SAM attaches here."""

    def load(self) -> dict[str, str]:
        return {STREAM_POLICY: f"arn:aws:iam::aws:policy/service-role/{STREAM_POLICY}"}


@pytest.fixture
def resources(monkeypatch: pytest.MonkeyPatch) -> Node:
    """Plain CloudFormation, as SAM makes it."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    template = yaml_parse(TEMPLATE)
    # `sam package` uploads the code and says where it is.
    template["Resources"]["Consumer"]["Properties"]["CodeUri"] = "s3://code/consumer.zip"
    return transform(template, {}, _ManagedPolicies())["Resources"]


def test_records_that_fail_come_again_and_are_given_up_at_last(resources: Node) -> None:
    """By what the function answers, and to the queue of the failed ones."""
    mapping = resources["ConsumerResults"]["Properties"]
    assert mapping["EventSourceArn"] == {"Ref": "ResultsStreamArn"}
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["BisectBatchOnFunctionError"] is True
    assert mapping["MaximumRetryAttempts"] == 5
    assert mapping["DestinationConfig"] == {
        "OnFailure": {"Destination": {"Fn::GetAtt": ["Failures", "Arn"]}}
    }


def test_function_may_send_to_its_two_queues(resources: Node) -> None:
    """And read streams, and no more."""
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


def test_function_is_the_example(resources: Node) -> None:
    """Its handler exists, and gets the variable that it reads."""
    function = resources["Consumer"]["Properties"]
    module, _, name = function["Handler"].partition(".")
    source = (EXAMPLE / f"{module}.py").read_text("utf-8")
    assert f"def {name}(" in source
    assert set(re.findall(r'os\.environ\["(\w+)"\]', source)) == set(
        function["Environment"]["Variables"]
    )


def test_parameter_is_the_workers_output() -> None:
    """Of a stack that was deployed as the description says."""
    (parameter,) = yaml_parse(TEMPLATE)["Parameters"]
    worker = load_template()
    assert parameter in worker["Outputs"]
    assert "NEW_IMAGE" in worker["Parameters"]["ResultsStream"]["AllowedValues"]


def test_docs_show_the_template() -> None:
    """Word by word, as far as they show it."""
    (shown,) = re.findall(r"```yaml\n(.*?)```", DOCS, re.DOTALL)
    start = TEMPLATE.index("        Results:\n")
    assert shown == dedent(TEMPLATE[start : TEMPLATE.index("\nOutputs:")])


def test_docs_name_every_value_of_the_parameter() -> None:
    """And none that the template would refuse."""
    allowed = load_template()["Parameters"]["ResultsStream"]["AllowedValues"]
    assert set(re.findall(r"^\| `([A-Z_]+)` \|", DOCS, re.MULTILINE)) == set(allowed) - {""}
