"""The image for arm64, with Lambda's limits: `make e2e-arm64`.

Where QEMU emulates the processor, a photograph takes half a minute or more, so this is not part of
`make e2e`. The kernel then refuses the detector's system call filter, which
`tests/unit/test_system_call_filter.py` interprets instead.
"""

import os
import time
from collections.abc import Iterator
from contextlib import closing

import numpy as np
import pytest

import build_image
from docker_cli import docker
from landmarks.groups import GROUPS
from tests.e2e import sam
from tests.e2e.base import NoBaseError, base_image
from tests.e2e.conftest import SAM_TAG, Note, skip_all, tag_kept
from tests.e2e.emulation import NoEmulationError, arm64
from tests.e2e.engine import NoEngineError, engine
from tests.e2e.test_lambda_like import COMPLAINT, Function, log_with, running
from tests.events import sqs_event
from tests.fakes import Cloud, nobody, person, start_detectors
from worker.settings import Settings

MACHINE = "aarch64"
TAG = "landmark-worker:e2e-arm64"
ANSWER_SECONDS = 840.0

# What emulation needs more of than Lambda gives.
PATIENCE = {"AWS_LAMBDA_FUNCTION_TIMEOUT": "840", "DETECT_TIMEOUT_SECONDS": "400"}

# Of the width and height, in x and y.
TOLERANCE = 0.001

# The header of an ELF file, after which 183 stands for arm64.
ELF_MACHINE = """
import pathlib
print(int.from_bytes(pathlib.Path("/opt/lib/libpthread_shim.so").read_bytes()[18:20], "little"))
"""


@pytest.fixture(scope="module")
def base(prepared: None, request: pytest.FixtureRequest) -> Iterator[str]:  # noqa: ARG001, the emulator
    """A base image for arm64, the engine that has it, and QEMU if this is another processor."""
    try:
        with arm64(), engine():
            yield base_image(MACHINE)
    except (NoEmulationError, NoEngineError, NoBaseError) as error:
        skip_all(request.config, error)


@pytest.fixture(scope="module")
def image(base: str) -> str:
    """The image for arm64, of complexity 2."""
    build_image.add_models([2])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOCKER_BUILDKIT", "0")  # SAM and the docker command share a cache
        build_image.build(TAG, base_image=base, platform="linux/arm64")
    return TAG


@pytest.fixture(scope="module")
def function(image: str, module_cloud: Cloud) -> Iterator[Function]:
    """The worker as Lambda runs it."""
    with running(image, module_cloud, **PATIENCE) as started:
        yield started


def test_the_shim_is_for_the_processor(image: str) -> None:
    """It is compiled for the image's processor, not the builder's."""
    assert docker("image", "inspect", "--format={{.Architecture}}", image) == "arm64"
    options = ("--rm", "--network=none", "--entrypoint=python3")
    assert docker("run", *options, image, "-c", ELF_MACHINE) == "183"


def test_sam_builds_the_same(base: str, image: str) -> None:
    """The stack's parameter is enough; the image for other containers has no more layers."""
    layers = "--format={{.Architecture}} {{.RootFS.Layers}}"
    with tag_kept(SAM_TAG):
        sam.build(base, "Architecture=arm64")
        built = docker("image", "inspect", layers, SAM_TAG)

    assert built == docker("image", "inspect", layers, image)


def test_a_batch_gives_the_landmarks_of_x86_64(
    function: Function, module_cloud: Cloud, note: Note
) -> None:
    """One photograph with a person and one without; x and y agree to a thousandth."""
    module_cloud.put("person.jpg", person())
    module_cloud.put("nobody.png", nobody())
    started = time.monotonic()

    answer = function.emulator.first_answer(
        sqs_event({"key": "person.jpg"}, {"key": "nobody.png"}), ANSWER_SECONDS
    )

    note("arm64, a batch of two", f"{time.monotonic() - started:.0f} s, start included")
    assert answer == {"batchItemFailures": []}
    assert module_cloud.statuses() == {"person.jpg": "detected", "nobody.png": "not_detected"}
    item = module_cloud.item("person.jpg")
    model = item["model"]["M"]
    assert (model["architecture"], model["mediapipe_version"]) == ({"S": "arm64"}, {"S": "0.10.18"})
    with closing(start_detectors(Settings(results_table="unused"))) as pool:
        expected = pool.detect(person(), time.monotonic() + 60).landmarks
    for group in GROUPS:
        here = getattr(expected, group.name)
        assert (here is not None) is (group.name in item), group.name
        if here is not None:
            there = np.frombuffer(item[group.name]["B"], "<f4").reshape(here.shape)
            largest = np.abs(there - here).max(axis=0)
            note(f"  {group.name}", "  ".join(f"{moved:.1e}" for moved in largest))
            assert largest[:2].max() < TOLERANCE, group.name


def test_what_is_done_on_arm64_is_done(function: Function, module_cloud: Cloud) -> None:
    """Both processors have the same hash of the options."""
    before = module_cloud.item("person.jpg")

    function.emulator.invoke(sqs_event({"key": "person.jpg"}), ANSWER_SECONDS)

    assert module_cloud.item("person.jpg") == before
    assert before["options_hash"] == {"S": "986c0c82e5ed8bb5"}


def test_a_broken_photograph_is_stored_as_failed(function: Function, module_cloud: Cloud) -> None:
    """With the code of its error."""
    module_cloud.put("broken.jpg", person()[:100])

    answer = function.emulator.invoke(sqs_event({"key": "broken.jpg"}), ANSWER_SECONDS)

    assert answer == {"batchItemFailures": []}
    item = module_cloud.item("broken.jpg")
    assert (item["status"], item["error_code"]) == ({"S": "failed"}, {"S": "CORRUPT_IMAGE"})


def test_the_log_tells_whether_system_calls_are_filtered(function: Function) -> None:
    """Nothing else about the detector is worth a line, not even a thread's name."""
    is_emulated = os.uname().machine != MACHINE
    log = log_with(function.container, COMPLAINT) if is_emulated else function.container.logs()

    complaints = [line for line in log.splitlines() if COMPLAINT in line]

    assert ["not confined" in complaint for complaint in complaints] == [True] * is_emulated
