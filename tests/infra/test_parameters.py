"""The template refuses parameters that would not work together, and takes all others."""

import re
from itertools import product

import pytest

from landmarks.errors import MessageError
from landmarks.job import decode_direct
from tests.infra.cloudformation import (
    ROOT,
    Node,
    load_template,
    parameter_values,
    refusals,
    render,
)
from tests.infra.test_permissions import EXISTING, KEY_ARN, QUEUE_ARN, TABLE_ARN, VPC
from worker.detector.launch import _IMAGE_BYTES
from worker.pipeline import _JOBS_IN_TRANSIT
from worker.queue import _MAX_DELAY_SECONDS

PARAMETERS: Node = load_template()["Parameters"]

BUCKET = {"ExistingImageBucket": "camera-roll"}

SQS_MAX_VISIBILITY_SECONDS = 12 * 60 * 60
MEGABYTES_PER_VCPU = 1769


def allowed(name: str) -> list[int]:
    """The allowed values of a parameter."""
    return [int(value) for value in PARAMETERS[name]["AllowedValues"]]


def limits(name: str) -> tuple[int, int]:
    """The minimum and the maximum of a parameter."""
    return PARAMETERS[name]["MinValue"], PARAMETERS[name]["MaxValue"]


def widest_batch(timeout: int) -> dict[str, str]:
    """Parameters that fit every timeout and window."""
    return {"FunctionTimeoutSeconds": str(timeout), "DetectTimeoutSeconds": "5", "BatchSize": "1"}


# Timing


def test_the_defaults_are_allowed() -> None:
    """`sam deploy` needs no parameter."""
    assert refusals() == []


@pytest.mark.parametrize("timeout", allowed("FunctionTimeoutSeconds"))
@pytest.mark.parametrize("window", allowed("BatchWindowSeconds"))
def test_visibility_covers_six_invocations_and_the_window(timeout: int, window: int) -> None:
    """As AWS recommends: 6 times the function's timeout, and the batch window."""
    stack = render(**widest_batch(timeout), BatchWindowSeconds=str(window))
    visibility = stack.properties("Queue")["VisibilityTimeout"]
    assert visibility == 6 * timeout + window
    assert visibility <= SQS_MAX_VISIBILITY_SECONDS
    assert stack.properties("Worker")["Timeout"] == str(timeout)
    assert stack.properties("WorkerJobs")["MaximumBatchingWindowInSeconds"] == str(window)


def test_batches_and_tries_fit_the_functions_time_or_are_refused() -> None:
    """Two tries of one image and 30 s; a second for each message and 30 s.

    With several people it is three seconds. For more than 10 messages Lambda demands a window.
    """
    names = ["FunctionTimeoutSeconds", "DetectTimeoutSeconds", "BatchSize", "BatchWindowSeconds"]
    for people, *numbers in product((1, 2, 16), *map(allowed, names)):
        timeout, detect, batch, window = numbers
        batch_seconds = batch * (1 if people == 1 else 3) + 30
        fits = timeout >= max(2 * detect + 30, batch_seconds) and (batch <= 10 or window >= 1)
        values = dict(zip(names, map(str, numbers), strict=True))
        assert (refusals(MaxPeople=str(people), **values) == []) == fits, (people, values)


@pytest.mark.parametrize(
    "values",
    [
        {"FunctionTimeoutSeconds": "60", "DetectTimeoutSeconds": "30"},
        {"FunctionTimeoutSeconds": "60", "BatchSize": "50", "BatchWindowSeconds": "1"},
        {"MaxPeople": "2", "BatchSize": "50", "BatchWindowSeconds": "1"},
        {"BatchSize": "20", "BatchWindowSeconds": "0"},
        {"FunctionMemoryMegabytes": "1769", "Detectors": "2"},
        {"ExistingImageBucketKeyArn": KEY_ARN, "ExistingImageBucket": ""},
        {"NotificationPrefix": "photos/", "BucketNotifications": "false"},
        {**BUCKET, "SegmentationBucket": "camera-roll"},
        {"SubnetIds": VPC["SubnetIds"], "SecurityGroupIds": ""},
        {"SubnetIds": "", "SecurityGroupIds": VPC["SecurityGroupIds"]},
        {"ExistingQueueArn": QUEUE_ARN, "ExistingDeadLetterQueueArn": ""},
        {"ExistingQueueArn": "", "ExistingDeadLetterQueueArn": QUEUE_ARN},
        {"ExistingQueueArn": QUEUE_ARN, "ExistingDeadLetterQueueArn": QUEUE_ARN},
        {**EXISTING, "BucketNotifications": "images"},
        {**EXISTING, "QueueRetentionSeconds": "86400"},
        {**EXISTING, "ResultsStream": "NEW_IMAGE"},
    ],
)
def test_a_refusal_says_why(values: dict[str, str]) -> None:
    """One sentence names the parameters that do not fit."""
    (complaint,) = refusals(**values)
    names = [name for name in values if name in complaint]
    assert len(names) >= 2, complaint


