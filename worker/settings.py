"""Every environment variable, read and validated once: the only file that reads them.

A wrong value stops the start with one message that names each wrong variable,
its value and what is allowed.
"""

import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Final, Self, TypeVar

from worker.errors import SettingsError
from worker.model import POSE_MODELS, ModelOptions

T = TypeVar("T")

# https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
_LAMBDA_MEGABYTES_PER_VCPU: Final = 1769

_MAX_LAMBDA_SECONDS: Final = 900
_MAX_TTL_DAYS: Final = 36_500
_MAX_DETECTORS: Final = 64
_MAX_RECEIVES: Final = 1000
_MAX_RETRY_SECONDS: Final = 3600
# More than S3's largest object that a sandbox could hold, or OpenCV's decoders can take.
_MAX_BYTES: Final = 500_000_000
_MAX_PIXELS: Final = 250_000_000

# Below this hands get lost in photographs of whole people; above it images are refused anyway.
_MIN_SIDE: Final = 256
_MAX_SIDE: Final = 16_384

_BOOLEANS: Final = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


@dataclass(frozen=True, slots=True)
class Settings:
    """The worker's settings; see `from_environment` for the variables.

    Attributes:
        results_table: name of the DynamoDB table.
        allowed_buckets: the only buckets that jobs may name; None allows every
            bucket that the credentials can read.
        image_bucket: where keys are looked up that come without a bucket.
        segmentation_bucket: where segmentation masks are put; None computes none.
        dead_letter_queue_url: where messages go that nobody can read; None
            leaves them to the queue's own redrive policy.
        queue_url: the queue that the jobs come from; without it retries have no
            delay but the queue's visibility timeout, and the poller has nothing to poll.
        max_receive_count: the queue's; on the last receive the worker itself puts a
            failed message into the dead-letter queue, with the reason. None
            leaves it to the queue's redrive policy, without.
        retry_base_seconds: how long a failed message stays away at first.
        model: what changes the landmarks, MAX_IMAGE_SIDE among it.
        max_image_bytes: larger objects are not read.
        max_image_pixels: larger images are not decoded.
        detect_timeout_seconds: how long one image may take in a detector.
        result_ttl_days: after how many days results expire; None keeps them.
        detectors: how many detector processes.
    """

    results_table: str
    allowed_buckets: frozenset[str] | None = None
    image_bucket: str | None = None
    segmentation_bucket: str | None = None
    dead_letter_queue_url: str | None = None
    queue_url: str | None = None
    max_receive_count: int | None = None
    retry_base_seconds: float = 60.0
    model: ModelOptions = field(default_factory=ModelOptions)
    max_image_bytes: int = 30_000_000
    max_image_pixels: int = 50_000_000
    detect_timeout_seconds: float = 15.0
    result_ttl_days: int | None = None
    detectors: int = 1

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read all settings.

        Raises:
            SettingsError: one or more variables are missing or not allowed.
        """
        read = _Reader(environment)
        allowed_buckets, image_bucket = read.names("ALLOWED_BUCKETS"), read.text("IMAGE_BUCKET")
        photographs = {*(allowed_buckets or ()), image_bucket}
        segmentation_bucket = read.text_but("SEGMENTATION_BUCKET", photographs)
        settings = cls(
            results_table=read.text("RESULTS_TABLE", required=True) or "",
            allowed_buckets=allowed_buckets,
            image_bucket=image_bucket,
            segmentation_bucket=segmentation_bucket,
            dead_letter_queue_url=read.url("DEAD_LETTER_QUEUE_URL"),
            queue_url=read.url("QUEUE_URL"),
            max_receive_count=read.integer("MAX_RECEIVE_COUNT", 0, 1, _MAX_RECEIVES) or None,
            retry_base_seconds=read.number("RETRY_BASE_SECONDS", 60.0, 0, _MAX_RETRY_SECONDS),
            model=ModelOptions(
                model_complexity=read.choice("MODEL_COMPLEXITY", tuple(POSE_MODELS), 2),
                min_detection_confidence=read.number("MIN_DETECTION_CONFIDENCE", 0.5, 0, 1),
                min_landmark_confidence=read.number("MIN_LANDMARK_CONFIDENCE", 0.5, 0, 1),
                refine_face_landmarks=read.boolean("REFINE_FACE_LANDMARKS", default=False),
                max_image_side=read.integer("MAX_IMAGE_SIDE", 0, _MIN_SIDE, _MAX_SIDE) or None,
                segmentation=segmentation_bucket is not None,
            ),
            max_image_bytes=read.integer("MAX_IMAGE_BYTES", 30_000_000, 1, _MAX_BYTES),
            max_image_pixels=read.integer("MAX_IMAGE_PIXELS", 50_000_000, 1, _MAX_PIXELS),
            detect_timeout_seconds=read.number(
                "DETECT_TIMEOUT_SECONDS", 15.0, 0.1, _MAX_LAMBDA_SECONDS
            ),
            result_ttl_days=read.integer("RESULT_TTL_DAYS", 0, 1, _MAX_TTL_DAYS) or None,
            detectors=read.integer("DETECTORS", _vcpus(environment), 1, _MAX_DETECTORS),
        )
        read.raise_complaints()
        return settings


def _vcpus(environment: Mapping[str, str]) -> int:
    """Whole vCPUs at hand. Lambda shows two processors to a function that has paid for one."""
    megabytes = environment.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "")
    if megabytes.isdecimal():
        return max(1, int(megabytes) // _LAMBDA_MEGABYTES_PER_VCPU)
    return min(_MAX_DETECTORS, len(os.sched_getaffinity(0)))


class _Reader:
    """Reads variables one by one and keeps what is wrong with them for one complaint.

    An empty value counts as not set: that is how templates pass on an optional one.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._complaints: list[str] = []

    def raise_complaints(self) -> None:
        if self._complaints:
            raise SettingsError("; ".join(self._complaints))

    def text(self, name: str, *, required: bool = False) -> str | None:
        value = self._environment.get(name, "").strip()
        if required and not value:
            self._complaints.append(f"{name} is not set, and there is no default")
        return value or None

    def names(self, name: str) -> frozenset[str] | None:
        def parse(text: str) -> frozenset[str]:
            names = frozenset(part.strip() for part in text.split(","))
            if "" in names:
                raise ValueError
            return names

        return self._value(name, None, parse, "names with commas between them")

    def text_but(self, name: str, taken: Collection[str | None]) -> str | None:
        def parse(text: str) -> str:
            if text in taken:
                raise ValueError
            return text

        return self._value(name, None, parse, "another bucket than the photographs'")

    def url(self, name: str) -> str | None:
        def parse(text: str) -> str:
            if not text.startswith(("https://", "http://")):
                raise ValueError
            return text

        return self._value(name, None, parse, "a queue's URL")

    def integer(self, name: str, default: int, low: int, high: int) -> int:
        def parse(text: str) -> int:
            return int(_within(int(text), low, high))

        return self._value(name, default, parse, f"a whole number from {low} to {high}")

    def number(self, name: str, default: float, low: float, high: float) -> float:
        def parse(text: str) -> float:
            return _within(float(text), low, high)

        return self._value(name, default, parse, f"a number from {low:g} to {high:g}")

    def choice(self, name: str, allowed: tuple[int, ...], default: int) -> int:
        def parse(text: str) -> int:
            return allowed[allowed.index(int(text))]

        return self._value(name, default, parse, "one of " + ", ".join(map(str, allowed)))

    def boolean(self, name: str, *, default: bool) -> bool:
        def parse(text: str) -> bool:
            return _BOOLEANS[text.lower()]

        return self._value(name, default, parse, "one of " + ", ".join(_BOOLEANS))

    def _value(self, name: str, default: T, parse: Callable[[str], T], allowed: str) -> T:
        text = self.text(name)
        if text is None:
            return default
        try:
            return parse(text)
        except (ValueError, KeyError):
            self._complaints.append(f"{name}={text!r} is not allowed: it has to be {allowed}")
            return default


def _within(value: float, low: float, high: float) -> float:
    if not low <= value <= high:  # and NaN is not
        raise ValueError
    return value
