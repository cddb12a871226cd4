"""The worker in containers: the Fargate template and the compose file."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from samtranslator.yaml_helper import yaml_parse

from tests.infra.cloudformation import ROOT, Node, load_template
from tests.infra.test_permissions import actions
from tests.infra.test_settings import Environment
from worker.model import ModelOptions
from worker.poller.options import Options, parse_options
from worker.settings import Settings

FARGATE: Node = yaml_parse((ROOT / "infra-sam" / "fargate.yaml").read_text("utf-8"))
COMPOSE: Node = yaml_parse((ROOT / "infra-sam" / "compose.yaml").read_text("utf-8"))
PARAMETERS: Node = FARGATE["Parameters"]
RESOURCES: Node = FARGATE["Resources"]
(CONTAINER,) = RESOURCES["Task"]["Properties"]["ContainerDefinitions"]
WORKER: Node = COMPOSE["services"]["worker"]

_DEFAULT = re.compile(r"\$\{(\w+):?-(.*)\}")


def options_of(command: list[Any]) -> Options:
    """The poller's options in a container's command, after `-m worker.poller`."""
    assert command[:2] == ["-m", "worker.poller"]
    return parse_options([str(word) for word in command[2:]])


def fargate_environment() -> dict[str, Node]:
    """A task's environment, as the template has it."""
    return {variable["Name"]: variable["Value"] for variable in CONTAINER["Environment"]}


def default_of(node: Node) -> str:
    """The value of a variable when only parameters without a default are given."""
    if isinstance(node, dict) and "Fn::If" in node:
        return default_of(node["Fn::If"][2])
    if isinstance(node, dict):
        name = node["Ref"]
        return str(PARAMETERS[name].get("Default", f"https://{name}"))
    return str(node)


def statements(role: str) -> Iterator[Node]:
    """What a role allows, conditional statements included."""
    (policy,) = RESOURCES[role]["Properties"]["Policies"]
    for statement in policy["PolicyDocument"]["Statement"]:
        yield statement["Fn::If"][1] if "Fn::If" in statement else statement


def granted(role: str) -> set[tuple[str, str]]:
    """The actions that a role allows, each with the name of its resource."""

    def name_of(resource: Node) -> str:
        (named,) = resource.values() if isinstance(resource, dict) else [resource]
        return ".".join(named) if isinstance(named, list) else str(named)

    return {
        (action, name_of(statement["Resource"]))
        for statement in statements(role)
        for action in actions(statement)
    }


def test_every_setting_is_set() -> None:
    """All that the worker reads but Lambda's own."""
    environment = Environment()
    Settings.from_environment(environment)
    assert fargate_environment().keys() == environment.asked - {"AWS_LAMBDA_FUNCTION_MEMORY_SIZE"}


def test_the_defaults_are_those_of_the_worker() -> None:
    """The template repeats them."""
    variables = {name: default_of(node) for name, node in fargate_environment().items()}
    settings = Settings.from_environment(variables)
    assert settings == Settings(
        results_table="https://ResultsTable",
        image_bucket="https://ImageBucket",
        allowed_buckets=frozenset({"https://ImageBucket"}),
        queue_url="https://QueueUrl",
        dead_letter_queue_url="https://DeadLetterQueueUrl",
        max_receive_count=8,
        model=ModelOptions(),
        detectors=1,
    )


def test_tasks_have_the_chosen_architecture() -> None:
    """Fargate has names of its own for the two."""
    platform = RESOURCES["Task"]["Properties"]["RuntimePlatform"]
    assert platform["CpuArchitecture"] == {"Fn::If": ["IsArm", "ARM64", "X86_64"]}
    assert FARGATE["Conditions"]["IsArm"] == {"Fn::Equals": [{"Ref": "Architecture"}, "arm64"]}
    assert PARAMETERS["Architecture"]["AllowedValues"] == ["x86_64", "arm64"]


def test_parameters_agree_with_the_other_stack() -> None:
    """Those without a default are its outputs; the others have its names, defaults and limits."""
    template = load_template()
    own = {"ImageUri", "ImageRepositoryArn", "Subnets", "SecurityGroups"}
    required = {name for name, body in PARAMETERS.items() if "Default" not in body} - own
    assert required <= template["Outputs"].keys()
    shared = PARAMETERS.keys() & template["Parameters"].keys()
    assert len(shared) > 10, "the settings have other names"
    for name in shared:
        theirs = template["Parameters"][name]
        for rule in ("Type", "Default", "AllowedPattern", "AllowedValues"):
            assert PARAMETERS[name].get(rule) == theirs.get(rule), name


