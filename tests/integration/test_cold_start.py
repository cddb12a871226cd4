"""The cold start, in its own process: what starts, in which order, and what stops it."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import Cloud, closed_port, person

ROOT = Path(__file__).parents[2]

# Imports and calls the function as Lambda does. The answer is the last line.
ASK = """
import json
from worker.lambda_function import lambda_handler

class Context:
    def get_remaining_time_in_millis(self):
        return 60_000

print(json.dumps(lambda_handler({"key": "photo.jpg"}, Context())))
"""

# Records which modules were imported each time a process starts.
WATCH = """
import sys

slow = {"aws_lambda_powertools", "boto3", "botocore", "pynamodb"}
started = []

def watch(event, arguments):
    if event == "subprocess.Popen":
        started.append(sorted(slow & set(sys.modules)))

sys.addaudithook(watch)
import worker.lambda_function

print(started, sorted(slow & set(sys.modules)), "mediapipe" in sys.modules, "cv2" in sys.modules)
"""

# Counts the connections that are opened by the start.
COUNT = """
import sys

connections = []
sys.addaudithook(lambda event, arguments: event == "socket.connect" and connections.append(event))
import worker.lambda_function

print(len(connections))
"""


# How the worker can be started, and what its complaint begins with.
FUNCTION = (("-c", "import worker.lambda_function"), "landmarks.errors.")
POLLER = (("-m", "worker.poller"), "landmark-worker: ")


def run(program: str, cloud: Cloud, **changes: str) -> subprocess.CompletedProcess[str]:
    """Run a program in the environment of a Lambda function on the test's stack."""
    return python(("-c", program), cloud, **changes)


def python(
    arguments: Sequence[str], cloud: Cloud, **changes: str
) -> subprocess.CompletedProcess[str]:
    """Run Python in the environment of a Lambda function on the test's stack."""
    environment = {
        **os.environ,
        **cloud.stack.environment,
        "MODEL_COMPLEXITY": "1",
        "DETECTORS": "1",
        **changes,
    }
    return subprocess.run(
        [sys.executable, *arguments],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def complaint(cloud: Cloud, **changes: str) -> str:
    """Return the only line of a failed import."""
    ended = run("import worker.lambda_function", cloud, **changes)
    assert (ended.returncode, ended.stdout) == (1, "")
    (line,) = ended.stderr.splitlines()
    return line


def test_function_comes_up_and_answers(cloud: Cloud) -> None:
    """Environment variables are enough, and everything printed is JSON."""
    cloud.put("photo.jpg", person())

    ended = run(ASK, cloud)

    assert (ended.returncode, ended.stderr) == (0, "")
    log, metrics, answer = (json.loads(line) for line in ended.stdout.splitlines())
    assert answer["statusCode"] == 200
    assert {name: log[name] for name in ("level", "message", "service", "key", "outcome")} == {
        "level": "INFO",
        "message": "job finished",
        "service": "landmark-worker",
        "key": "photo.jpg",
        "outcome": "detected",
    }
    assert metrics["ColdStart"] == [1]
    assert cloud.statuses() == {"photo.jpg": "detected"}


def test_start_connects_to_s3_and_dynamodb(cloud: Cloud) -> None:
    """The first job would pay for it otherwise: 0.05 s of CPU with TLS."""
    assert run(COUNT, cloud).stdout == "2\n"
    assert run(COUNT, cloud, IMAGE_BUCKET="").stdout == "1\n"


def test_start_needs_no_service(cloud: Cloud) -> None:
    """While S3 and DynamoDB can't be reached, it succeeds without a word."""
    with closed_port() as nowhere:
        ended = run("import worker.lambda_function", cloud, AWS_ENDPOINT_URL=nowhere)

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


def test_start_needs_neither_bucket_nor_table(cloud: Cloud) -> None:
    """What is refused at the start is reported by the jobs."""
    ended = run("import worker.lambda_function", cloud, IMAGE_BUCKET="gone", RESULTS_TABLE="gone")

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


def test_detectors_start_before_anything_slow_is_imported(cloud: Cloud) -> None:
    """Detectors warm up during the other imports; MediaPipe and OpenCV are never imported."""
    ended = run(WATCH, cloud, DETECTORS="2")

    assert ended.stderr == ""
    everything = ["aws_lambda_powertools", "boto3", "botocore", "pynamodb"]
    assert ended.stdout == f"[[], []] {everything} False False\n"


def test_a_detectors_process_imports_nothing_of_aws(cloud: Cloud) -> None:
    """AWS's modules would cost each detector memory and time."""
    program = "import sys, worker.detector.child; print({'boto3', 'botocore'} & {*sys.modules})"

    ended = run(program, cloud)

    assert (ended.stderr, ended.stdout) == ("", "set()\n")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"MODEL_COMPLEXITY": "3"},
            "MODEL_COMPLEXITY='3' is not allowed: must be one of 0, 1, 2",
        ),
        ({"RESULTS_TABLE": ""}, "RESULTS_TABLE is not set and has no default"),
        (
            {"DETECTORS": "0", "RESULTS_TABLE": ""},
            (
                "RESULTS_TABLE is not set and has no default; "
                "DETECTORS='0' is not allowed: must be a whole number from 1 to 64"
            ),
        ),
    ],
)
def test_wrong_settings_stop_it_with_one_message(
    changes: dict[str, str], message: str, cloud: Cloud
) -> None:
    """The message has the variable, its value and what is allowed."""
    assert complaint(cloud, **changes) == f"landmarks.errors.SettingsError: {message}"


