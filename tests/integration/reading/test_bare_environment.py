"""Reading results in an environment with only the declared dependencies."""

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
imported = [name for name in sys.modules if name.partition(".")[0] == "worker"]
import worker

print(json.dumps({
    "status": result.status,
    "wrist": result.pose["left_wrist"].x,
    "groups": groups,
    "imported": imported,
    "owner": worker.OWNER,
}))
"""

LOOK = """
import importlib.metadata, importlib.util, json, landmarks, numpy, sys

print(json.dumps({
    "importable": [name for name in sys.argv[1:] if importlib.util.find_spec(name)],
    "installed": [found.metadata["Name"] for found in importlib.metadata.distributions()],
    "files": [landmarks.__file__, numpy.__file__],
}))
"""

CONSUME = """
import sys

sys.path.insert(0, sys.argv[1])
import consumer

print(consumer.handler({"Records": []}, None))
"""

# Dependencies of the worker, the command, the local services and the tests only.
NOT_FOR_READING = [
    *("mediapipe", "cv2", "aws_lambda_powertools", "click", "rich", "PIL", "pyarrow"),
    *("moto", "skimage", "pytest", "hypothesis"),
]


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> BareEnvironment:
    """One environment for all tests."""
    return BareEnvironment(tmp_path_factory.mktemp("bare"))


@pytest.mark.parametrize("encoding", LandmarkEncoding)
def test_an_application_reads_results_beside_a_worker_of_its_own(
    bare: BareEnvironment, written: ResultsTable, save: Save, encoding: LandmarkEncoding
) -> None:
    """An application with its own module `worker` can read results."""
    save("photo.jpg")

    ran = bare.run(READ, written.item.Meta.table_name, "photo.jpg")

    assert ran.returncode == 0, ran.stderr
    read = json.loads(ran.stdout)
    assert read["status"] == "detected"
    assert len(read["groups"]["face_landmarks"]) == 2 * 468 * 3 * 4
    pose = seen_person().landmarks.pose_landmarks
    assert pose is not None
    rounding = 0.5 / 4096 if encoding is LandmarkEncoding.INT16 else 5e-7
    assert read["wrist"] == pytest.approx(float(pose[15, 0]), abs=rounding)
    if encoding is LandmarkEncoding.BINARY:
        assert read["groups"]["pose_landmarks"] == pose.tobytes().hex()
    assert (read["imported"], read["owner"]) == ([], "the application")


def test_nothing_else_is_installed(bare: BareEnvironment) -> None:
    """No extra, undeclared dependency or part of this repository is installed."""
    assert all(map(find_spec, NOT_FOR_READING))

    ran = bare.run(LOOK, *NOT_FOR_READING, "numpy")

    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    assert found["importable"] == ["numpy"]
    installed = {name.lower().replace("_", "-") for name in found["installed"]}
    assert installed == set(bare.distributions)
    assert {"boto3", "numpy", "pynamodb", "urllib3", "botocore"} <= installed
    assert not any(file.startswith(str(ROOT) + os.sep) for file in found["files"])


@pytest.mark.parametrize(
    ("module", "error"),
    [
        ("landmarks.drawing.canvas", "No module named 'PIL'"),
        ("landmarks.local.services", "No module named 'moto'"),
        ("landmarks.cli.main", "click is not installed"),
    ],
)
def test_what_needs_more_fails(bare: BareEnvironment, module: str, error: str) -> None:
    """Importing the worker fails; otherwise the other tests would prove nothing."""
    ran = bare.run(f"import {module}")
    assert ran.returncode == 1
    assert error in ran.stderr


def test_the_stream_consumer_needs_no_more(bare: BareEnvironment) -> None:
    """The example starts in this environment."""
    ran = bare.run(CONSUME, str(ROOT / "examples" / "stream-consumer"))
    assert ran.stdout.strip() == "{'batchItemFailures': []}", ran.stderr