def test_the_bucket_has_the_pattern_of_the_other_stack() -> None:
    """There it may also be empty."""
    theirs = load_template()["Parameters"]["ExistingImageBucket"]["AllowedPattern"]
    ours = PARAMETERS["ImageBucket"]["AllowedPattern"]
    assert theirs == f"^({ours.removeprefix('^').removesuffix('$')})?$"


@pytest.mark.parametrize("name", ["QueueArn", "DeadLetterQueueArn"])
def test_queues_of_both_kinds_are_accepted(name: str) -> None:
    """A name has up to 80 characters, with the suffix of a FIFO queue."""
    pattern, arn = PARAMETERS[name]["AllowedPattern"], "arn:aws:sqs:eu-central-1:111122223333:"
    for queue in ("jobs", "a" * 80, "jobs.fifo", f"{'a' * 75}.fifo"):
        assert re.fullmatch(pattern, arn + queue), queue
    for queue in ("", "jobs.tmp", "a" * 81, f"{'a' * 76}.fifo"):
        assert not re.fullmatch(pattern, arn + queue), queue


def test_tasks_have_the_permissions_of_the_function() -> None:
    """But for log and network, which are Fargate's own business, and traces."""
    (policy,) = load_template()["Resources"]["WorkerRole"]["Properties"]["Policies"]
    functions = [s.get("Fn::If", [0, s])[1] for s in policy["PolicyDocument"]["Statement"]]
    others = ("logs:", "ec2:", "xray:")
    needed = {a for s in functions for a in actions(s) if not a.startswith(others)}
    objects = "arn:${AWS::Partition}:s3:::${ImageBucket}/*"
    assert granted("TaskRole") == {
        ("sqs:ReceiveMessage", "QueueArn"),
        ("sqs:DeleteMessage", "QueueArn"),
        ("sqs:GetQueueAttributes", "QueueArn"),
        ("sqs:ChangeMessageVisibility", "QueueArn"),
        ("sqs:SendMessage", "DeadLetterQueueArn"),
        ("s3:GetObject", objects),
        ("s3:GetObjectVersion", objects),
        ("s3:ListBucket", objects.removesuffix("/*")),
        ("s3:PutObject", objects.replace("ImageBucket", "SegmentationBucket")),
        ("kms:Decrypt", "ExistingImageBucketKeyArn"),
        ("kms:Decrypt", "KmsKeyArn"),
        ("kms:DescribeKey", "KmsKeyArn"),
        ("kms:Encrypt", "KmsKeyArn"),
        ("kms:GenerateDataKey", "KmsKeyArn"),
        ("kms:GenerateDataKeyWithoutPlaintext", "KmsKeyArn"),
        ("kms:ReEncryptFrom", "KmsKeyArn"),
        ("kms:ReEncryptTo", "KmsKeyArn"),
        ("dynamodb:BatchGetItem", "ResultsTableArn"),
        ("dynamodb:GetItem", "ResultsTableArn"),
        ("dynamodb:PutItem", "ResultsTableArn"),
    }
    assert {action for action, _ in granted("TaskRole")} == needed


def test_fargate_may_pull_the_image_and_write_the_log() -> None:
    """Only the login to ECR cannot be limited to a resource."""
    assert granted("ExecutionRole") == {
        ("ecr:GetAuthorizationToken", "*"),
        ("ecr:BatchGetImage", "ImageRepositoryArn"),
        ("ecr:GetDownloadUrlForLayer", "ImageRepositoryArn"),
        ("logs:CreateLogStream", "Logs.Arn"),
        ("logs:PutLogEvents", "Logs.Arn"),
    }


@pytest.mark.parametrize("role", ["TaskRole", "ExecutionRole"])
def test_the_roles_have_the_permissions_boundary(role: str) -> None:
    """Where the account demands one."""
    boundary = RESOURCES[role]["Properties"]["PermissionsBoundary"]
    assert boundary["Fn::If"][:2] == ["HasBoundary", {"Ref": "PermissionsBoundaryArn"}]


