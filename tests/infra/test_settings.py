"""The template's parameters are the worker's settings: same names, defaults and limits."""

import re
from collections.abc import Iterator, Mapping

import pytest

from landmarks.enums import LandmarkEncoding
from tests.infra.cloudformation import Node, Stack, load_template, refusals, render
from worker.model import ModelOptions
from worker.settings import Settings

PARAMETERS: Node = load_template()["Parameters"]


def worker_environment(stack: Stack) -> dict[str, str]:
    """The function's environment, Lambda's own variable included."""
    worker = stack.properties("Worker")
    return {
        **worker["Environment"]["Variables"],
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": worker["MemorySize"],
    }


def worker_settings(stack: Stack) -> Settings:
    """The settings that the worker would start with."""
    return Settings.from_environment(worker_environment(stack))


class Environment(Mapping[str, str]):
    """An environment that notes which variables are read."""

    def __init__(self) -> None:
        """Have only the required variable."""
        self._variables = {"RESULTS_TABLE": "results"}
        self.asked: set[str] = set()

    def __getitem__(self, name: str) -> str:
        """Note that it is read."""
        self.asked.add(name)
        return self._variables[name]

    def __iter__(self) -> Iterator[str]:
        """The names."""
        return iter(self._variables)

    def __len__(self) -> int:
        """How many."""
        return len(self._variables)


def setting_parameters() -> list[str]:
    """The parameters that have the name of a variable."""
    worker = load_template()["Resources"]["Worker"]["Properties"]
    variables = worker["Environment"]["Variables"]
    return [
        name for name in PARAMETERS if re.sub(r"(?<=.)([A-Z])", r"_\1", name).upper() in variables
    ]


def test_every_setting_is_set() -> None:
    """The function's variables are those that the worker reads."""
    environment = Environment()
    Settings.from_environment(environment)
    is_boto3s = {"AWS_ENDPOINT_URL"}
    assert worker_environment(render()).keys() - is_boto3s == environment.asked


def test_the_defaults_are_those_of_the_worker() -> None:
    """The template repeats them."""
    assert worker_settings(render()) == Settings(
        results_table="ResultsTable",
        image_bucket="ImageBucket",
        allowed_buckets=frozenset({"ImageBucket"}),
        queue_url="https://Queue",
        dead_letter_queue_url="https://DeadLetterQueue",
        max_receive_count=8,
    )


def test_every_setting_has_a_parameter() -> None:
    """Each sets the setting of its name."""
    stack = render(
        ExistingImageBucket="camera-roll",
        RetryBaseSeconds="300",
        MaxReceiveCount="12",
        ModelComplexity="1",
        MinDetectionConfidence="0.25",
        MinLandmarkConfidence="0.75",
        RefineFaceLandmarks="true",
        MaxImageSide="1920",
        MaxPeople="8",
        SegmentationBucket="masks",
        MaxImageBytes="1000000",
        MaxImagePixels="2000000",
        DetectTimeoutSeconds="10",
        ResultTtlDays="90",
        LandmarkEncoding="maps",
        PrefixIndex="true",
        FunctionMemoryMegabytes="5307",
        Detectors="2",
    )
    assert worker_settings(stack) == Settings(
        results_table="ResultsTable",
        image_bucket="camera-roll",
        segmentation_bucket="masks",
        allowed_buckets=frozenset({"camera-roll"}),
        queue_url="https://Queue",
        dead_letter_queue_url="https://DeadLetterQueue",
        max_receive_count=12,
        retry_base_seconds=300,
        model=ModelOptions(
            model_complexity=1,
            min_detection_confidence=0.25,
            min_landmark_confidence=0.75,
            refine_face_landmarks=True,
            max_image_side=1920,
            max_people=8,
            segmentation=True,
        ),
        max_image_bytes=1_000_000,
        max_image_pixels=2_000_000,
        detect_timeout_seconds=10,
        result_ttl_days=90,
        landmark_encoding=LandmarkEncoding.MAPS,
        prefix_index=True,
        detectors=2,
    )


EDGES = [
    *(
        "",
        " ",
        "-1",
        "0",
        "1",
        "2",
        "3",
        "5",
        "6",
        "16",
        "17",
        "64",
        "65",
        "0.1",
        "0.5",
        "1.0",
        "1.5",
        "00",
    ),
    *("1e-1", "1e9", "nan", "inf", "+1", "1_0", "٣", "0x1", "5.", ".5", "true", "false", "yes"),
    *("True", "120", "899", "900", "901", "9999", "10000", "36500", "36501", "49999999"),
    *("binary", "int16", "maps", "Maps", "BINARY"),
    *("255", "256", "1599", "1600", "16299", "16300", "16384", "16385", "16390", "16400"),
    *(
        "50000000",
        "50000001",
        "79999999",
        "80000000",
        "80000001",
        "99999999",
        "100000000",
        "100000001",
        "249999999",
        "250000000",
        "250000001",
        "500000000",
        "500000001",
    ),
]


@pytest.mark.parametrize("name", setting_parameters())
def test_the_worker_starts_with_every_allowed_value(name: str) -> None:
    """Tried at the limits of the template and of `settings.py`."""
    roomy = {"FunctionTimeoutSeconds": "900", "FunctionMemoryMegabytes": "8845"}
    accepted = [edge for edge in EDGES if not refusals(**{**roomy, name: edge})]
    assert accepted, "none of these values is allowed"
    for value in accepted:
        worker_settings(render(**{**roomy, name: value}))


@pytest.mark.parametrize("megabytes", PARAMETERS["FunctionMemoryMegabytes"]["AllowedValues"])
def test_memory_is_whole_vcpus_with_a_detector_each(megabytes: int) -> None:
    """The worker starts one detector for each vCPU."""
    stack = render(FunctionMemoryMegabytes=str(megabytes))
    assert stack.properties("Worker")["MemorySize"] == str(megabytes)
    assert worker_settings(stack).detectors * 1769 == megabytes
