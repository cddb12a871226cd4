"""The example for CDK makes what `template.yaml` makes: the same queues, table and function."""

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from landmarks.cli.connection import _OUTPUTS
from tests.infra.cloudformation import ROOT, Node, load_template, render
from tests.infra.test_permissions import KEY_ARN, actions, granted, worker_permissions
from tests.infra.test_settings import worker_settings
from worker.settings import Settings

EXAMPLE = ROOT / "examples" / "cdk"

pytestmark = pytest.mark.skipif(
    not (EXAMPLE / "node_modules").exists() and os.environ.get("CI") != "true",
    reason="no CDK: make test installs it where npm is",
)

# With a key, another processor, and another model.
VARIANT = """
import { App, aws_kms as kms, aws_lambda as lambda, aws_s3 as s3, Stack } from "aws-cdk-lib";
import { LandmarkWorker } from "./landmark-worker.mjs";

const stack = new Stack(new App(), "LandmarkWorker");
new LandmarkWorker(stack, "Worker", {
  images: s3.Bucket.fromBucketName(stack, "Images", "camera-roll"),
  settings: { MODEL_COMPLEXITY: "1", MAX_PEOPLE: "8" },
  encryptionKey: kms.Key.fromKeyArn(stack, "Key", "%s"),
  architecture: lambda.Architecture.ARM_64,
  tracing: lambda.Tracing.ACTIVE,
});
"""


@dataclass(frozen=True)
class Synthesis:
    """What `cdk synth` writes."""

    resources: Node
    outputs: Node
    image: Node

    def of_type(self, kind: str) -> list[Node]:
        """The properties of all resources of one type, in the example's order."""
        return [
            resource["Properties"]
            for resource in self.resources.values()
            if resource["Type"] == kind
        ]

    def actions(self) -> list[str]:
        """What the function's role allows."""
        return [
            action
            for policy in self.of_type("AWS::IAM::Policy")
            for statement in policy["PolicyDocument"]["Statement"]
            for action in actions(statement)
        ]


def synthesize(folder: Path, *command: str) -> Synthesis:
    """Run an app without its command line, as `cdk` does."""
    node = shutil.which("node")
    assert node
    environment = {**os.environ, "CDK_OUTDIR": str(folder)}
    subprocess.run([node, *command], cwd=EXAMPLE, env=environment, check=True)
    template = json.loads((folder / "LandmarkWorker.template.json").read_text("utf-8"))
    assets = json.loads((folder / "LandmarkWorker.assets.json").read_text("utf-8"))
    (image,) = assets["dockerImages"].values()
    return Synthesis(template["Resources"], template.get("Outputs", {}), image["source"])


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Synthesis:
    """The example as it is."""
    (command,) = json.loads((EXAMPLE / "cdk.json").read_text("utf-8")).values()
    program, *arguments = command.split()
    assert program == "node"
    return synthesize(tmp_path_factory.mktemp("cdk"), *arguments)


def test_the_queues_are_those_of_the_template(example: Synthesis) -> None:
    """Their times, redrive policy and encryption."""
    stack = render()
    dead_letters, queue = example.of_type("AWS::SQS::Queue")
    theirs = stack.properties("Queue")
    receives = queue.pop("RedrivePolicy")["maxReceiveCount"]
    assert str(receives) == theirs["RedrivePolicy"]["maxReceiveCount"]
    for ours, name in ((queue, "Queue"), (dead_letters, "DeadLetterQueue")):
        for attribute, value in ours.items():
            assert str(value) == str(stack.properties(name)[attribute]), attribute
    assert {"VisibilityTimeout", "MessageRetentionPeriod"} <= queue.keys()
    assert "MessageRetentionPeriod" in dead_letters


def test_the_table_is_that_of_the_template(example: Synthesis) -> None:
    """In every property."""
    (table,) = example.of_type("AWS::DynamoDB::Table")
    assert table == render().properties("ResultsTable")