@pytest.mark.parametrize("role", ["TaskRole", "ExecutionRole"])
def test_only_tasks_of_this_account_assume_the_roles(role: str) -> None:
    """No confused deputy."""
    (statement,) = RESOURCES[role]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": "ecs-tasks.amazonaws.com"}
    assert statement["Condition"] == {
        "StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
    }


def test_tasks_have_a_detector_and_memory_for_each_vcpu() -> None:
    """On Fargate as on Lambda."""
    assert fargate_environment()["DETECTORS"] == {"Ref": "Vcpus"}
    for vcpus in PARAMETERS["Vcpus"]["AllowedValues"]:
        size = FARGATE["Mappings"]["Size"][vcpus]
        assert size == {"Cpu": str(1024 * int(vcpus)), "Memory": str(4096 * int(vcpus))}


def test_fargate_checks_health_where_the_poller_reports_it() -> None:
    """On the same port; and the poller has time to drain."""
    assert CONTAINER["EntryPoint"] == ["python3"]
    poller = options_of(CONTAINER["Command"])
    word, python, *check = CONTAINER["HealthCheck"]["Command"]
    checked = options_of(check)
    assert (word, python) == ("CMD", "python3")
    assert checked.check_health
    assert checked.health_port == poller.health_port
    assert poller.drain_seconds + 3 <= CONTAINER["StopTimeout"] <= 120


def test_containers_are_unprivileged() -> None:
    """No root, no writable root file system, no capabilities."""
    assert CONTAINER["User"] == WORKER["user"] == "993:990"
    assert CONTAINER["ReadonlyRootFilesystem"] is WORKER["read_only"] is True
    assert CONTAINER["LinuxParameters"]["Capabilities"] == {"Drop": ["ALL"]}
    assert WORKER["cap_drop"] == ["ALL"]
    assert WORKER["security_opt"] == ["no-new-privileges:true"]
    assert {"cpus", "mem_limit", "memswap_limit", "pids_limit"} <= WORKER.keys()


def test_tasks_scale_with_the_backlog() -> None:
    """Waiting messages divided by running tasks."""
    policy = RESOURCES["BacklogPolicy"]["Properties"]["TargetTrackingScalingPolicyConfiguration"]
    metrics = {m["Id"]: m for m in policy["CustomizedMetricSpecification"]["Metrics"]}
    assert policy["TargetValue"] == {"Ref": "BacklogPerTask"}
    assert metrics["backlog_per_task"]["Expression"] == "waiting / tasks"
    assert [name for name, metric in metrics.items() if metric["ReturnData"]] == [
        "backlog_per_task"
    ]
    waiting, tasks = (metrics[name]["MetricStat"]["Metric"] for name in ("waiting", "tasks"))
    assert (waiting["Namespace"], tasks["Namespace"]) == ("AWS/SQS", "ECS/ContainerInsights")
    # Without Container Insights there is no such metric, without a task a division by zero.
    assert RESOURCES["Cluster"]["Properties"]["ClusterSettings"] == [
        {"Name": "containerInsights", "Value": "enabled"}
    ]
    assert PARAMETERS["MinTasks"]["MinValue"] == 1


def compose_environment() -> dict[str, str]:
    """The container's environment when the shell sets nothing."""
    return {
        name: match[2] if (match := _DEFAULT.fullmatch(value)) else value
        for name, value in WORKER["environment"].items()
    }


def test_compose_finds_the_local_stack() -> None:
    """Its defaults are those of `sam local invoke`, and the worker starts with them."""
    sam: Node = yaml_parse((ROOT / "infra-sam" / "env.json").read_text("utf-8"))["Worker"]
    variables = compose_environment()
    assert {name: variables[name] for name in sam} == sam
    assert Settings.from_environment(variables).detectors == WORKER["cpus"] == 1


def test_compose_checks_health_where_the_poller_reports_it() -> None:
    """In the same file, on the only writable file system."""
    poller = options_of(WORKER["command"])
    _, _, *check = WORKER["healthcheck"]["test"]
    checked = options_of(check)
    assert checked.check_health
    assert checked.health_file == poller.health_file
    assert str(poller.health_file).startswith(WORKER["tmpfs"][0].partition(":")[0])
    assert f"{poller.drain_seconds + 5}s" == WORKER["stop_grace_period"]


# The price