@pytest.mark.parametrize(("start", "beginning"), [FUNCTION, POLLER], ids=["function", "poller"])
@pytest.mark.parametrize(
    ("changes", "error"),
    [
        (
            {"AWS_REGION": "", "AWS_DEFAULT_REGION": ""},
            "SettingsError: no AWS region: set AWS_REGION, for example to eu-central-1",
        ),
        (
            {"AWS_DEFAULT_REGION": "us east 1"},
            "SettingsError: AWS settings: Provided region_name 'us east 1' doesn't match",
        ),
        (
            {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""},
            "SettingsError: no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, ",
        ),
        (
            {"AWS_SECRET_ACCESS_KEY": ""},
            "SettingsError: AWS settings: Partial credentials found in env, missing: AWS_SECRET",
        ),
        (
            {"AWS_PROFILE": "nobody"},
            "SettingsError: AWS settings: The config profile (nobody) could not be found",
        ),
        (
            {"AWS_CONFIG_FILE": __file__},
            f"SettingsError: AWS settings: Unable to parse config file: {__file__}",
        ),
        (
            {"AWS_ENDPOINT_URL": "localhost:5000"},
            (
                "SettingsError: AWS settings: Invalid endpoint: localhost:5000 "
                "(AWS_ENDPOINT_URL must be a URL)"
            ),
        ),
        (
            {
                "AWS_ACCESS_KEY_ID": "",
                "AWS_SECRET_ACCESS_KEY": "",
                "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/",
            },
            "ServiceError: can't retrieve AWS credentials: ",
        ),
    ],
    ids=[
        *("no region", "a wrong region", "no credentials", "half of them", "no such profile"),
        *("a broken profile", "no URL", "no answer to the credentials"),
    ],
)
def test_aws_settings_that_cannot_work_stop_it_with_one_line(
    start: Sequence[str], beginning: str, changes: dict[str, str], error: str, cloud: Cloud
) -> None:
    """The line says what to do; nobody has to read a traceback."""
    ended = python(start, cloud, AWS_EC2_METADATA_DISABLED="true", **changes)

    assert (ended.returncode, ended.stdout) == (1, "")
    (line,) = ended.stderr.splitlines()
    words = error if beginning.endswith(".") else error.partition(": ")[2]
    assert line.startswith(beginning + words)


def test_region_of_other_sdks_is_enough(cloud: Cloud) -> None:
    """AWS_REGION is what `infra-sam/compose.yaml` sets."""
    environment = {name: text for name, text in os.environ.items() if name != "AWS_DEFAULT_REGION"}
    cloud.put("photo.jpg", person())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "environ", {**environment, "AWS_REGION": "us-east-1"})
        ended = run(ASK, cloud)

    assert (ended.returncode, ended.stderr) == (0, "")
    assert cloud.statuses() == {"photo.jpg": "detected"}


def test_missing_model_stops_it_with_what_to_do(cloud: Cloud, tmp_path: Path) -> None:
    """A missing model is reported on start, because nothing is downloaded later."""
    hollow: Any = tmp_path / "mediapipe" / "__init__.py"
    hollow.parent.mkdir()
    hollow.touch()

    said = complaint(cloud, MODEL_COMPLEXITY="0", PYTHONPATH=str(tmp_path))

    assert said == (
        "landmarks.errors.SettingsError: MODEL_COMPLEXITY=0 needs pose_landmark_lite.tflite, which "
        "is not installed: run image/fetch_models.py --complexity 0, or set MODEL_COMPLEXITY=1, "
        "whose model comes with MediaPipe"
    )


def test_a_model_without_mask_branch_stops_it_if_masks_are_wanted(
    cloud: Cloud, tmp_path: Path
) -> None:
    """The image was built without SEGMENTATION_BUCKET: the message says how to build another."""
    models = tmp_path / "mediapipe" / "modules" / "pose_landmark"
    models.mkdir(parents=True)
    (tmp_path / "mediapipe" / "__init__.py").touch()
    (models / "pose_landmark_lite_without_mask.tflite").touch()
    settings = {"MODEL_COMPLEXITY": "0", "SEGMENTATION_BUCKET": "masks"}

    said = complaint(cloud, **settings, PYTHONPATH=str(tmp_path))

    assert said == (
        "landmarks.errors.SettingsError: SEGMENTATION_BUCKET needs pose_landmark_lite.tflite, but "
        "this image has pose_landmark_lite_without_mask.tflite, which makes no masks: build an "
        "image with `make image SEGMENTATION_BUCKET=…`, or `sam build` with the parameter "
        "SegmentationBucket"
    )
