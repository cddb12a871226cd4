"""The cold start, in a process of its own: what starts, in which order, or why nothing does."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import Cloud, person

ROOT = Path(__file__).parents[2]

# Imports the function as Lambda does and asks it; the answer is the last line.
ASK = """
import json
from worker.lambda_function import lambda_handler

class Context:
    def get_remaining_time_in_millis(self):
        return 60_000

print(json.dumps(lambda_handler({"key": "photo.jpg"}, Context())))
"""

# Notes what had been imported whenever a process was started.
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


def run(program: str, cloud: Cloud, **changes: str) -> subprocess.CompletedProcess[str]:
    """A program in the environment of a Lambda function on the test's stack."""
    environment = {
        **os.environ,
        **cloud.stack.environment,
        "MODEL_COMPLEXITY": "1",
        "DETECTORS": "1",
        **changes,
    }
    return subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def complaint(cloud: Cloud, **changes: str) -> str:
    """The last line of a failed import."""
    ended = run("import worker.lambda_function", cloud, **changes)
    assert (ended.returncode, ended.stdout) == (1, "")
    return ended.stderr.splitlines()[-1]


def test_function_comes_up_and_answers(cloud: Cloud) -> None:
    """Only the environment configures it, and everything it prints is JSON."""
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


def test_detectors_start_before_anything_slow_is_imported(cloud: Cloud) -> None:
    """They warm up while this process imports the AWS side, and never MediaPipe or OpenCV."""
    ended = run(WATCH, cloud, DETECTORS="2")

    assert ended.stderr == ""
    everything = ["aws_lambda_powertools", "boto3", "botocore", "pynamodb"]
    assert ended.stdout == f"[[], []] {everything} False False\n"


def test_a_detectors_process_imports_nothing_of_aws(cloud: Cloud) -> None:
    """It would cost each of them memory and time."""
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
    """The variable, its value and what is allowed."""
    assert complaint(cloud, **changes) == f"landmarks.errors.SettingsError: {message}"


def test_missing_model_stops_it_with_what_to_do(cloud: Cloud, tmp_path: Path) -> None:
    """Nothing is downloaded at run time, so the start is where it is reported."""
    hollow: Any = tmp_path / "mediapipe" / "__init__.py"
    hollow.parent.mkdir()
    hollow.touch()

    said = complaint(cloud, MODEL_COMPLEXITY="0", PYTHONPATH=str(tmp_path))

    assert said == (
        "landmarks.errors.SettingsError: MODEL_COMPLEXITY=0 needs pose_landmark_lite.tflite, which "
        "is not installed: run image/fetch_models.py --complexity 0, or set MODEL_COMPLEXITY=1, "
        "whose model comes with MediaPipe"
    )
