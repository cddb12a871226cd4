"""Reads queue depths, retries and recent results: SQS, CloudWatch, a worker's log, the table."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from landmarks.cli.options import queue_name
from landmarks.enums import DETECTED
from landmarks.item import LandmarkItem, bind_item, iso

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

    from landmarks.groups import Durations

_DEPTHS: Final = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)
# SQS reports to CloudWatch once a minute, and data arrives a few minutes late.
_METRIC_WINDOW: Final = timedelta(minutes=10)

# Bounds time and memory; 10,000 jobs take about 4 MB.
_LOG_BYTES: Final = 4_000_000
_LONGEST_DELAY: Final = timedelta(hours=1)  # of a retry
_POSTPONED: Final = ("job postponed", "message postponed", "message not given up")

_ATTRIBUTES: Final = ["status", "processed_at", "duration_ms", "error_code", "people_count"]
# 100 items of about 8 kB fit into one page of 1 MB, so no more than the limit is read.
_MAX_PAGE_ITEMS: Final = 100


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue's approximate depths.

    Attributes:
        url: the queue's URL.
        depth: messages that can be received now.
        in_flight: hidden messages, received or waiting for a retry.
        delayed: messages that were sent with a delay.
        oldest_age_seconds: age of the oldest message, from CloudWatch; None if unknown.
        oldest_age_at: when CloudWatch measured the age.
    """

    url: str
    depth: int
    in_flight: int
    delayed: int
    oldest_age_seconds: int | None = None
    oldest_age_at: datetime | None = None

    @property
    def name(self) -> str:
        """The last part of the URL."""
        return queue_name(self.url)

    @property
    def total(self) -> int:
        """The number of all messages in the queue."""
        return self.depth + self.in_flight + self.delayed


@dataclass(frozen=True, slots=True)
class Spread:
    """Percentiles of a duration in milliseconds, by nearest rank."""

    p50: int
    p95: int
    max: int


@dataclass(frozen=True, slots=True)
class Recent:
    """Recent outcomes among the items that were read.

    Attributes:
        table: name of the table.
        window_seconds: maximum age of a recent item.
        items_read: how many items were read, recent or not.
        whole_table: whether the whole table was read.
        processed: how many of the items are recent.
        outcomes: recent items by status.
        people: how many people the recent items have; None if none was processed with MAX_PEOPLE.
        error_codes: recent failures by error code.
        duration_ms: percentiles of `fetch`, `detect` and `total`; empty without recent items.
    """

    table: str
    window_seconds: int
    items_read: int
    whole_table: bool
    processed: int
    outcomes: Mapping[str, int]
    people: int | None
    error_codes: Mapping[str, int]
    duration_ms: Mapping[str, Spread]


@dataclass(frozen=True, slots=True)
class Rate:
    """How fast the queue shrinks.

    Attributes:
        interval_seconds: the time between the two readings.
        messages_per_second: messages that left the queue, less those that arrived.
        seconds_left: until the queue is empty, at this rate; None if it does not shrink.
    """

    interval_seconds: float
    messages_per_second: float
    seconds_left: int | None


@dataclass(frozen=True, slots=True)
class Status:
    """The status of the requested resources; None for the others.

    Attributes:
        at: when it was read.
        queue: the job queue.
        dead_letters: the dead-letter queue.
        recent: recent results.
        retrying: messages that wait for a retry, by error code; None without a worker's log.
        rate: since the previous reading; None without one.
    """

    at: datetime
    queue: Queue | None
    dead_letters: Queue | None
    recent: Recent | None
    retrying: Mapping[str, int] | None = None
    rate: Rate | None = None

    def since(self, earlier: "Status | None") -> "Status":
        """Return this status with the rate since an earlier one."""
        seconds = (self.at - earlier.at).total_seconds() if earlier else 0
        if not (earlier and earlier.queue and self.queue) or seconds <= 0:
            return self
        rate = (earlier.queue.total - self.queue.total) / seconds
        left = round(self.queue.total / rate) if rate > 0 else None
        return replace(self, rate=Rate(round(seconds, 3), round(rate, 2), left))

    def to_json(self) -> str:
        """Return one line of JSON with stable field names."""
        return json.dumps(asdict(self), default=iso)


def read_queue(sqs: "SQSClient", url: str, cloudwatch: Any = None) -> Queue:  # noqa: ANN401, boto3's is untyped
    """Read a queue's depths and, with a CloudWatch client, the age of its oldest message.

    Raises:
        ClientError: SQS rejected the request.
        BotoCoreError: SQS can't be reached.
    """
    answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=_DEPTHS)
    depth, in_flight, delayed = (int(answer["Attributes"][name]) for name in _DEPTHS)
    seconds, at = _oldest_age(cloudwatch, queue_name(url)) if cloudwatch else (None, None)
    return Queue(url, depth, in_flight, delayed, seconds, at)


