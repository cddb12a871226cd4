"""Reads and validates all environment variables. No other file reads them.

Invalid values stop the start with one message that lists each variable, its value and what is
allowed.
"""

import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple, Self, TypeVar

from landmarks.enums import LandmarkEncoding
from landmarks.errors import SettingsError
from worker.model import POSE_MODELS, ModelOptions

# https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
_LAMBDA_MEGABYTES_PER_VCPU: Final = 1769
_MAX_LAMBDA_SECONDS: Final = 900
_MAX_TTL_DAYS: Final = 36_500
_MAX_DETECTORS: Final = 64
_MAX_RECEIVES: Final = 1000
_MAX_RETRY_SECONDS: Final = 3600

# Upper limits for a Lambda sandbox and OpenCV's decoders.
_MAX_BYTES: Final = 500_000_000
_MAX_PIXELS: Final = 250_000_000

# Below, hands get lost in photographs of whole people.
_MIN_SIDE: Final = 256
_MAX_SIDE: Final = 16_384

# An item with 16 people stays far below DynamoDB's 400 kB, even as maps.
_MAX_PEOPLE: Final = 16

_BOOLEANS: Final = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}

T = TypeVar("T")
W = TypeVar("W", bound=StrEnum)


class Variable(NamedTuple):
    """An environment variable, for the documentation. Its purpose is in `Settings`' docstring.

    Attributes:
        name: name of the variable.
        default: default as text; None if there is none or it depends on the machine.
        allowed: description of the allowed values.
    """

    name: str
    default: str | None
    allowed: str


@dataclass(frozen=True, slots=True)
class Settings:
    """The worker's settings. Each variable's name is the attribute's in upper case.

    Attributes:
        results_table: the DynamoDB table. Required.
        allowed_buckets: the only buckets that jobs may use. Default: all buckets that the
            credentials can read.
        image_bucket: bucket for jobs without one.
        segmentation_bucket: bucket for segmentation masks; must not contain photographs. Without
            it, no masks are computed.
        dead_letter_queue_url: queue for messages that can't be decoded or failed too often.
            Without it, the queue's redrive policy moves them.
        queue_url: queue that jobs come from. Without it, retries are only delayed by the queue's
            visibility timeout, and the poller can't run.
        max_receive_count: the queue's maxReceiveCount. On the last receive, the worker moves a
            failed message to the dead-letter queue, with the reason. Without it, the queue's
            redrive policy does, without a reason.
        retry_base_seconds: maximum delay before the first retry of a failed message; 4 times as
            long for each further retry, up to an hour.
        model: options that change the landmarks; see `ModelOptions`.
        max_image_bytes: larger objects are not read.
        max_image_pixels: larger images are not decoded. The memory of a detector may set a lower
            limit: see docs/performance.md.
        detect_timeout_seconds: how long detection may take for one image.
        result_ttl_days: results expire after this many days. Without it, they are kept.
        landmark_encoding: how landmarks are stored: binary is exact; int16 rounds them and costs
            half; maps lets DynamoDB expressions access single landmarks, at twice the price.
        prefix_index: whether the table has the index by-prefix. If not, int16 items leave out the
            attribute that it needs.
        detectors: number of detector processes. Default: one per vCPU; on Lambda, one per 1,769 MB.
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
    max_image_bytes: int = 80_000_000
    max_image_pixels: int = 250_000_000
    detect_timeout_seconds: float = 15.0
    result_ttl_days: int | None = None
    landmark_encoding: LandmarkEncoding = LandmarkEncoding.BINARY
    prefix_index: bool = False
    detectors: int = 1

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read all settings.

        Raises:
            SettingsError: one or more variables are missing or invalid.
        """
        reader = _Reader(environment)
        settings = cls._read(reader)
        if reader.complaints:
            raise SettingsError("; ".join(reader.complaints))
        return settings

    @classmethod
    def _read(cls, read: "_Reader") -> Self:
        results_table = read.text("RESULTS_TABLE", required=True) or ""
        allowed_buckets, image_bucket = read.names("ALLOWED_BUCKETS"), read.text("IMAGE_BUCKET")
        photographs = {*(allowed_buckets or ()), image_bucket}
        segmentation_bucket = read.text_but("SEGMENTATION_BUCKET", photographs)
        return cls(
            results_table=results_table,
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
                max_people=read.integer("MAX_PEOPLE", 1, 1, _MAX_PEOPLE),
            ),
            max_image_bytes=read.integer("MAX_IMAGE_BYTES", 80_000_000, 1, _MAX_BYTES),
            max_image_pixels=read.integer("MAX_IMAGE_PIXELS", 250_000_000, 1, _MAX_PIXELS),
            detect_timeout_seconds=read.number(
                "DETECT_TIMEOUT_SECONDS", 15.0, 0.1, _MAX_LAMBDA_SECONDS
            ),
            result_ttl_days=read.integer("RESULT_TTL_DAYS", 0, 1, _MAX_TTL_DAYS) or None,
            landmark_encoding=read.word("LANDMARK_ENCODING", LandmarkEncoding.BINARY),
            prefix_index=read.boolean("PREFIX_INDEX", default=False),
            detectors=read.integer("DETECTORS", 0, 1, _MAX_DETECTORS) or read.vcpus(),
        )


