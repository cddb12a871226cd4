"""Environment variables: defaults, allowed values and errors."""

from typing import Any

import pytest

from landmarks.enums import LandmarkEncoding
from landmarks.errors import SettingsError
from worker.model import ModelOptions
from worker.settings import Settings

POINT = "arn:aws:s3:eu-central-1:111122223333:accesspoint/photos"
QUEUE = "https://sqs.eu-central-1.amazonaws.com/111122223333/jobs"


def read(**variables: str) -> Settings:
    """Return the settings for the required variable and these."""
    return Settings.from_environment({"RESULTS_TABLE": "results", **variables})


def setting(settings: Settings, name: str) -> Any:  # noqa: ANN401, settings are of many types
    """Return a setting by its variable's name."""
    holder = settings.model if hasattr(settings.model, name.lower()) else settings
    return getattr(holder, name.lower())


def complaint(**variables: str) -> str:
    """Return the error for an environment."""
    with pytest.raises(SettingsError) as caught:
        read(**variables)
    return str(caught.value)


def test_defaults() -> None:
    """Only one variable is required."""
    assert read(AWS_LAMBDA_FUNCTION_MEMORY_SIZE="1769") == Settings(
        results_table="results",
        allowed_buckets=None,
        image_bucket=None,
        segmentation_bucket=None,
        dead_letter_queue_url=None,
        queue_url=None,
        max_receive_count=None,
        retry_base_seconds=60.0,
        model=ModelOptions(
            model_complexity=2,
            min_detection_confidence=0.5,
            min_landmark_confidence=0.5,
            refine_face_landmarks=False,
            segmentation=False,
        ),
        max_image_bytes=80_000_000,
        max_image_pixels=250_000_000,
        detect_timeout_seconds=15.0,
        result_ttl_days=None,
        landmark_encoding=LandmarkEncoding.BINARY,
        prefix_index=False,
        detectors=1,
    )


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("RESULTS_TABLE", "other", "other"),
        ("ALLOWED_BUCKETS", "photos", frozenset({"photos"})),
        ("ALLOWED_BUCKETS", "photos, uploads", frozenset({"photos", "uploads"})),
        ("ALLOWED_BUCKETS", f"My_Photos,{POINT}", frozenset({"My_Photos", POINT})),
        ("IMAGE_BUCKET", "photos", "photos"),
        ("IMAGE_BUCKET", "My_Photos", "My_Photos"),
        ("IMAGE_BUCKET", POINT, POINT),
        ("SEGMENTATION_BUCKET", "masks", "masks"),
        ("DEAD_LETTER_QUEUE_URL", QUEUE, QUEUE),
        ("QUEUE_URL", "http://127.0.0.1:5000/1/jobs", "http://127.0.0.1:5000/1/jobs"),
        ("MAX_RECEIVE_COUNT", "1", 1),
        ("MAX_RECEIVE_COUNT", "1000", 1000),
        ("RETRY_BASE_SECONDS", "0", 0.0),
        ("RETRY_BASE_SECONDS", "3600", 3600.0),
        ("MODEL_COMPLEXITY", "0", 0),
        ("MODEL_COMPLEXITY", "1", 1),
        ("MODEL_COMPLEXITY", " 2 ", 2),
        ("MIN_DETECTION_CONFIDENCE", "0", 0.0),
        ("MIN_DETECTION_CONFIDENCE", "1", 1.0),
        ("MIN_LANDMARK_CONFIDENCE", ".25", 0.25),
        ("REFINE_FACE_LANDMARKS", "true", True),
        ("REFINE_FACE_LANDMARKS", "1", True),
        ("REFINE_FACE_LANDMARKS", "Yes", True),
        ("REFINE_FACE_LANDMARKS", "FALSE", False),
        ("REFINE_FACE_LANDMARKS", "0", False),
        ("REFINE_FACE_LANDMARKS", "no", False),
        ("MAX_IMAGE_SIDE", "256", 256),
        ("MAX_IMAGE_SIDE", "16384", 16_384),
        ("MAX_PEOPLE", "1", 1),
        ("MAX_PEOPLE", "16", 16),
        ("MAX_IMAGE_BYTES", "1", 1),
        ("MAX_IMAGE_BYTES", "500000000", 500_000_000),
        ("MAX_IMAGE_PIXELS", "250000000", 250_000_000),
        ("DETECT_TIMEOUT_SECONDS", "0.1", 0.1),
        ("DETECT_TIMEOUT_SECONDS", "900", 900.0),
        ("RESULT_TTL_DAYS", "1", 1),
        ("RESULT_TTL_DAYS", "36500", 36_500),
        ("LANDMARK_ENCODING", "binary", LandmarkEncoding.BINARY),
        ("LANDMARK_ENCODING", "int16", LandmarkEncoding.INT16),
        ("LANDMARK_ENCODING", " maps ", LandmarkEncoding.MAPS),
        ("PREFIX_INDEX", "true", True),
        ("DETECTORS", "64", 64),
    ],
)
def test_allowed_values(name: str, text: str, value: object) -> None:
    """Bounds are included, and surrounding spaces are stripped."""
    found = setting(read(**{name: text}), name)

    assert (found, type(found)) == (value, type(value))


