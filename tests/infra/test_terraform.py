"""The module for Terraform makes what `template.yaml` makes: the same queues, table and function.

It is parsed, not planned: no package registry has Terraform.
"""

import re

import hcl2
import pytest

from tests.infra.cloudformation import ROOT, Node, load_template, render
from tests.infra.test_permissions import KEY_ARN, worker_permissions
from tests.infra.test_settings import worker_settings
from tests.integration.docs.pages import blocks as docs_blocks
from worker.settings import Settings

MODULE = ROOT / "examples" / "terraform"

# The template's names for what the module refers to.
NAMES = {
    "aws_sqs_queue.jobs.url": "https://Queue",
    "aws_sqs_queue.jobs.arn": "Queue.Arn",
    "aws_sqs_queue.dead_letters.url": "https://DeadLetterQueue",
    "aws_sqs_queue.dead_letters.arn": "DeadLetterQueue.Arn",
    "aws_dynamodb_table.results.name": "ResultsTable",
    "aws_dynamodb_table.results.arn": "ResultsTable.Arn",
    "aws_cloudwatch_log_group.worker.arn": "WorkerLogs.Arn",
    "var.image_bucket": "ImageBucket",
    "local.bucket_arn": "arn:aws:s3:::ImageBucket",
    "statement.value": KEY_ARN,
}


def blocks(file: str, kind: str) -> list[Node]:
    """The blocks of one kind in a file of the module."""
    options = hcl2.SerializationOptions(
        with_comments=False, explicit_blocks=False, strip_string_quotes=True
    )
    text = (MODULE / file).read_text("utf-8")
    found: list[Node] = hcl2.loads(text, serialization_options=options).get(kind, [])
    return found


def resource(kind: str, name: str, *, block: str = "resource") -> Node:
    """The arguments of a resource."""
    (found,) = (body[kind][name] for body in blocks("main.tf", block) if name in body.get(kind, {}))
    return found


LOCALS: Node = blocks("main.tf", "locals")[0]
VARIABLES: Node = {
    name: body for block in blocks("variables.tf", "variable") for name, body in block.items()
}


def value(node: Node) -> str:
    """An expression with the defaults of the module's variables."""
    text = str(node)
    while found := re.search(r"\$\{(?:tostring\()?([\w.]+)\)?\}", text):
        (name,) = found.groups()
        kind, _, rest = name.partition(".")
        if name in NAMES:
            meant = NAMES[name]
        elif kind == "local":
            meant = LOCALS[rest]
        else:
            meant = str(VARIABLES[rest]["default"]).lower()
        text = text.replace(found[0], str(meant))
    return text


def test_the_queues_are_those_of_the_template() -> None:
    """Their times and their redrive policy."""
    stack = render()
    for name, theirs in (("jobs", "Queue"), ("dead_letters", "DeadLetterQueue")):
        ours, properties = resource("aws_sqs_queue", name), stack.properties(theirs)
        retention = properties["MessageRetentionPeriod"]
        assert str(ours["message_retention_seconds"]) == str(retention)
    jobs, queue = resource("aws_sqs_queue", "jobs"), stack.properties("Queue")
    assert jobs["visibility_timeout_seconds"] == queue["VisibilityTimeout"]
    policy = jobs["redrive_policy"]
    assert "deadLetterTargetArn = aws_sqs_queue.dead_letters.arn" in policy
    assert "maxReceiveCount = local.max_receives" in policy
    assert str(LOCALS["max_receives"]) == queue["RedrivePolicy"]["maxReceiveCount"]


def test_the_table_is_that_of_the_template() -> None:
    """Keys, expiry, recovery and encryption."""
    ours, theirs = resource("aws_dynamodb_table", "results"), render().properties("ResultsTable")
    assert ours["billing_mode"] == theirs["BillingMode"]
    assert theirs["KeySchema"] == [
        {"AttributeName": ours["hash_key"], "KeyType": "HASH"},
        {"AttributeName": ours["range_key"], "KeyType": "RANGE"},
    ]
    assert theirs["AttributeDefinitions"] == [
        {"AttributeName": attribute["name"], "AttributeType": attribute["type"]}
        for attribute in ours["attribute"]
    ]
    expiry = theirs["TimeToLiveSpecification"]
    assert ours["ttl"] == [{"attribute_name": expiry["AttributeName"], "enabled": True}]
    assert ours["point_in_time_recovery"] == [{"enabled": True}]
    assert ours["server_side_encryption"][0]["enabled"] is True