def variables() -> list[Variable]:
    """Return all environment variables that the worker reads, in order."""
    reader = _Reader({})
    Settings._read(reader)  # noqa: SLF001, same module
    return reader.variables


class _Reader:
    """Reads variables and collects complaints about them.

    Empty values count as not set, because templates pass optional variables that way.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self.complaints: list[str] = []
        self.variables: list[Variable] = []

    def vcpus(self) -> int:
        """Return the number of vCPUs. Lambda functions see two even if they only pay for one."""
        megabytes = self._environment.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "")
        if megabytes.isdecimal():
            return max(1, int(megabytes) // _LAMBDA_MEGABYTES_PER_VCPU)
        return min(_MAX_DETECTORS, len(os.sched_getaffinity(0)))

    def text(self, name: str, *, required: bool = False) -> str | None:
        self.variables.append(Variable(name, None, "a name"))
        value = self._text(name)
        if required and not value:
            self.complaints.append(f"{name} is not set and has no default")
        return value

    def names(self, name: str) -> frozenset[str] | None:
        def parse(text: str) -> frozenset[str]:
            names = frozenset(part.strip() for part in text.split(","))
            if "" in names:
                raise ValueError
            return names

        return self._value(name, None, parse, "bucket names separated by commas")

    def text_but(self, name: str, taken: Collection[str | None]) -> str | None:
        def parse(text: str) -> str:
            if text in taken:
                raise ValueError
            return text

        return self._value(name, None, parse, "a bucket that holds no photographs")

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

    def word(self, name: str, default: W) -> W:
        words = type(default)
        return self._value(name, default, words, "one of " + ", ".join(words))

    def boolean(self, name: str, *, default: bool) -> bool:
        def parse(text: str) -> bool:
            return _BOOLEANS[text.lower()]

        return self._value(name, default, parse, "one of " + ", ".join(_BOOLEANS))

    def _value(self, name: str, default: T, parse: Callable[[str], T], allowed: str) -> T:
        self.variables.append(Variable(name, _written(default), allowed))
        text = self._text(name)
        if text is None:
            return default
        try:
            return parse(text)
        except (ValueError, KeyError):
            self.complaints.append(f"{name}={text!r} is not allowed: must be {allowed}")
            return default

    def _text(self, name: str) -> str | None:
        return self._environment.get(name, "").strip() or None


def _written(default: object) -> str | None:
    """Return a default as text. 0 means none."""
    match default:
        case bool():
            return str(default).lower()
        case float():
            return f"{default:g}"
        case None | 0:
            return None
        case _:
            return str(default)


def _within(value: float, low: float, high: float) -> float:
    if not low <= value <= high:  # also rejects NaN
        raise ValueError
    return value
