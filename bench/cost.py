"""Measured figures and list prices → dollars for a million images."""

import math
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from typing import Final

from bench import prices

WORKER_MB: Final = 1769
BLOG_MB: Final = 5120
BATCH: Final = 10

# The pollers that wait while nobody sends, each for up to 20 seconds at a time.
_IDLE_POLLERS: Final = 5
_POLL_SECONDS: Final = 20

# What one stack has, see template.yaml and worker/telemetry.py.
_ALARMS: Final = 4
_METRICS: Final = 14
_DASHBOARDS: Final = 1

# What Lambda itself logs of every invocation (CloudWatch charges for it): three lines.
PLATFORM_LOG: Final = (
    "START RequestId: 8f507cfc-xmpl-4697-b07a-ac58fc914c95 Version: $LATEST\n"
    "END RequestId: 8f507cfc-xmpl-4697-b07a-ac58fc914c95\n"
    "REPORT RequestId: 8f507cfc-xmpl-4697-b07a-ac58fc914c95\tDuration: 1000.00 ms\t"
    "Billed Duration: 1000 ms\tMemory Size: 1769 MB\tMax Memory Used: 500 MB\t\n"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """What one image takes.

    Attributes:
        wall_ms: of the function.
        memory_mb: the function's.
        batch_size: images an invocation.
        queue_requests: to SQS, of all who send, receive and delete.
        write_units: of DynamoDB.
        read_units: of DynamoDB.
        s3_requests: that read.
        log_bytes: of the function's own.
    """

    wall_ms: float
    memory_mb: int
    batch_size: int = 1
    queue_requests: float = 0
    write_units: float = 0
    read_units: float = 0
    s3_requests: float = 1
    log_bytes: float = 0


@dataclass(frozen=True, slots=True)
class Cost:
    """Dollars for a million images."""

    function: float
    queue: float
    table: float
    objects: float
    logs: float

    @property
    def total(self) -> float:
        """Of all."""
        return math.fsum(astuple(self))


def cost(workload: Workload) -> Cost:
    """What a million images cost."""
    seconds = billed_ms(workload.wall_ms, workload.batch_size) / 1000
    gigabytes = workload.memory_mb / prices.LAMBDA_MEGABYTES_A_GB
    log_bytes = workload.log_bytes + len(PLATFORM_LOG) / workload.batch_size
    return Cost(
        function=seconds * gigabytes * prices.LAMBDA_GB_SECOND * prices.MILLION
        + prices.LAMBDA_MILLION_REQUESTS / workload.batch_size,
        queue=workload.queue_requests * prices.SQS_MILLION_REQUESTS,
        table=workload.write_units * prices.DYNAMODB_MILLION_WRITE_UNITS
        + workload.read_units * prices.DYNAMODB_MILLION_READ_UNITS,
        objects=workload.s3_requests * prices.S3_MILLION_GETS,
        logs=log_bytes * prices.MILLION / prices.GB * prices.LOGS_INGESTED_GB,
    )


def billed_ms(wall_ms: float, batch_size: int) -> float:
    """Of one image: Lambda charges whole milliseconds of an invocation."""
    # A product of decimals may come out a hair above the whole number that it is.
    return math.ceil(round(wall_ms * batch_size, 6)) / batch_size


def queue_requests(
    batch_size: int, message_bytes: int = 200, send_batch: int = prices.SQS_BATCH
) -> float:
    """Requests to SQS that an image takes: sent, received, deleted.

    Args:
        batch_size: messages an invocation gets.
        message_bytes: of one message.
        send_batch: messages that the producer sends at once; S3's notifications are sent
            one by one.
    """
    received = min(batch_size, prices.SQS_BATCH)
    carried = sum(
        _chunks(messages * message_bytes) / messages for messages in (send_batch, received)
    )
    return carried + 1 / received


def _chunks(size_bytes: int) -> int:
    return math.ceil(size_bytes / prices.SQS_CHUNK_BYTES)


def read_units(item_bytes: float) -> int:
    """What asking for an item takes; one that is not there has 0 bytes.

    That the worker asks for a few attributes only makes it no cheaper.
    """
    return max(1, math.ceil(item_bytes / prices.DYNAMODB_READ_UNIT_BYTES))


def worker(wall_ms: float, figures: Mapping[str, float]) -> Workload:
    """A new image, as the template has it."""
    return Workload(
        wall_ms=wall_ms,
        memory_mb=WORKER_MB,
        batch_size=BATCH,
        queue_requests=queue_requests(BATCH),
        write_units=figures["write_units"],
        read_units=read_units(0),
        log_bytes=figures["log_bytes"],
    )


def blog(wall_ms: float) -> Workload:
    """An image by the blog's handler: called directly, one HEAD and one GET, nothing stored."""
    return Workload(wall_ms=wall_ms, memory_mb=BLOG_MB, s3_requests=2)


def duplicate_cost(figures: Mapping[str, float]) -> float:
    """Dollars for what a million duplicates ask of the table."""
    return read_units(figures["item_bytes"]) * prices.DYNAMODB_MILLION_READ_UNITS


def cold_start_cost(figures: Mapping[str, float]) -> float:
    """Dollars for a thousand sandboxes' starts, which Lambda charges like any other time."""
    workload = Workload(wall_ms=figures["init_one_core_ms"], memory_mb=WORKER_MB)
    return (cost(workload).function - prices.LAMBDA_MILLION_REQUESTS) / 1000


def storage_month(figures: Mapping[str, float]) -> float:
    """Dollars a month for a million items, kept with their backup."""
    gigabytes = (
        (figures["item_bytes"] + prices.DYNAMODB_ITEM_OVERHEAD_BYTES) * prices.MILLION / prices.GB
    )
    return gigabytes * (prices.DYNAMODB_GB_MONTH + prices.DYNAMODB_BACKUP_GB_MONTH)


def idle_month(figures: Mapping[str, float]) -> dict[str, float]:
    """Dollars a month for a stack that nobody uses, by what they are for."""
    polls = _IDLE_POLLERS * prices.HOURS_A_MONTH * 3600 / _POLL_SECONDS
    return {
        "empty receives by 5 pollers": polls / prices.MILLION * prices.SQS_MILLION_REQUESTS,
        "alarms": _ALARMS * prices.ALARM_MONTH,
        "dashboard": _DASHBOARDS * prices.DASHBOARD_MONTH,
        "metrics, in a month that sees all of them": _METRICS * prices.METRIC_MONTH,
        "image in ECR, at most": figures["image_mb"] / 1000 * prices.ECR_GB_MONTH,
    }
