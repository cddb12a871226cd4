"""The image with Lambda's limits."""

import json
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any, NamedTuple

import pytest

from docker_cli import Container, container
from emulator import Emulator
from lambda_like import LIMITS, gateway, worker
from landmarks.groups import GROUPS
from tests.events import sqs_event
from tests.fakes import Cloud, nobody, person, start_detectors
from tests.shims import THREAD_NAME_ERROR
from worker.detector.launch import ChildOptions
from worker.model import ModelOptions
from worker.settings import Settings

# What a process in the container can do: EPERM is 1, ENETUNREACH 101. The message queues are
# Docker's.
PROBE = """
import ctypes, json, os, pathlib, socket
libc = ctypes.CDLL(None, use_errno=True)
named = libc.prctl(15, b"probe", 0, 0, 0)
naming_error = ctypes.get_errno()
kernels = ("/proc", "/sys", "/dev/mqueue")
folders = (folder for folder, _, _ in os.walk("/") if not folder.startswith(kernels))
status = pathlib.Path("/proc/self/status").read_text()
limits = ("memory.max", "memory/memory.limit_in_bytes")
limit = next(path for path in map(pathlib.Path("/sys/fs/cgroup").joinpath, limits) if path.exists())
print(json.dumps({
    "user": os.getuid(),
    "naming": [named, naming_error],
    "writable": [folder for folder in folders if os.access(folder, os.W_OK)],
    "shared memory": os.path.exists("/dev/shm"),
    "memory": int(limit.read_text()),
    "tmp": os.statvfs("/tmp").f_blocks * os.statvfs("/tmp").f_frsize,
    "outside": socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect_ex(("192.0.2.1", 443)),
    "capabilities": status.partition("CapEff:")[2].split()[0],
}))
"""

# How the worker logs a detector's standard error.
COMPLAINT = "detector said"

DETECTOR = ChildOptions(
    model=ModelOptions(),
    max_image_pixels=1_000_000,
    timeout_seconds=30,
    memory_bytes=1536 * 1024 * 1024,
)


class Function(NamedTuple):
    """A worker in a container, and its emulator."""

    container: Container
    emulator: Emulator


@contextmanager
def running(image: str, cloud: Cloud, **environment: str) -> Iterator[Function]:
    """Run the image as Lambda does; without a queue, because the events are made up."""
    variables = {**cloud.stack.environment, "QUEUE_URL": "", **environment}
    with (
        gateway(image) as door,
        worker(image, environment=variables, network=door.network) as container,
    ):
        yield Function(container, door.emulator)


@pytest.fixture(scope="module")
def function(image: str, module_cloud: Cloud) -> Iterator[Function]:
    """A worker for all tests of this module."""
    with running(image, module_cloud) as started:
        yield started