def redrive_target_url(sqs: "SQSClient", queue_url: str) -> str | None:
    """Return the URL of a queue's dead-letter queue; None if it has none.

    Raises:
        ClientError: SQS rejected the request.
        BotoCoreError: SQS can't be reached.
    """
    answer = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["RedrivePolicy"])
    policy = answer.get("Attributes", {}).get("RedrivePolicy")
    if not policy:
        return None
    *_, account, name = json.loads(policy)["deadLetterTargetArn"].split(":")
    return sqs.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)["QueueUrl"]


def read_retrying(log: Path) -> dict[str, int] | None:
    """Count the messages that wait for a retry by error code, from the end of a worker's log.

    Returns:
        None if there is no log yet.

    Raises:
        OSError: the log can't be read.
    """
    if not log.exists():
        return None
    since = iso(datetime.now(UTC) - _LONGEST_DELAY)
    waiting: dict[str, tuple[str, str]] = {}  # each message's job and error code
    for entry in sorted(_log_entries(log), key=lambda entry: str(entry.get("timestamp", ""))):
        names = ("message_id", "message", "key", "error_code", "timestamp")
        message_id, event, key, code, at = (str(entry.get(name, "")) for name in names)
        if event in _POSTPONED and at >= since:
            waiting[message_id] = (key, code)
        elif event == "message given up":
            waiting.pop(message_id, None)
        elif event == "job finished" and waiting.get(message_id, ("", ""))[0] in (key, ""):
            waiting.pop(message_id, None)  # a message may have several jobs
    return dict(Counter(code for _, code in waiting.values()).most_common())


def _log_entries(log: Path) -> Iterator[Mapping[str, Any]]:
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _LOG_BYTES))
        lines = file.read().splitlines()
    for line in lines:
        with suppress(ValueError):  # the first line may be cut off; others may be metrics
            entry = json.loads(line[line.find(b"{") :])  # `aws logs tail` puts a time before it
            if isinstance(entry, dict):
                yield entry


def read_recent(table: str, window: timedelta, max_items: int) -> Recent:
    """Summarise the items processed within `window` among the first `max_items` of a table.

    A scan returns items in no meaningful order, so part of a large table is a sample.

    Raises:
        PynamoDBException: the table can't be read.
    """
    scan = bind_item(table, for_reading=True).scan(
        limit=max_items, page_size=min(max_items, _MAX_PAGE_ITEMS), attributes_to_get=_ATTRIBUTES
    )
    since = iso(datetime.now(UTC) - window)  # as stored, so that both compare as strings
    items = list(scan)
    recent = [item for item in items if (item.processed_at or "") >= since]
    return Recent(
        table=table,
        window_seconds=round(window.total_seconds()),
        items_read=len(items),
        whole_table=scan.last_evaluated_key is None,
        processed=len(recent),
        outcomes=dict(Counter(item.status for item in recent).most_common()),
        people=_people(recent),
        error_codes=dict(
            Counter(item.error_code for item in recent if item.error_code).most_common()
        ),
        duration_ms=_spreads(recent),
    )


def _people(items: Sequence[LandmarkItem]) -> int | None:
    """Return the sum of people. An item without a count has one person if it is `detected`."""
    counts: list[float | None] = [item.people_count for item in items]
    if all(count is None for count in counts):
        return None
    pairs = zip(items, counts, strict=True)
    return sum(int(item.status == DETECTED if n is None else n) for item, n in pairs)


def _spreads(items: Sequence[LandmarkItem]) -> dict[str, Spread]:
    stored: list[Durations | None] = [item.duration_ms for item in items]
    durations = [duration for duration in stored if duration is not None]
    if not durations:
        return {}
    return {
        part: _spread(sorted(int(getattr(duration, part)) for duration in durations))
        for part in ("fetch", "detect", "total")
    }


def _spread(ascending: Sequence[int]) -> Spread:
    p50, p95 = (ascending[ceil(len(ascending) * share) - 1] for share in (0.5, 0.95))
    return Spread(p50, p95, ascending[-1])


def _oldest_age(cloudwatch: Any, name: str) -> tuple[int, datetime] | tuple[None, None]:  # noqa: ANN401
    """Return the newest measurement; None if CloudWatch has none, fails or denies access."""
    now = datetime.now(UTC)
    try:
        answer = cloudwatch.get_metric_statistics(
            Namespace="AWS/SQS",
            MetricName="ApproximateAgeOfOldestMessage",
            Dimensions=[{"Name": "QueueName", "Value": name}],
            StartTime=now - _METRIC_WINDOW,
            EndTime=now + timedelta(minutes=1),
            Period=60,
            Statistics=["Maximum"],
        )
    except (BotoCoreError, ClientError):
        return None, None
    points = answer["Datapoints"]
    if not points:
        return None, None
    newest = max(points, key=lambda point: point["Timestamp"])
    return round(newest["Maximum"]), newest["Timestamp"].astimezone(UTC)
