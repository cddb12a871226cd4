"""The worker in containers: the Fargate template and the compose file, as they are written."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from samtranslator.yaml_helper import yaml_parse

from bench.fargate import compare, main
from tests.infra.cloudformation import ROOT, Node, load_template
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
    """The variables that a task gets, as the template has them."""
    return {variable["Name"]: variable["Value"] for variable in CONTAINER["Environment"]}


def default_of(node: Node) -> str:
    """What a variable is when no parameter that has a default is given."""
    if isinstance(node, dict) and "Fn::If" in node:
        return default_of(node["Fn::If"][2])
    if isinstance(node, dict):
        name = node["Ref"]
        return str(PARAMETERS[name].get("Default", f"https://{name}"))
    return str(node)


def statements(role: str) -> Iterator[Node]:
    """What a role allows; a statement under a condition counts."""
    (policy,) = RESOURCES[role]["Properties"]["Policies"]
    for statement in policy["PolicyDocument"]["Statement"]:
        yield statement["Fn::If"][1] if "Fn::If" in statement else statement


def granted(role: str) -> set[tuple[str, str]]:
    """The pairs of action and resource that a role allows, functions by what they name."""

    def name_of(resource: Node) -> str:
        (named,) = resource.values() if isinstance(resource, dict) else [resource]
        return ".".join(named) if isinstance(named, list) else str(named)

    return {(statement["Action"], name_of(statement["Resource"])) for statement in statements(role)}


def test_every_setting_is_set() -> None:
    """A task gets the variables that the worker reads, but for Lambda's own."""
    environment = Environment()
    Settings.from_environment(environment)
    assert fargate_environment().keys() == environment.asked - {"AWS_LAMBDA_FUNCTION_MEMORY_SIZE"}


def test_the_defaults_are_the_workers() -> None:
    """Whoever gives only what has no default gets the worker's own settings."""
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


def test_parameters_are_the_other_stacks() -> None:
    """Names without a default are its outputs; settings have its names, defaults and limits."""
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


def test_masks_are_refused_where_the_other_stack_refuses_them() -> None:
    """What would not fit, and the bucket that the photographs are in."""
    theirs, own = load_template()["Rules"], FARGATE["Rules"]
    assert own["MasksFitMemory"] == theirs["MasksFitMemory"]
    (assertion,) = own["MasksHaveTheirOwnBucket"]["Assertions"]
    names = [{"Ref": "SegmentationBucket"}, {"Ref": "ImageBucket"}]
    assert assertion["Assert"] == {"Fn::Not": [{"Fn::Equals": names}]}


def test_tasks_may_what_the_function_may() -> None:
    """The task's role allows what the function's does, but for the log, which is Fargate's."""
    (policy,) = load_template()["Resources"]["WorkerRole"]["Properties"]["Policies"]
    functions = [s.get("Fn::If", [0, s])[1] for s in policy["PolicyDocument"]["Statement"]]
    actions = {s["Action"] for s in functions if not s["Action"].startswith("logs:")}
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
        ("dynamodb:BatchGetItem", "ResultsTableArn"),
        ("dynamodb:GetItem", "ResultsTableArn"),
        ("dynamodb:PutItem", "ResultsTableArn"),
    }
    assert {action for action, _ in granted("TaskRole")} == actions


def test_fargate_may_pull_the_image_and_write_the_log() -> None:
    """One action on one resource; only the login to ECR has none to name."""
    assert granted("ExecutionRole") == {
        ("ecr:GetAuthorizationToken", "*"),
        ("ecr:BatchGetImage", "ImageRepositoryArn"),
        ("ecr:GetDownloadUrlForLayer", "ImageRepositoryArn"),
        ("logs:CreateLogStream", "Logs.Arn"),
        ("logs:PutLogEvents", "Logs.Arn"),
    }


@pytest.mark.parametrize("role", ["TaskRole", "ExecutionRole"])
def test_only_tasks_of_this_account_take_the_roles(role: str) -> None:
    """Nobody else's task can be talked into it."""
    (statement,) = RESOURCES[role]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": "ecs-tasks.amazonaws.com"}
    assert statement["Condition"] == {
        "StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
    }


def test_the_image_is_a_parameter_that_names_a_version() -> None:
    """No image is meant by default; what is neither tag nor digest is refused."""
    assert CONTAINER["Image"] == {"Ref": "ImageUri"}
    assert "Default" not in PARAMETERS["ImageUri"]
    allowed = re.compile(PARAMETERS["ImageUri"]["AllowedPattern"])
    repository = "111122223333.dkr.ecr.eu-central-1.amazonaws.com/landmark-worker"
    assert allowed.fullmatch(f"{repository}:1.2.0")
    assert allowed.fullmatch(f"{repository}@sha256:{'0' * 64}")
    assert not allowed.fullmatch(f"{repository}:")
    assert not allowed.fullmatch(f"{repository}@sha256:0")


def test_tasks_have_a_detector_and_memory_for_each_vcpu() -> None:
    """A task's size follows its vCPUs, and so do its detectors."""
    assert fargate_environment()["DETECTORS"] == {"Ref": "Vcpus"}
    for vcpus in PARAMETERS["Vcpus"]["AllowedValues"]:
        size = FARGATE["Mappings"]["Size"][vcpus]
        assert size == {"Cpu": str(1024 * int(vcpus)), "Memory": str(4096 * int(vcpus))}