def test_a_number_of_another_spelling_is_refused() -> None:
    """Rules compare text, so that 60.0 would not be found to be 60."""
    for name in ("FunctionTimeoutSeconds", "DetectTimeoutSeconds", "BatchSize", "Detectors"):
        assert refusals(**{name: f"{parameter_values()[name]}.0"})


# Retention


@pytest.mark.parametrize("retention", [str(limit) for limit in limits("QueueRetentionSeconds")])
def test_dead_letters_outlive_their_queue(retention: str) -> None:
    """Messages keep their age in the dead-letter queue, and have days left there."""
    stack = render(QueueRetentionSeconds=retention)
    queue, dead_letters = stack.properties("Queue"), stack.properties("DeadLetterQueue")
    assert queue["MessageRetentionPeriod"] == retention
    assert dead_letters["MessageRetentionPeriod"] >= int(retention) + 4 * 24 * 60 * 60


def test_no_message_expires_before_its_last_try() -> None:
    """The shortest retention is longer than the most receives can take."""
    shortest, _ = limits("QueueRetentionSeconds")
    receives = max(allowed("MaxReceiveCount"))
    timeout, window = max(allowed("FunctionTimeoutSeconds")), max(allowed("BatchWindowSeconds"))
    receive = max(6 * timeout + window, timeout + _MAX_DELAY_SECONDS)
    assert receives * receive < shortest


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [
        ("MaximumConcurrency", 2, 1000),
        ("QueueRetentionSeconds", 86_400, 864_000),
    ],
)
def test_numbers_beyond_their_limits_are_refused(name: str, least: int, most: int) -> None:
    """They are the limits of Lambda and SQS."""
    assert limits(name) == (least, most)
    assert refusals(**{name: str(least)}) == refusals(**{name: str(most)}) == []
    assert refusals(**{name: str(least - 1)})
    assert refusals(**{name: str(most + 1)})


# Memory


def test_detectors_beyond_the_vcpus_are_refused() -> None:
    """At most one detector for each vCPU."""
    names = ["FunctionMemoryMegabytes", "Detectors"]
    for megabytes, detectors in product(*map(allowed, names)):
        fits = detectors <= megabytes // MEGABYTES_PER_VCPU
        values = {"FunctionMemoryMegabytes": str(megabytes), "Detectors": str(detectors)}
        assert (refusals(**values) == []) == fits, values


# Buckets and topics


@pytest.mark.parametrize(
    "values",
    [
        {"ExistingImageBucket": "ab"},
        {"ExistingImageBucket": "a" * 256},
        {"ExistingImageBucket": "s3://camera-roll"},
        {"ExistingImageBucket": "arn:aws:s3:eu-central-1:111122223333:accesspoint/camera-roll"},
        {"ExistingImageBucketKeyArn": KEY_ARN},
        {**BUCKET, "ExistingImageBucketKeyArn": "alias/photographs"},
        {"SegmentationBucket": "s3://masks"},
        {"NotificationPrefix": "photos/"},
        {"NotificationSuffix": ".jpg"},
        {**BUCKET, "BucketNotifications": "true", "NotificationSuffix": ".jpg"},
        {"BucketNotifications": "images", "NotificationSuffix": ".jpg"},
        {"BucketNotifications": "true", "NotificationPrefix": "p" * 1025},
        {"BucketNotifications": "yes"},
        {"AlarmTopicArn": "landmark-alarms"},
        {"AlarmTopicArn": "arn:aws:sns:eu-central-1:111122223333:alarms.fifo"},
        {"LogRetentionDays": "31"},
        {"ResultsStream": "OLD_IMAGE"},
        {"Architecture": "aarch64"},
        {"BaseImage": ""},
        {"PermissionsBoundaryArn": "developers"},
        {"KmsKeyArn": "alias/landmarks"},
        {**VPC, "SubnetIds": "subnet-0a1b2c3d, subnet-4e5f6a7b"},
        {**VPC, "SecurityGroupIds": "default"},
        {"Tracing": "Disabled"},
        {**EXISTING, "ExistingQueueArn": "https://sqs.us-east-1.amazonaws.com/123456789012/jobs"},
        {**EXISTING, "ExistingTableArn": "landmarks"},
        {**EXISTING, "ExistingTableArn": f"{TABLE_ARN}/index/by-prefix"},
    ],
)
def test_names_that_would_fail_or_be_ignored_are_refused(values: dict[str, str]) -> None:
    """AWS would refuse the name later, or the value would have no effect."""
    assert refusals(**values)