COMPLEXITIES = "one of 0, 1, 2"
CONFIDENCE = "a number from 0 to 1"
BOOLEAN = "one of true, 1, yes, false, 0, no"
SIZE_BYTES = "a whole number from 1 to 500000000"
SIZE_PIXELS = "a whole number from 1 to 250000000"


@pytest.mark.parametrize(
    ("name", "text", "allowed"),
    [
        ("ALLOWED_BUCKETS", "photos,,uploads", "bucket names separated by commas"),
        ("ALLOWED_BUCKETS", ",", "bucket names separated by commas"),
        ("DEAD_LETTER_QUEUE_URL", "arn:aws:sqs:eu-central-1:111122223333:dead", "a queue's URL"),
        ("QUEUE_URL", "jobs", "a queue's URL"),
        ("MAX_RECEIVE_COUNT", "0", "a whole number from 1 to 1000"),
        ("MAX_RECEIVE_COUNT", "1001", "a whole number from 1 to 1000"),
        ("RETRY_BASE_SECONDS", "-1", "a number from 0 to 3600"),
        ("RETRY_BASE_SECONDS", "3601", "a number from 0 to 3600"),
        ("LANDMARK_ENCODING", "json", "one of binary, int16, maps"),
        ("LANDMARK_ENCODING", "Maps", "one of binary, int16, maps"),
        ("MODEL_COMPLEXITY", "3", COMPLEXITIES),
        ("MODEL_COMPLEXITY", "-1", COMPLEXITIES),
        ("MODEL_COMPLEXITY", "1.0", COMPLEXITIES),
        ("MODEL_COMPLEXITY", "heavy", COMPLEXITIES),
        ("MIN_DETECTION_CONFIDENCE", "1.01", CONFIDENCE),
        ("MIN_DETECTION_CONFIDENCE", "nan", CONFIDENCE),
        ("MIN_LANDMARK_CONFIDENCE", "-0.1", CONFIDENCE),
        ("MIN_LANDMARK_CONFIDENCE", "50%", CONFIDENCE),
        ("MIN_LANDMARK_CONFIDENCE", "inf", CONFIDENCE),
        ("REFINE_FACE_LANDMARKS", "on", BOOLEAN),
        ("REFINE_FACE_LANDMARKS", "2", BOOLEAN),
        ("MAX_IMAGE_BYTES", "0", SIZE_BYTES),
        ("MAX_IMAGE_BYTES", "500000001", SIZE_BYTES),
        ("MAX_IMAGE_BYTES", "30 MB", SIZE_BYTES),
        ("MAX_IMAGE_BYTES", "1e6", SIZE_BYTES),
        ("MAX_IMAGE_BYTES", "9" * 400, SIZE_BYTES),
        ("MAX_IMAGE_BYTES", "9" * 5000, SIZE_BYTES),
        ("MAX_IMAGE_PIXELS", "0", SIZE_PIXELS),
        ("MAX_IMAGE_PIXELS", "250000001", SIZE_PIXELS),
        ("MAX_IMAGE_SIDE", "255", "a whole number from 256 to 16384"),
        ("MAX_IMAGE_SIDE", "16385", "a whole number from 256 to 16384"),
        ("MAX_IMAGE_SIDE", "off", "a whole number from 256 to 16384"),
        ("DETECT_TIMEOUT_SECONDS", "0", "a number from 0.1 to 900"),
        ("DETECT_TIMEOUT_SECONDS", "901", "a number from 0.1 to 900"),
        ("RESULT_TTL_DAYS", "0", "a whole number from 1 to 36500"),
        ("RESULT_TTL_DAYS", "36501", "a whole number from 1 to 36500"),
        ("RESULT_TTL_DAYS", "-1", "a whole number from 1 to 36500"),
        ("DETECTORS", "0", "a whole number from 1 to 64"),
        ("DETECTORS", "65", "a whole number from 1 to 64"),
    ],
)
def test_other_values_are_refused(name: str, text: str, allowed: str) -> None:
    """The error has the variable, the value and what is allowed."""
    said = complaint(**{name: text})

    assert said == f"{name}={text!r} is not allowed: must be {allowed}"


