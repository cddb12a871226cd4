"""Every environment variable, read and validated once: the only file that reads them.

A wrong value stops the start with one message that names each wrong variable,
its value and what is allowed.
"""

import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple, Self, TypeVar

from landmarks.enums import LandmarkEncoding
from landmarks.errors import SettingsError
from worker.model import POSE_MODELS, ModelOptions

T = TypeVar("T")


W = TypeVar("W", bound=StrEnum)


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


class Variable(NamedTuple):
    """What there is to know of an environment variable; the words are `Settings`' docstring's.

    Attributes:
        name: of the variable.
        default: as it would be written; None if there is none, or none that is always the same.
        allowed: what its value has to be.
    """

    name: str
    default: str | None
    allowed: str


@dataclass(frozen=True, slots=True)
class Settings:
    """The worker's settings; the variables' names are the attributes' in upper case.

    Attributes:
        results_table: the DynamoDB table. Required.
        allowed_buckets: the only buckets that jobs may name; without it, every bucket that the
            credentials can read.
        image_bucket: where the keys of jobs are looked up that name no bucket.
        segmentation_bucket: where segmentation masks are put, no bucket of photographs; without
            it none are computed.
        dead_letter_queue_url: where messages go that nobody can read; without it they are
            left to the queue's own redrive policy.
        queue_url: the queue that the jobs come from. Without it retries have no delay but
            the queue's visibility timeout, and the poller has nothing to poll.
        max_receive_count: the queue's; on the last receive the worker itself puts a failed
            message into the dead-letter queue, with the reason. Without it that is left to the
            queue's redrive policy, which gives none.
        retry_base_seconds: how long a failed message stays away at first; then 4 times as
            long each time, up to an hour.
        model: what changes the landmarks; see `ModelOptions`.
        max_image_bytes: larger objects are not read.
        max_image_pixels: larger images are not decoded.
        detect_timeout_seconds: how long one image may take in a detector.
        result_ttl_days: after how many days results expire; without it they are kept.
        landmark_encoding: how landmarks are written into the table: binary is small and exact,
            maps lets DynamoDB's own expressions reach single landmarks, for twice the price.
        detectors: how many detector processes; without it one per vCPU, of a Lambda function
            one per 1,769 MB.
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
    landmark_encoding: LandmarkEncoding = LandmarkEncoding.BINARY
    detectors: int = 1

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read all settings.

        Raises:
            SettingsError: one or more variables are missing or not allowed.
        """
        read = _Reader(environment)
        settings = cls._read(read)
        read.raise_complaints()
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
            ),
            max_image_bytes=read.integer("MAX_IMAGE_BYTES", 30_000_000, 1, _MAX_BYTES),
            max_image_pixels=read.integer("MAX_IMAGE_PIXELS", 50_000_000, 1, _MAX_PIXELS),
            detect_timeout_seconds=read.number(
                "DETECT_TIMEOUT_SECONDS", 15.0, 0.1, _MAX_LAMBDA_SECONDS
            ),
            result_ttl_days=read.integer("RESULT_TTL_DAYS", 0, 1, _MAX_TTL_DAYS) or None,
            landmark_encoding=read.word("LANDMARK_ENCODING", LandmarkEncoding.BINARY),
            detectors=read.integer("DETECTORS", 0, 1, _MAX_DETECTORS) or read.vcpus(),
        )


def variables() -> list[Variable]:
    """Every environment variable that the worker reads, in the order of reading."""
    read = _Reader({})
    Settings._read(read)  # noqa: SLF001, it is this module's
    return read.variables


class _Reader:
    """Reads variables one by one and keeps what is wrong with them for one complaint.

    An empty value counts as not set: that is how templates pass on an optional one.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._complaints: list[str] = []
        self.variables: list[Variable] = []

    def raise_complaints(self) -> None:
        if self._complaints:
            raise SettingsError("; ".join(self._complaints))

    def vcpus(self) -> int:
        """Whole ones at hand. Lambda shows two processors to a function that has paid for one."""
        megabytes = self._environment.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "")
        if megabytes.isdecimal():
            return max(1, int(megabytes) // _LAMBDA_MEGABYTES_PER_VCPU)
        return min(_MAX_DETECTORS, len(os.sched_getaffinity(0)))

    def text(self, name: str, *, required: bool = False) -> str | None:
        self.variables.append(Variable(name, None, "a name"))
        value = self._text(name)
        if required and not value:
            self._complaints.append(f"{name} is not set, and there is no default")
        return value

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
            self._complaints.append(f"{name}={text!r} is not allowed: it has to be {allowed}")
            return default

    def _text(self, name: str) -> str | None:
        return self._environment.get(name, "").strip() or None


def _written(default: object) -> str | None:
    """A default as one would set it. Where 0 stands for none, it is none, and not allowed."""
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
    if not low <= value <= high:  # and NaN is not
        raise ValueError
    return value