def test_fargate_asks_for_health_where_the_poller_tells_of_it() -> None:
    """The health check's command and the poller's have the same port, and the drain fits."""
    assert CONTAINER["EntryPoint"] == ["python3"]
    poller = options_of(CONTAINER["Command"])
    word, python, *check = CONTAINER["HealthCheck"]["Command"]
    checked = options_of(check)
    assert (word, python) == ("CMD", "python3")
    assert checked.check_health
    assert checked.health_port == poller.health_port
    assert poller.drain_seconds + 3 <= CONTAINER["StopTimeout"] <= 120


def test_containers_have_little_to_misuse() -> None:
    """No root, no writable root file system, no capabilities; on Fargate and with compose."""
    assert CONTAINER["User"] == WORKER["user"] == "993:990"
    assert CONTAINER["ReadonlyRootFilesystem"] is WORKER["read_only"] is True
    assert CONTAINER["LinuxParameters"]["Capabilities"] == {"Drop": ["ALL"]}
    assert WORKER["cap_drop"] == ["ALL"]
    assert WORKER["security_opt"] == ["no-new-privileges:true"]
    assert {"cpus", "mem_limit", "memswap_limit", "pids_limit"} <= WORKER.keys()


def test_tasks_follow_the_backlog() -> None:
    """Messages that wait, by running tasks, of this queue and this service."""
    policy = RESOURCES["BacklogPolicy"]["Properties"]["TargetTrackingScalingPolicyConfiguration"]
    metrics = {m["Id"]: m for m in policy["CustomizedMetricSpecification"]["Metrics"]}
    assert policy["TargetValue"] == {"Ref": "BacklogPerTask"}
    assert metrics["backlog_per_task"]["Expression"] == "waiting / tasks"
    assert [name for name, metric in metrics.items() if metric["ReturnData"]] == [
        "backlog_per_task"
    ]
    waiting, tasks = (metrics[name]["MetricStat"]["Metric"] for name in ("waiting", "tasks"))
    assert (waiting["Namespace"], tasks["Namespace"]) == ("AWS/SQS", "ECS/ContainerInsights")
    # Without it there is no such metric, and nothing to divide by without a task.
    assert RESOURCES["Cluster"]["Properties"]["ClusterSettings"] == [
        {"Name": "containerInsights", "Value": "enabled"}
    ]
    assert PARAMETERS["MinTasks"]["MinValue"] == 1


def test_spot_is_a_choice() -> None:
    """Off by default."""
    (provider,) = RESOURCES["Service"]["Properties"]["CapacityProviderStrategy"]
    assert provider["CapacityProvider"]["Fn::If"] == ["IsSpot", "FARGATE_SPOT", "FARGATE"]
    assert PARAMETERS["Spot"]["Default"] == "false"


def compose_environment() -> dict[str, str]:
    """The variables of compose's container, where the shell has none."""
    return {
        name: match[2] if (match := _DEFAULT.fullmatch(value)) else value
        for name, value in WORKER["environment"].items()
    }


def test_compose_finds_the_local_stack() -> None:
    """Its defaults are what SAM's containers are told, and the worker starts with them."""
    sam: Node = yaml_parse((ROOT / "infra-sam" / "env.json").read_text("utf-8"))["Worker"]
    variables = compose_environment()
    assert {name: variables[name] for name in sam} == sam
    assert Settings.from_environment(variables).detectors == WORKER["cpus"] == 1


def test_compose_asks_for_health_where_the_poller_tells_of_it() -> None:
    """The same file in both commands, on the only file system that can be written to."""
    poller = options_of(WORKER["command"])
    _, _, *check = WORKER["healthcheck"]["test"]
    checked = options_of(check)
    assert checked.check_health
    assert checked.health_file == poller.health_file
    assert str(poller.health_file).startswith(WORKER["tmpfs"][0].partition(":")[0])
    assert f"{poller.drain_seconds + 5}s" == WORKER["stop_grace_period"]


# The price


def test_price_of_a_hundred_milliseconds(capsys: pytest.CaptureFixture[str]) -> None:
    """By hand: 0.1 s x 1769/1024 GB x 0.0000166667 $ + 0.00000002 $; 0.04048 $ + 4 x 0.004445 $."""
    result = compare(100)
    assert result.lambda_dollars_an_image == pytest.approx(2.89923e-6, rel=1e-5)
    assert result.fargate_dollars_an_hour == pytest.approx(0.05826)
    assert result.break_even_images_an_hour == pytest.approx(20_095, abs=1)
    assert result.most_images_an_hour == 36_000
    main(["100"])
    assert "break-even  20,095 images an hour (5.58 a second)" in capsys.readouterr().out


def test_break_even_costs_the_same_on_both() -> None:
    """At the break-even rate an hour of Lambda's images is an hour of a task."""
    for milliseconds in (30, 100, 900):
        result = compare(milliseconds, gigabytes=2)
        images = result.break_even_images_an_hour
        assert images * result.lambda_dollars_an_image == pytest.approx(
            result.fargate_dollars_an_hour
        )


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "fast"])
def test_time_that_is_none_is_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The command ends with its usage, not with a figure."""
    with pytest.raises(SystemExit, match="2"):
        main(["--", text])
    assert "usage:" in capsys.readouterr().err
