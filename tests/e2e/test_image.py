"""What is in the image, and what is not."""

import json
import re
from typing import Any

import pytest

import build_image
from docker_cli import docker
from tests.e2e.sam import ROOT
from worker.model import POSE_MODELS

# Everything in /var/task.
LISTING = """
import json, pathlib
task = pathlib.Path("/var/task")
print(json.dumps([str(path.relative_to(task)) for path in task.rglob("*")]))
"""

WORKER = """
import json, pathlib
task = pathlib.Path("/var/task")
files = [file for file in (task / "worker").rglob("*.*") if file.suffix != ".pyc"]
print(json.dumps({str(file.relative_to(task)): file.read_bytes().hex() for file in files}))
"""

# What the user that runs it may not read, and what it may write.
ACCESS = """
import json, os, pathlib
paths = [path for top in ("/var/task", "/opt") for path in pathlib.Path(top).rglob("*")]
unreadable = [str(path) for path in paths if not os.access(path, os.R_OK)]
writable = [str(path) for path in paths if os.access(path, os.W_OK) and not path.is_symlink()]
print(json.dumps([os.getuid(), unreadable, writable]))
"""

# All that a start imports, the detector's side too.
IMPORTS = """
import worker.composition, worker.startup, worker.telemetry, worker.poller.loop
import worker.detector.child, worker.detector.decode, worker.detector.graph
worker.detector.graph.import_lean()
"""


def ask(image: str, program: str) -> Any:  # noqa: ANN401, it is JSON
    """Run a program in the image, as the image's own user, and read its answer."""
    options = ("--rm", "--network=none", "--entrypoint=python3")
    return json.loads(docker("run", *options, image, "-c", program))


def labels(image: str) -> dict[str, str]:
    """The image's labels, by the last word of their names."""
    found = json.loads(docker("inspect", "--format={{json .Config.Labels}}", image))
    return {name.rpartition(".")[2]: value for name, value in found.items()}


@pytest.fixture(scope="module")
def paths(image: str) -> list[str]:
    """Every path in the image's task folder."""
    found: list[str] = ask(image, LISTING)
    return found


def normalized(name: str) -> str:
    """A distribution's name as lock files write it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def test_locked_packages_and_no_others_are_inside(paths: list[str]) -> None:
    """The distributions are those of the lock file: no matplotlib, no jax, no pytest."""
    lock = (ROOT / "image" / "requirements.txt").read_text(encoding="utf-8")
    locked = re.findall(r"^([a-z0-9-]+)==", lock, re.MULTILINE)

    folders = [path.removesuffix(".dist-info") for path in paths if path.endswith(".dist-info")]

    assert sorted(normalized(folder.rpartition("-")[0]) for folder in folders) == sorted(locked)


def test_nothing_is_inside_that_never_runs(paths: list[str]) -> None:
    """No tests, commands, types, or what only a compiler needs."""
    folders = {"tests", "matplotlib", "jax", "bin"}
    suffixes = (".pyi", ".c", ".h", ".a", ".whl")

    found = [path for path in paths if folders & {*path.split("/")} or path.endswith(suffixes)]

    assert found == []


def test_worker_is_the_one_of_this_checkout(image: str) -> None:
    """The worker's files are those of the checkout, without what only a person's machine runs."""
    here = ROOT / "worker"
    patterns = ("*.py", "*.pbtxt", "*.jpg", "py.typed")
    files = [file for pattern in patterns for file in here.rglob(pattern)]
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    local = [ROOT / path for path in ignored if path.startswith("worker/")]
    assert here / "local" in local

    inside = ask(image, WORKER)

    assert inside == {
        str(file.relative_to(ROOT)): file.read_bytes().hex()
        for file in files
        if not {file, *file.parents} & {*local}
    }


def test_each_image_has_the_model_it_was_built_for(images: dict[int, str]) -> None:
    """Of the three pose models an image has the one of its complexity, which is its default."""
    for complexity, image in images.items():
        models = {path.rpartition("/")[2] for path in ask(image, LISTING) if "pose_lan" in path}
        variables = docker("inspect", "--format={{json .Config.Env}}", image)

        assert {name for name in models if name.endswith(".tflite")} == {POSE_MODELS[complexity]}
        assert f"MODEL_COMPLEXITY={complexity}" in json.loads(variables)


def test_code_comes_compiled(image: str) -> None:
    """Whatever a start imports of the worker and its packages is read from compiled files."""
    options = ("--rm", "--network=none", "--entrypoint=python3")

    said = docker("run", *options, image, "-v", "-c", IMPORTS, errors_too=True)

    origins = re.findall(r"# code object from '?(/var/task/[^'\n]+)", said)
    assert "/var/task/worker/__pycache__/composition" in "".join(origins)
    assert "/var/task/mediapipe/python/__pycache__/solution_base" in "".join(origins)
    assert [origin for origin in origins if not origin.endswith(".pyc")] == []


def test_user_reads_everything_and_writes_nothing(images: dict[int, str]) -> None:
    """The image's own user is not root, and has read access to the code, and only that."""
    user, unreadable, writable = ask(images[2], ACCESS)

    assert user == 993
    assert unreadable == []
    assert writable == []


def test_labels_name_version_and_revision(images: dict[int, str]) -> None:
    """`make image` writes into the labels what git calls the checkout."""
    found = labels(images[0])

    assert found["title"] == "landmark-worker"
    assert found["revision"] == build_image.git("rev-parse", "HEAD")
    assert found["version"] == build_image.git("describe", "--tags", "--always", "--dirty")


def test_report_adds_up(image: str, base: str) -> None:
    """The sizes that `make image` prints are the image's, and its parts fit into it."""
    found = build_image.sizes(image, base)

    report = build_image.report(image, base, found)

    assert 0 < sum(found.parts.values()) <= found.total - found.base
    assert report.splitlines()[0].startswith(f"image        {image}, ")
    assert "pose_landmark_heavy.tflite" in report