def test_the_function_is_that_of_the_template(example: Synthesis) -> None:
    """Its size, time, log format and batches."""
    stack = render()
    (function,), (mapping,) = map(
        example.of_type, ("AWS::Lambda::Function", "AWS::Lambda::EventSourceMapping")
    )
    worker, jobs = stack.properties("Worker"), stack.properties("WorkerJobs")
    for name in ("MemorySize", "Timeout", "PackageType"):
        assert str(function[name]) == worker[name], name
    assert function["LoggingConfig"]["LogFormat"] == worker["LoggingConfig"]["LogFormat"]
    assert str(mapping["BatchSize"]) == jobs["BatchSize"]
    assert mapping["FunctionResponseTypes"] == jobs["FunctionResponseTypes"]
    concurrency = jobs["ScalingConfig"]["MaximumConcurrency"]
    assert str(mapping["ScalingConfig"]["MaximumConcurrency"]) == concurrency


def test_the_worker_starts_with_the_settings_of_the_template(example: Synthesis) -> None:
    """Those that the example leaves out have the same defaults."""
    names = {
        "WorkerResults": "ResultsTable",
        "WorkerQueue": "https://Queue",
        "WorkerDeadLetterQueue": "https://DeadLetterQueue",
        "Images": "ImageBucket",
    }

    def value_of(node: Node) -> str:
        # CDK appends eight characters to the names.
        return node if isinstance(node, str) else names[node["Ref"][:-8]]

    (function,) = example.of_type("AWS::Lambda::Function")
    variables = {
        name: value_of(node) for name, node in function["Environment"]["Variables"].items()
    }
    memory = str(function["MemorySize"])
    settings = Settings.from_environment({**variables, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": memory})
    assert settings == worker_settings(render())


def test_the_worker_has_the_permissions_that_it_needs(example: Synthesis) -> None:
    """CDK grants some more, and the log by a policy of AWS."""
    for action, _ in worker_permissions():
        covered = any(fnmatchcase(action, pattern) for pattern in example.actions())
        assert covered or action.startswith("logs:"), action
    (role,) = example.of_type("AWS::IAM::Role")
    assert "AWSLambdaBasicExecutionRole" in str(role["ManagedPolicyArns"])


def test_the_image_is_built_as_by_sam(example: Synthesis) -> None:
    """From the same Dockerfile, to the same target, with the same models."""
    metadata = load_template()["Resources"]["Worker"]["Metadata"]
    assert example.image["dockerFile"] == metadata["Dockerfile"]
    assert example.image["dockerBuildTarget"] == metadata["DockerBuildTarget"]
    assert example.image["platform"] == "linux/amd64"
    parameters = load_template()["Parameters"]
    for argument, value in example.image["dockerBuildArgs"].items():
        assert value == parameters[metadata["DockerBuildArgs"][argument]["Ref"]]["Default"]


def test_the_outputs_have_the_names_that_the_command_reads(example: Synthesis) -> None:
    """`landmarks --stack` looks for them."""
    assert example.outputs.keys() == set(_OUTPUTS.values())


def test_key_models_and_options_of_the_function_can_be_chosen(tmp_path: Path) -> None:
    """The key encrypts what the example keeps, and the image has the models and the processor."""
    variant = synthesize(tmp_path, "--input-type=module", "--eval", VARIANT % KEY_ARN)
    assert [queue["KmsMasterKeyId"] for queue in variant.of_type("AWS::SQS::Queue")] == [
        KEY_ARN,
        KEY_ARN,
    ]
    (table,) = variant.of_type("AWS::DynamoDB::Table")
    stack = render(KmsKeyArn=KEY_ARN)
    assert table["SSESpecification"] == stack.properties("ResultsTable")["SSESpecification"]
    (logs,) = variant.of_type("AWS::Logs::LogGroup")
    assert logs["KmsKeyId"] == KEY_ARN
    (policy,) = stack.properties("WorkerRole")["Policies"]
    for action, resource in granted(policy["PolicyDocument"]):
        covered = any(fnmatchcase(action, pattern) for pattern in variant.actions())
        assert covered or resource != KEY_ARN, action
    assert variant.image["platform"] == "linux/arm64"
    assert variant.image["dockerBuildArgs"]["MODEL_COMPLEXITY"] == "1"
    assert variant.image["dockerBuildArgs"]["MAX_PEOPLE"] == "8"
    (function,) = variant.of_type("AWS::Lambda::Function")
    assert function["TracingConfig"] == {"Mode": "Active"}
