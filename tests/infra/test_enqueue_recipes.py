"""The CloudFormation of `docs/enqueue.md`, put into `template.yaml` as the page says."""

import json

import pytest
from cfnlint.api import lint  # type: ignore[import-untyped]
from cfnlint.config import ManualArgs  # type: ignore[import-untyped]
from samtranslator.yaml_helper import yaml_parse

from tests.infra.cloudformation import Node, load_template
from tests.integration.test_enqueue_recipes import blocks

# Each source of messages: service and name, as the queue's policy has them.
RECIPES = {
    "S3 notifications straight to the queue": ("s3.amazonaws.com", "my-photos"),
    "An EventBridge rule": ("events.amazonaws.com", "PhotoRule"),
    "An SNS topic": ("sns.amazonaws.com", "PhotoTopic"),
}


def pieces(heading: str) -> tuple[Node, list[Node]]:
    """A recipe's resources, and its statements for the queue's policy."""
    resources: Node = {}
    statements: list[Node] = []
    for text in blocks(heading, "yaml"):
        parsed = yaml_parse(text)
        if text.startswith("# Resources\n"):
            resources |= parsed
        else:
            assert text.startswith("# Statement of QueuePolicy\n")
            statements += parsed
    return resources, statements


def test_the_recipes_fit_into_the_template() -> None:
    """The linter finds nothing wrong with the template that has all of them."""
    template = load_template()
    policy = template["Resources"]["QueuePolicy"]["Properties"]["PolicyDocument"]
    for heading in RECIPES:
        resources, statements = pieces(heading)
        assert not resources.keys() & template["Resources"].keys()
        for resource in resources.values():
            resource["Condition"] = "CreatesQueue"  # recipes are for the stack's own queue
        template["Resources"] |= resources
        policy["Statement"] += statements

    matches = lint(json.dumps(template), config=ManualArgs(regions=["us-east-1"]))

    assert [f"{match.rule.id}: {match.message}" for match in matches] == []


@pytest.mark.parametrize("heading", RECIPES)
def test_a_recipe_lets_only_its_source_send(heading: str) -> None:
    """One service, one action, one queue, on behalf of one source."""
    service, source = RECIPES[heading]
    _, (statement,) = pieces(heading)

    assert statement["Effect"] == "Allow"
    assert statement["Principal"] == {"Service": service}
    assert statement["Action"] == "sqs:SendMessage"
    assert statement["Resource"] == {"Fn::GetAtt": ["Queue", "Arn"]}
    assert source in json.dumps(statement["Condition"]["ArnEquals"]["aws:SourceArn"])


def test_the_rule_and_the_topic_send_to_the_queue() -> None:
    """As target and as subscriber."""
    queue = {"Fn::GetAtt": ["Queue", "Arn"]}
    rule, topic = (pieces(name)[0] for name in ("An EventBridge rule", "An SNS topic"))

    assert rule["PhotoRule"]["Properties"]["Targets"] == [{"Id": "landmark-jobs", "Arn": queue}]
    assert topic["PhotoSubscription"]["Properties"]["Endpoint"] == queue
    assert topic["PhotoSubscription"]["Properties"]["Protocol"] == "sqs"
