"""Reading where only what the project declares for it is installed."""

import json
import os
from importlib.util import find_spec

import pytest

from landmarks.enums import LandmarkEncoding
from tests.fakes import seen_person
from tests.integration.reading.bare import BareEnvironment
from tests.integration.reading.conftest import Save
from tests.integration.reading.node import ROOT
from worker.table import ResultsTable

READ = """
import json, sys
from landmarks import LandmarkTable

result = LandmarkTable(sys.argv[1]).get(sys.argv[2])
groups = {group.name: array.tobytes().hex() for group, array in result.landmarks.found()}
print(json.dumps({"status": result.status, "wrist": result.pose["left_wrist"].x, **groups}))
"""

IMPORTABLE = """
import importlib.util, json, sys

print(json.dumps([name for name in sys.argv[1:] if importlib.util.find_spec(name)]))
"""

INSTALLED = """
import importlib.metadata, json

print(json.dumps([found.metadata["Name"] for found in importlib.metadata.distributions()]))
"""

CONSUME = """
import sys

sys.path.insert(0, sys.argv[1])
import consumer

print(consumer.handler({"Records": []}, None))
"""

# What the worker, its command, its local services and its tests need on top.
NOT_FOR_READING = [
    *("mediapipe", "cv2", "aws_lambda_powertools", "click", "rich", "PIL", "pyarrow"),
    *("moto", "skimage", "pytest", "hypothesis"),
]


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> BareEnvironment:
    """One for all tests."""
    return BareEnvironment(tmp_path_factory.mktemp("bare") / "environment")


@pytest.mark.parametrize("encoding", LandmarkEncoding)
def test_results_are_read(
    bare: BareEnvironment, written: ResultsTable, save: Save, encoding: LandmarkEncoding
) -> None:
    """The numbers that were stored, out of a DynamoDB."""
    save("photo.jpg")

    ran = bare.run(READ, written.item.Meta.table_name, "photo.jpg")

    assert ran.returncode == 0, ran.stderr
    read = json.loads(ran.stdout)
    assert (read.pop("status"), len(read.pop("face_landmarks"))) == ("detected", 2 * 468 * 3 * 4)
    pose = seen_person().landmarks.pose_landmarks
    assert pose is not None
    assert read["wrist"] == pytest.approx(float(pose[15, 0]), abs=5e-7)
    if encoding is LandmarkEncoding.BINARY:
        assert read["pose_landmarks"] == pose.tobytes().hex()


def test_nothing_else_is_installed(bare: BareEnvironment) -> None:
    """Neither what the worker needs, though it is installed here, nor anything undeclared."""
    assert all(map(find_spec, NOT_FOR_READING))

    assert json.loads(bare.run(IMPORTABLE, *NOT_FOR_READING, "numpy").stdout) == ["numpy"]
    installed = json.loads(bare.run(INSTALLED).stdout)
    assert {name.lower().replace("_", "-") for name in installed} == set(bare.distributions)
    assert {"boto3", "numpy", "pynamodb", "urllib3", "botocore"} <= set(bare.distributions)


@pytest.mark.parametrize(
    ("module", "said"),
    [
        ("landmarks.drawing.canvas", "No module named 'PIL'"),
        ("landmarks.local.services", "No module named 'moto'"),
        ("landmarks.cli.main", "click is not installed"),
    ],
)
def test_what_needs_more_fails(bare: BareEnvironment, module: str, said: str) -> None:
    """Or the other tests would show nothing."""
    ran = bare.run(f"import {module}")
    assert ran.returncode == 1
    assert said in ran.stderr


def test_consumer_of_the_stream_needs_no_more(bare: BareEnvironment) -> None:
    """The example starts there."""
    ran = bare.run(CONSUME, str(ROOT / "examples" / "stream-consumer"))
    assert ran.stdout.strip() == "{'batchItemFailures': []}", ran.stderr


def test_program_runs_away_from_the_repository(bare: BareEnvironment) -> None:
    """What is imported is the environment's, not what this process has."""
    ran = bare.run("import landmarks, numpy; print(landmarks.__file__, numpy.__file__)")
    assert str(ROOT) + os.sep not in ran.stdout
    assert ran.stdout.count("environment") == 2