def test_masks_are_computed_if_there_is_a_bucket_for_them() -> None:
    """Setting the bucket turns on masks."""
    assert read(SEGMENTATION_BUCKET="masks").model == ModelOptions(segmentation=True)


@pytest.mark.parametrize(
    "photographs", [{"IMAGE_BUCKET": "photos"}, {"ALLOWED_BUCKETS": "uploads,photos"}]
)
def test_masks_are_not_put_among_photographs(photographs: dict[str, str]) -> None:
    """Masks would become jobs, whose masks would become jobs, and so on."""
    said = complaint(SEGMENTATION_BUCKET="photos", **photographs)

    allowed = "must be a bucket that holds no photographs"
    assert said == f"SEGMENTATION_BUCKET='photos' is not allowed: {allowed}"


def test_table_is_required() -> None:
    """The table has no default."""
    assert complaint(RESULTS_TABLE="") == "RESULTS_TABLE is not set and has no default"


def test_one_message_has_every_mistake() -> None:
    """All mistakes are reported at once."""
    said = complaint(RESULTS_TABLE=" ", DETECTORS="many", MODEL_COMPLEXITY="4")

    assert said.split("; ") == [
        "RESULTS_TABLE is not set and has no default",
        "MODEL_COMPLEXITY='4' is not allowed: must be one of 0, 1, 2",
        "DETECTORS='many' is not allowed: must be a whole number from 1 to 64",
    ]


@pytest.mark.parametrize("empty", ["", "  "])
def test_empty_value_counts_as_not_set(empty: str) -> None:
    """Templates pass optional variables as empty ones."""
    names = [
        "ALLOWED_BUCKETS",
        "IMAGE_BUCKET",
        "SEGMENTATION_BUCKET",
        "DEAD_LETTER_QUEUE_URL",
        "QUEUE_URL",
        "MAX_RECEIVE_COUNT",
        "RETRY_BASE_SECONDS",
        "MODEL_COMPLEXITY",
        "MIN_DETECTION_CONFIDENCE",
        "MIN_LANDMARK_CONFIDENCE",
        "REFINE_FACE_LANDMARKS",
        "MAX_IMAGE_SIDE",
        "MAX_IMAGE_BYTES",
        "MAX_IMAGE_PIXELS",
        "DETECT_TIMEOUT_SECONDS",
        "RESULT_TTL_DAYS",
        "DETECTORS",
    ]

    assert read(**dict.fromkeys(names, empty)) == read()


@pytest.mark.parametrize(
    ("megabytes", "detectors"),
    [("128", 1), ("1769", 1), ("3537", 1), ("3538", 2), ("10240", 5)],
)
def test_lambda_has_a_detector_for_each_whole_vcpu(megabytes: str, detectors: int) -> None:
    """On Lambda, the memory size determines the number of detectors."""
    assert read(AWS_LAMBDA_FUNCTION_MEMORY_SIZE=megabytes).detectors == detectors


def test_detectors_may_be_set_in_lambda() -> None:
    """The setting takes precedence over the memory size."""
    assert read(AWS_LAMBDA_FUNCTION_MEMORY_SIZE="1769", DETECTORS="3").detectors == 3


@pytest.mark.parametrize(("processors", "detectors"), [(1, 1), (6, 6), (200, 64)])
def test_elsewhere_there_is_a_detector_for_each_processor(
    processors: int, detectors: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only processors available to this process count."""
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(processors)))

    assert read().detectors == detectors


def test_process_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """The default environment is the process's."""
    monkeypatch.setenv("RESULTS_TABLE", "of-the-process")

    assert Settings.from_environment().results_table == "of-the-process"