def test_the_index_is_that_of_the_template() -> None:
    """Name, keys and projection."""
    dynamic = resource("aws_dynamodb_table", "results")["dynamic"]
    attribute, index = (
        next(body[kind] for body in dynamic if kind in body)
        for kind in ("attribute", "global_secondary_index")
    )
    theirs = render(PrefixIndex="true").properties("ResultsTable")
    (content,) = index["content"]
    assert theirs["GlobalSecondaryIndexes"] == [
        {
            "IndexName": re.findall(r'\["(.+)"\]', index["for_each"])[0],
            "KeySchema": [
                {"AttributeName": content["hash_key"], "KeyType": "HASH"},
                {"AttributeName": content["range_key"], "KeyType": "RANGE"},
            ],
            "Projection": {
                "ProjectionType": content["projection_type"],
                "NonKeyAttributes": content["non_key_attributes"],
            },
        }
    ]
    name, kind = (
        re.findall(r'\["(.+)"\]', attribute["for_each"])[0],
        attribute["content"][0]["type"],
    )
    assert {"AttributeName": name, "AttributeType": kind} == theirs["AttributeDefinitions"][-1]


def test_the_function_is_that_of_the_template() -> None:
    """Its size, time, log format and batches."""
    stack = render()
    function = resource("aws_lambda_function", "worker")
    mapping = resource("aws_lambda_event_source_mapping", "jobs")
    worker, jobs = stack.properties("Worker"), stack.properties("WorkerJobs")
    assert str(function["memory_size"]) == worker["MemorySize"]
    assert str(function["timeout"]) == worker["Timeout"]
    assert function["package_type"] == worker["PackageType"]
    assert function["logging_config"][0]["log_format"] == worker["LoggingConfig"]["LogFormat"]
    assert [value(architecture) for architecture in function["architectures"]] == worker[
        "Architectures"
    ]
    assert str(mapping["batch_size"]) == jobs["BatchSize"]
    assert mapping["function_response_types"] == jobs["FunctionResponseTypes"]
    concurrency = value(mapping["scaling_config"][0]["maximum_concurrency"])
    assert concurrency == jobs["ScalingConfig"]["MaximumConcurrency"]
    logs = resource("aws_cloudwatch_log_group", "worker")
    days = stack.properties("WorkerLogs")["RetentionInDays"]
    assert value(logs["retention_in_days"]) == days


def test_the_worker_starts_with_the_settings_of_the_template() -> None:
    """Those that the module leaves out have the same defaults."""
    function = resource("aws_lambda_function", "worker")
    (environment,) = function["environment"]
    assert environment["variables"] == "${merge(local.variables, var.settings)}"
    assert VARIABLES["settings"]["default"] == {}
    variables = {name: value(node) for name, node in LOCALS["variables"].items()}
    memory = str(function["memory_size"])
    settings = Settings.from_environment({**variables, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": memory})
    assert settings == worker_settings(render())


@pytest.mark.parametrize("key", ["", KEY_ARN])
def test_the_role_has_the_permissions_of_the_template(key: str) -> None:
    """With and without a key."""
    document = resource("aws_iam_policy_document", "worker", block="data")
    statements = list(document["statement"])
    if key:
        (dynamic,) = document["dynamic"]
        assert dynamic["statement"]["for_each"] == "${var.kms_key_arn[*]}"
        statements += dynamic["statement"]["content"]
    permissions = {
        (action, value(resource_arn).removesuffix(":*"))
        for statement in statements
        for action in statement["actions"]
        for resource_arn in statement["resources"]
    }
    assert permissions == worker_permissions(KmsKeyArn=key)


def test_only_lambda_assumes_the_role() -> None:
    """As in the template."""
    (statement,) = resource("aws_iam_policy_document", "lambda", block="data")["statement"]
    (principals,) = statement["principals"]
    role = load_template()["Resources"]["WorkerRole"]["Properties"]
    (theirs,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert statement["actions"] == [theirs["Action"]]
    assert principals["identifiers"] == [theirs["Principal"]["Service"]]


def test_the_page_calls_the_module() -> None:
    """With arguments that it has, and all that it requires."""
    (call,) = docs_blocks(ROOT / "docs" / "deploy.md", "hcl")
    (module,) = hcl2.loads(call.text)["module"]
    ((_, arguments),) = module.items()
    given = {name for name in arguments if not name.startswith("__")}
    required = {name for name, variable in VARIABLES.items() if "default" not in variable}
    assert required <= given - {"source"} <= VARIABLES.keys()
    assert (ROOT / arguments["source"].strip('"')).resolve() == MODULE


def test_every_name_that_is_used_is_declared() -> None:
    """Variables, locals, resources and data; and every variable is used."""
    text = "".join(path.read_text("utf-8") for path in sorted(MODULE.glob("*.tf")))
    code = re.sub(r"#.*", "", text)
    assert set(re.findall(r"\bvar\.(\w+)", code)) == VARIABLES.keys()
    assert set(re.findall(r"\blocal\.(\w+)", code)) == LOCALS.keys()
    declared = {
        (kind, name)
        for block in ("resource", "data")
        for body in blocks("main.tf", block)
        for kind, named in body.items()
        for name in named
    }
    assert set(re.findall(r"\b(aws_\w+)\.(\w+)", code)) <= declared