def log_with(container: Container, text: str) -> str:
    """The log, once it has a text: the last lines may be late."""
    deadline = time.monotonic() + 10
    while text not in (log := container.logs()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return log


def failed_places(event: dict[str, Any], answer: dict[str, Any]) -> list[int]:
    """The indexes of the messages that are reported as failed."""
    places = {record["messageId"]: place for place, record in enumerate(event["Records"])}
    return [places[failure["itemIdentifier"]] for failure in answer["batchItemFailures"]]


def test_limits_are_those_of_lambda(function: Function) -> None:
    """User, memory, files and no network."""
    found = json.loads(function.container.execute("python3", "-c", PROBE))

    assert found == {
        "user": 993,
        "naming": [-1, 1],
        "writable": ["/tmp"],  # noqa: S108, inside the container
        "shared memory": False,
        "memory": 1769 * 1024 * 1024,
        "tmp": 512 * 1024 * 1024,
        "outside": 101,
        "capabilities": "0000000000000000",
    }
    assert function.container.inspect("{{.HostConfig.NanoCpus}}") == "1000000000"


def test_only_the_message_to_retry_is_reported_as_failed(
    function: Function, module_cloud: Cloud
) -> None:
    """Each message of a batch has its own outcome; that of the missing object is retried."""
    module_cloud.put("batch/person.jpg", person())
    module_cloud.put("batch/nobody.png", nobody())
    module_cloud.put("batch/text.jpg", b"no image")
    keys = ("batch/person.jpg", "batch/nobody.png", "batch/text.jpg", "batch/missing.jpg")
    event = sqs_event(*({"key": key} for key in keys), "not JSON")

    answer = function.emulator.first_answer(event)

    assert failed_places(event, answer) == [3]
    statuses = module_cloud.statuses()
    assert [statuses.get(key) for key in keys] == ["detected", "not_detected", "failed", None]
    (letter,) = module_cloud.dead_letters()
    assert letter["Body"] == "not JSON"


def test_landmarks_are_those_of_this_machine(function: Function, module_cloud: Cloud) -> None:
    """The trimmed packages give the same landmarks, bit for bit, as the complete ones."""
    module_cloud.put("same.jpg", person())
    function.emulator.first_answer(sqs_event({"key": "same.jpg"}))
    with closing(start_detectors(Settings(results_table="unused"))) as pool:
        expected = pool.detect(person(), time.monotonic() + 60).landmarks

    item = module_cloud.item("same.jpg")

    arrays = {group.name: getattr(expected, group.name) for group in GROUPS}
    found = {name: array.tobytes() for name, array in arrays.items() if array is not None}
    assert {"pose_landmarks", "face_landmarks"} <= found.keys()
    assert {name: item[name]["B"] for name in arrays if name in item} == found


def test_direct_invocation_answers_with_landmarks(function: Function, module_cloud: Cloud) -> None:
    """For one object, without a queue."""
    module_cloud.put("direct.jpg", person())

    answer = function.emulator.first_answer(
        {"bucket": module_cloud.stack.bucket, "key": "direct.jpg"}
    )

    assert answer["statusCode"] == 200
    assert len(answer["body"]["data"]["pose_landmarks"]["landmark"]) == 33
    assert module_cloud.statuses()["direct.jpg"] == "detected"


def test_log_is_clean(function: Function, module_cloud: Cloud) -> None:
    """A good photograph logs no warning, not even about thread names."""
    module_cloud.put("clean.jpg", person())
    before = len(function.container.logs())
    function.emulator.first_answer(sqs_event({"key": "clean.jpg"}))

    log = log_with(function.container, "clean.jpg")

    assert "job finished" in log[before:]
    assert COMPLAINT not in log
    assert '"WARNING"' not in log[before:]
    assert '"ERROR"' not in log
    assert "ld.so" not in log


def test_without_the_shim_the_log_has_complaints(image: str, module_cloud: Cloud) -> None:
    """So the test above can fail."""
    module_cloud.put("shimless.jpg", person())
    with running(image, module_cloud, LD_PRELOAD="") as shimless:
        answer = shimless.emulator.first_answer({"key": "shimless.jpg"})

        assert answer["statusCode"] == 200
        assert COMPLAINT in log_with(shimless.container, COMPLAINT)


def test_detector_names_no_thread_with_the_shim_alone(function: Function) -> None:
    """Under Lambda's limits a detector logs errors about thread names, but not with the shim."""
    detector = ("python3", "-m", "worker.detector.child", DETECTOR.to_json())
    container = function.container

    shimmed = container.execute(*detector, errors_too=True)
    shimless = container.execute(*detector, options=("--env=LD_PRELOAD=",), errors_too=True)

    assert "TensorFlow Lite" in shimmed
    assert THREAD_NAME_ERROR not in shimmed
    assert THREAD_NAME_ERROR in shimless


@pytest.mark.parametrize("complexity", [0, 1])
def test_every_complexity_works(
    images: dict[int, str], module_cloud: Cloud, complexity: int
) -> None:
    """The images with the other models find the person as well."""
    key = f"complexity-{complexity}.jpg"
    module_cloud.put(key, person())
    with running(images[complexity], module_cloud) as other:
        other.emulator.first_answer(sqs_event({"key": key}))

    assert module_cloud.item(key)["model"]["M"]["model_complexity"] == {"N": str(complexity)}


def test_a_missing_model_stops_the_start(images: dict[int, str], module_cloud: Cloud) -> None:
    """The error names the setting and the file."""
    with running(images[1], module_cloud, MODEL_COMPLEXITY="2") as wrong:
        answer = wrong.emulator.first_answer({})

    assert "statusCode" not in answer
    assert "MODEL_COMPLEXITY=2 needs pose_landmark_heavy.tflite" in answer["errorMessage"]


@pytest.mark.usefixtures("module_cloud")
def test_a_missing_region_is_told_in_one_line(image: str) -> None:
    """In the answer and in the log, in which no stack trace follows."""
    with (
        gateway(image) as door,
        container(
            image,
            options=(*LIMITS, f"--network={door.network}"),
            environment={"RESULTS_TABLE": "results"},
        ) as regionless,
    ):
        answer = door.emulator.first_answer({})
        log = log_with(regionless, "SettingsError")

    reason = "no AWS region: set AWS_REGION, for example to eu-central-1"
    assert (answer["errorMessage"], answer["stackTrace"]) == (reason, [])
    assert f"SettingsError: {reason}" in log
    assert 'File "' not in log


def test_an_image_that_makes_no_masks_says_so(images: dict[int, str], module_cloud: Cloud) -> None:
    """The error tells how to build another."""
    with running(images[1], module_cloud, SEGMENTATION_BUCKET="masks") as wrong:
        answer = wrong.emulator.first_answer({})

    assert "statusCode" not in answer
    assert "SEGMENTATION_BUCKET needs pose_landmark_full.tflite" in answer["errorMessage"]