@pytest.mark.parametrize(
    "values",
    [
        BUCKET,
        {**BUCKET, "ExistingImageBucketKeyArn": KEY_ARN},
        {**BUCKET, "BucketNotifications": "true"},
        {**BUCKET, "SegmentationBucket": "masks"},
        {"BucketNotifications": "true", "NotificationPrefix": "photos/"},
        {"BucketNotifications": "true", "NotificationSuffix": ".jpg"},
        {"BucketNotifications": "images", "NotificationPrefix": "photos/"},
        {**BUCKET, "BucketNotifications": "images"},
        {"AlarmTopicArn": "arn:aws:sns:eu-central-1:111122223333:landmark-alarms"},
        {"PermissionsBoundaryArn": "arn:aws:iam::aws:policy/PowerUserAccess"},
        {"PermissionsBoundaryArn": "arn:aws-cn:iam::111122223333:policy/team/developers+1"},
        {"KmsKeyArn": KEY_ARN},
        VPC,
        {"Tracing": "Active"},
        EXISTING,
        {**EXISTING, **BUCKET, "PrefixIndex": "true", "ResultTtlDays": "30"},
        {
            "ExistingQueueArn": f"{QUEUE_ARN}.fifo",
            "ExistingDeadLetterQueueArn": f"{QUEUE_ARN}-dead.fifo",
        },
    ],
)
def test_names_that_work_are_accepted(values: dict[str, str]) -> None:
    """Buckets, keys, filters and topics as AWS names them."""
    assert refusals(**values) == []


@pytest.mark.parametrize(
    ("name", "exists"),
    [
        ("abc", True),
        ("camera.roll-1", True),
        ("MyCompany_Photos", True),
        ("_a_", True),
        ("a" * 255, True),
        ("1.2.3.4.5", True),
        ("a" * 256, False),
        ("a..b", False),
        ("-ab", False),
        ("ab.", False),
        ("10.0.0.1", False),
        ("camera roll", False),
        ("s3://camera-roll", False),
    ],
)
@pytest.mark.parametrize("parameter", ["ExistingImageBucket", "SegmentationBucket"])
def test_buckets_have_names_that_jobs_may_have(parameter: str, name: str, exists: bool) -> None:  # noqa: FBT001, a case
    """Those of us-east-1 before March 2018, too."""
    assert (refusals(**{parameter: name}) == []) == exists
    if exists:
        assert decode_direct({"key": "k", "bucket": name}, default_bucket=None).bucket == name
    else:
        with pytest.raises(MessageError):
            decode_direct({"key": "k", "bucket": name}, default_bucket=None)


@pytest.mark.parametrize("megabytes", allowed("FunctionMemoryMegabytes"))
def test_the_largest_images_fit_every_function(megabytes: int) -> None:
    """With both limits at their maximum.

    Measured, in megabytes: 90 for the parent and 420 for a detector, without images.
    """
    size, pixels = 80, 250
    assert refusals(MaxImageBytes=f"{size}000000", MaxImagePixels=f"{pixels}000000") == []
    assert refusals(MaxImageBytes=f"{size}000001")
    assert refusals(MaxImagePixels=f"{pixels}000001")
    detectors = megabytes // MEGABYTES_PER_VCPU
    in_hand = (detectors + _JOBS_IN_TRANSIT) * size
    assert 90 + in_hand + detectors * (420 + _IMAGE_BYTES / 10**6) < megabytes


# The image


def test_build_arguments_are_those_of_the_dockerfile() -> None:
    """With the same defaults."""
    metadata = load_template()["Resources"]["Worker"]["Metadata"]
    dockerfile = (ROOT / metadata["DockerContext"] / metadata["Dockerfile"]).read_text("utf-8")
    defaults = dict(re.findall(r"^ARG (\w+)=(\S+)$", dockerfile, re.MULTILINE))
    passed = {
        argument: parameter_values()[reference["Ref"]]
        for argument, reference in metadata["DockerBuildArgs"].items()
    }
    expected = {"BASE_IMAGE", "MODEL_COMPLEXITY", "SEGMENTATION_BUCKET", "MAX_PEOPLE"}
    assert passed.keys() == expected
    assert passed == {argument: defaults.get(argument, "") for argument in passed}
    assert "\nARG SEGMENTATION_BUCKET\n" in dockerfile
