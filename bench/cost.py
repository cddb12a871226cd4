"""The cost of a million images, from measured figures and list prices."""

import math
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from typing import Final

from bench import prices

WORKER_MB: Final = 1769
BLOG_MB: Final = 5120
BATCH: Final = 10

# Lambda's pollers on an idle queue, each with long polls of 20 seconds.
_IDLE_POLLERS: Final = 5
_POLL_SECONDS: Final = 20

# In one stack; see template.yaml and worker/telemetry.py.
_ALARMS: Final = 4
_METRICS: Final = 14
_DASHBOARDS: Final = 1

# Lambda's own log lines of an invocation, which are charged too.
PLATFORM_LOG: Final = (
    "START RequestId: 8f507cfc-xmpl-4697-b07a-ac58fc914c95 Version: $LATEST\n"
    "END RequestId: 8f507cfc-xmpl-4697-b07a-ac58fc914c95\n"
    "REPORT RequestId: 8f507cfc-xmpl-4697-b07a-ac58fc914c95\tDuration: 1000.00 ms\t"
    "Billed Duration: 1000 ms\tMemory Size: 1769 MB\tMax Memory Used: 500 MB\t\n"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """What one image uses.

    Attributes:
        wall_ms: wall time of the function.
        memory_mb: memory of the function.
        batch_size: images in an invocation.
        queue_requests: requests to SQS: send, receive and delete.
        write_units: write units of DynamoDB.
        read_units: read units of DynamoDB.
        s3_requests: GET and HEAD requests.
        log_bytes: bytes logged by the worker.
        architecture: "x86_64" or "arm64".
    """

    wall_ms: float
    memory_mb: int
    batch_size: int = 1
    queue_requests: float = 0
    write_units: float = 0
    read_units: float = 0
    s3_requests: float = 1
    log_bytes: float = 0
    architecture: str = "x86_64"


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
        """The sum."""
        return math.fsum(astuple(self))


def cost(workload: Workload) -> Cost:
    """The cost of a million images."""
    seconds = billed_ms(workload.wall_ms, workload.batch_size) / 1000
    gigabytes = workload.memory_mb / prices.LAMBDA_MEGABYTES_A_GB
    log_bytes = workload.log_bytes + len(PLATFORM_LOG) / workload.batch_size
    return Cost(
        function=seconds
        * gigabytes
        * prices.LAMBDA_GB_SECOND[workload.architecture]
        * prices.MILLION
        + prices.LAMBDA_MILLION_REQUESTS / workload.batch_size,
        queue=workload.queue_requests * prices.SQS_MILLION_REQUESTS,
        table=workload.write_units * prices.DYNAMODB_MILLION_WRITE_UNITS
        + workload.read_units * prices.DYNAMODB_MILLION_READ_UNITS,
        objects=workload.s3_requests * prices.S3_MILLION_GETS,
        logs=log_bytes * prices.MILLION / prices.GB * prices.LOGS_INGESTED_GB,
    )


def billed_ms(wall_ms: float, batch_size: int) -> float:
    """Billed time of one image: Lambda rounds an invocation up to milliseconds."""
    # A product of decimals may be slightly above its exact value.
    return math.ceil(round(wall_ms * batch_size, 6)) / batch_size


def queue_requests(
    batch_size: int, message_bytes: int = 200, send_batch: int = prices.SQS_BATCH
) -> float:
    """Requests to SQS for one image: send, receive, delete.

    Args:
        batch_size: messages in an invocation.
        message_bytes: size of one message.
        send_batch: messages in a request of the producer; S3 sends notifications one by one.
    """
    received = min(batch_size, prices.SQS_BATCH)
    carried = sum(
        _chunks(messages * message_bytes) / messages for messages in (send_batch, received)
    )
    return carried + 1 / received


def _chunks(size_bytes: int) -> int:
    return math.ceil(size_bytes / prices.SQS_CHUNK_BYTES)


def read_units(item_bytes: float) -> int:
    """Read units of an item, 0 bytes if there is none; projections do not make it cheaper."""
    return max(1, math.ceil(item_bytes / prices.DYNAMODB_READ_UNIT_BYTES))


def worker(wall_ms: float, figures: Mapping[str, float], architecture: str = "x86_64") -> Workload:
    """A new image, processed as the template is configured."""
    return Workload(
        wall_ms=wall_ms,
        memory_mb=WORKER_MB,
        batch_size=BATCH,
        queue_requests=queue_requests(BATCH),
        write_units=figures["write_units"],
        read_units=read_units(0),
        log_bytes=figures["log_bytes"],
        architecture=architecture,
    )


def blog(wall_ms: float) -> Workload:
    """An image in the blog's handler: a direct call, one HEAD and one GET, nothing stored."""
    return Workload(wall_ms=wall_ms, memory_mb=BLOG_MB, s3_requests=2)


def duplicate_cost(figures: Mapping[str, float]) -> float:
    """Dollars for a million duplicates."""
    return read_units(figures["item_bytes"]) * prices.DYNAMODB_MILLION_READ_UNITS


def cold_start_cost(figures: Mapping[str, float]) -> float:
    """Dollars for a thousand cold starts."""
    workload = Workload(wall_ms=figures["init_one_core_ms"], memory_mb=WORKER_MB)
    return (cost(workload).function - prices.LAMBDA_MILLION_REQUESTS) / 1000


def storage_month(figures: Mapping[str, float]) -> float:
    """Dollars a month for storing a million items, with backup."""
    gigabytes = (
        (figures["item_bytes"] + prices.DYNAMODB_ITEM_OVERHEAD_BYTES) * prices.MILLION / prices.GB
    )
    return gigabytes * (prices.DYNAMODB_GB_MONTH + prices.DYNAMODB_BACKUP_GB_MONTH)


def idle_month(figures: Mapping[str, float]) -> dict[str, float]:
    """Dollars a month for an unused stack, by item."""
    polls = _IDLE_POLLERS * prices.HOURS_A_MONTH * 3600 / _POLL_SECONDS
    return {
        "empty receives by 5 pollers": polls / prices.MILLION * prices.SQS_MILLION_REQUESTS,
        "alarms": _ALARMS * prices.ALARM_MONTH,
        "dashboard": _DASHBOARDS * prices.DASHBOARD_MONTH,
        "metrics, in a month that sees all of them": _METRICS * prices.METRIC_MONTH,
        "image in ECR, at most": figures["image_mb"] / 1000 * prices.ECR_GB_MONTH,
    }
