"""What the image contains."""

import json
import re
from typing import Any

import pytest

import build_image
from docker_cli import docker
from tests.e2e.sam import ROOT
from worker.model import POSE_MODELS, WITHOUT_MASK

# Everything in /var/task.
LISTING = """
import json, pathlib
task = pathlib.Path("/var/task")
print(json.dumps([str(path.relative_to(task)) for path in task.rglob("*")]))
"""

# The files of both packages, with their contents.
PACKAGES = """
import json, pathlib
task = pathlib.Path("/var/task")
names = "landmarks", "worker"
files = [file for name in names for file in (task / name).rglob("*.*") if file.suffix != ".pyc"]
print(json.dumps({str(file.relative_to(task)): file.read_bytes().hex() for file in files}))
"""

# What the image's user cannot read, and what it can write.
ACCESS = """
import json, os, pathlib
paths = [path for top in ("/var/task", "/opt") for path in pathlib.Path(top).rglob("*")]
unreadable = [str(path) for path in paths if not os.access(path, os.R_OK)]
writable = [str(path) for path in paths if os.access(path, os.W_OK) and not path.is_symlink()]
print(json.dumps([os.getuid(), unreadable, writable]))
"""

# What a cold start imports, in the worker and in the detector.
IMPORTS = """
import worker.composition, worker.startup, worker.telemetry, worker.poller.loop
import worker.detector.child, worker.detector.decode, worker.detector.graph
worker.detector.graph.import_lean()
"""


def ask(image: str, program: str) -> Any:  # noqa: ANN401, it is JSON
    """Run a program in the image, as the image's user, and read the JSON that it prints."""
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
    """A distribution's name in the spelling of lock files."""
    return re.sub(r"[-_.]+", "-", name).lower()


def test_exactly_the_locked_packages_are_inside(paths: list[str]) -> None:
    """No Matplotlib, no JAX, no pytest."""
    lock = (ROOT / "image" / "requirements.txt").read_text(encoding="utf-8")
    locked = {*re.findall(r"^([a-z0-9-]+)==", lock, re.MULTILINE)}  # MediaPipe for each processor

    folders = [path.removesuffix(".dist-info") for path in paths if path.endswith(".dist-info")]

    assert sorted(normalized(folder.rpartition("-")[0]) for folder in folders) == sorted(locked)


def test_nothing_is_inside_that_is_never_used(paths: list[str]) -> None:
    """No tests, commands, type stubs or headers."""
    folders = {"tests", "matplotlib", "jax", "bin"}
    suffixes = (".pyi", ".c", ".h", ".a", ".whl")

    found = [path for path in paths if folders & {*path.split("/")} or path.endswith(suffixes)]

    assert found == []


def test_code_is_that_of_this_checkout(image: str) -> None:
    """The whole worker, and of `landmarks` what .dockerignore lets in."""
    patterns = ("*.py", "*.pbtxt", "*.jpg", "py.typed")
    files = [file for pattern in patterns for file in (ROOT / "worker").rglob(pattern)]
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    files += [ROOT / line[1:] for line in lines if line.startswith("!landmarks/")]

    inside = ask(image, PACKAGES)

    assert inside == {str(file.relative_to(ROOT)): file.read_bytes().hex() for file in files}


def test_each_image_has_the_model_it_was_built_for(images: dict[int, str]) -> None:
    """Only the pose model of its complexity, which is its default, without mask branch."""
    for complexity, image in images.items():
        models = {path.rpartition("/")[2] for path in ask(image, LISTING) if "pose_lan" in path}
        variables = docker("inspect", "--format={{json .Config.Env}}", image)

        stem = POSE_MODELS[complexity].removesuffix(".tflite")
        assert {name for name in models if name.endswith(".tflite")} == {
            f"{stem}{WITHOUT_MASK}.tflite"
        }
        assert f"MODEL_COMPLEXITY={complexity}" in json.loads(variables)


def test_an_image_for_masks_has_the_whole_model(base: str, images: dict[int, str]) -> None:
    """And no other."""
    tag = f"{images[1]}-masks"
    build_image.build(tag, base_image=base, complexity=1, segmentation_bucket="my-masks")

    models = {path.rpartition("/")[2] for path in ask(tag, LISTING) if path.endswith(".tflite")}

    assert {name for name in models if name.startswith("pose_lan")} == {POSE_MODELS[1]}


def test_code_is_compiled(image: str) -> None:
    """A cold start compiles nothing."""
    options = ("--rm", "--network=none", "--entrypoint=python3")

    said = docker("run", *options, image, "-v", "-c", IMPORTS, errors_too=True)

    origins = re.findall(r"# code object from '?(/var/task/[^'\n]+)", said)
    assert "/var/task/worker/__pycache__/composition" in "".join(origins)
    assert "/var/task/mediapipe/python/__pycache__/solution_base" in "".join(origins)
    assert [origin for origin in origins if not origin.endswith(".pyc")] == []


def test_the_user_can_read_the_code_and_write_nothing(images: dict[int, str]) -> None:
    """And it is not root."""
    user, unreadable, writable = ask(images[2], ACCESS)

    assert user == 993
    assert unreadable == []
    assert writable == []


def test_labels_name_version_and_revision(images: dict[int, str]) -> None:
    """`make image` takes them from git."""
    found = labels(images[0])

    assert found["title"] == "landmark-worker"
    assert found["revision"] == build_image.git("rev-parse", "HEAD")
    assert found["version"] == build_image.git("describe", "--tags", "--always", "--dirty")


def test_report_adds_up(image: str, base: str) -> None:
    """The sizes that `make image` prints are those of the image and its parts."""
    found = build_image.sizes(image, base)

    report = build_image.report(image, base, found)

    assert 0 < sum(found.parts.values()) <= found.total - found.base
    assert report.splitlines()[0].startswith(f"image        {image}, ")
    assert "pose_landmark_heavy_without_mask.tflite" in report
