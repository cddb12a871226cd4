"""How the queue and the results stand, as far as the services say."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from landmarks.cli.options import queue_name
from landmarks.item import LandmarkItem, bind_reader_item

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_ATTRIBUTES: Final = ["status", "processed_at", "duration_ms", "error_code"]


# Items take about 8 kB and DynamoDB's pages end at 1 MB: no page reads past the last item wanted.
_PAGE: Final = 100


# SQS tells CloudWatch once a minute, and CloudWatch takes a few to answer.
_METRIC_MINUTES: Final = 10


_DEPTHS: Final = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)


@dataclass(frozen=True, slots=True)
class Age:
    """How old a queue's oldest message was, by CloudWatch.

    Attributes:
        seconds: the age.
        at: when it was that.
    """

    seconds: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue's approximate depths.

    Attributes:
        url: its URL.
        depth: messages that could be received now.
        in_flight: messages that are hidden: received, or waiting for their next try.
        delayed: messages that were sent with a delay.
        oldest: the oldest message's age; None if nobody says.
    """

    url: str
    depth: int
    in_flight: int
    delayed: int
    oldest: Age | None

    @property
    def name(self) -> str:
        """The last part of the URL."""
        return queue_name(self.url)

    @property
    def total(self) -> int:
        """All messages in it."""
        return self.depth + self.in_flight + self.delayed


@dataclass(frozen=True, slots=True)
class Spread:
    """How long something took, in milliseconds."""

    p50: int
    p95: int
    max: int


@dataclass(frozen=True, slots=True)
class Recent:
    """What became of photographs lately, as far as the table was read.

    Attributes:
        table: its name.
        window: how long ago counts as lately.
        items_read: how many items were read.
        whole_table: whether those were all.
        outcomes: how many of the recent ones have each status.
        error_codes: how many of the recent ones failed with each code.
        durations: how long the recent ones took, by part; empty if there are none.
    """

    table: str
    window: timedelta
    items_read: int
    whole_table: bool
    outcomes: Mapping[str, int]
    error_codes: Mapping[str, int]
    durations: Mapping[str, Spread]


@dataclass(frozen=True, slots=True)
class Status:
    """Everything that was asked for; None is what was not, or what is not there."""

    at: datetime
    queue: Queue | None
    dead_letters: Queue | None
    recent: Recent | None

    def as_json(self) -> dict[str, Any]:
        """One object whose names are stable."""
        return {
            "at": _timestamp(self.at),
            "queue": self.queue and _queue_as_json(self.queue),
            "dead_letters": self.dead_letters and _queue_as_json(self.dead_letters),
            "recent": self.recent and _recent_as_json(self.recent),
        }


def read_queue(sqs: "SQSClient", cloudwatch: Any, url: str) -> Queue:  # noqa: ANN401, it has no types
    """The depths of the queue at `url`, and the age of its oldest message.

    Raises:
        ClientError: SQS refuses.
        BotoCoreError: SQS can't be reached.
    """
    answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=_DEPTHS)
    depth, in_flight, delayed = (int(answer["Attributes"][name]) for name in _DEPTHS)
    return Queue(url, depth, in_flight, delayed, _oldest(cloudwatch, queue_name(url)))


def redrive_target_url(sqs: "SQSClient", queue_url: str) -> str | None:
    """Where the queue at `queue_url` moves what failed too often; None if nowhere.

    Raises:
        ClientError: SQS refuses.
        BotoCoreError: SQS can't be reached.
    """
    answer = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["RedrivePolicy"])
    policy = answer.get("Attributes", {}).get("RedrivePolicy")
    if not policy:
        return None
    *_, account, name = json.loads(policy)["deadLetterTargetArn"].split(":")
    return sqs.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)["QueueUrl"]


def read_recent(table: str, window: timedelta, max_items: int) -> Recent:
    """What the first `max_items` items of a table say of the time since `window` ago.

    A scan reads items in no order that means anything, so a part of a large table is a
    sample of it.

    Raises:
        PynamoDBException: DynamoDB can't be asked.
    """
    found = bind_reader_item(table).scan(
        limit=max_items, page_size=min(max_items, _PAGE), attributes_to_get=_ATTRIBUTES
    )
    since = _timestamp(datetime.now(UTC) - window)
    items_read, recent = 0, []
    for item in found:
        items_read += 1
        if (item.processed_at or "") >= since:
            recent.append(item)
    return Recent(
        table=table,
        window=window,
        items_read=items_read,
        whole_table=found.last_evaluated_key is None,
        outcomes=_counted(item.status for item in recent),
        error_codes=_counted(item.error_code for item in recent if item.error_code),
        durations=_durations(recent),
    )


def _counted(names: Any) -> dict[str, int]:  # noqa: ANN401
    return dict(Counter(names).most_common())


def _durations(items: list[LandmarkItem]) -> dict[str, Spread]:
    parts = [getattr(item, "duration_ms", None) for item in items]
    timed = [durations for durations in parts if durations is not None]
    if not timed:
        return {}
    return {
        part: _spread(sorted(int(getattr(durations, part)) for durations in timed))
        for part in ("fetch", "detect", "total")
    }


def _spread(ascending: list[int]) -> Spread:
    """Percentiles by the nearest rank."""
    p50, p95 = (ascending[ceil(len(ascending) * share) - 1] for share in (0.5, 0.95))
    return Spread(p50, p95, ascending[-1])


def _oldest(cloudwatch: Any, name: str) -> Age | None:  # noqa: ANN401
    """The newest that CloudWatch knows; None where it refuses, knows nothing or is not there."""
    now = datetime.now(UTC)
    try:
        answer = cloudwatch.get_metric_statistics(
            Namespace="AWS/SQS",
            MetricName="ApproximateAgeOfOldestMessage",
            Dimensions=[{"Name": "QueueName", "Value": name}],
            StartTime=now - timedelta(minutes=_METRIC_MINUTES),
            EndTime=now + timedelta(minutes=1),
            Period=60,
            Statistics=["Maximum"],
        )
    except (BotoCoreError, ClientError):
        return None
    points = answer["Datapoints"]
    if not points:
        return None
    newest = max(points, key=lambda point: point["Timestamp"])
    return Age(round(newest["Maximum"]), newest["Timestamp"].astimezone(UTC))


def _queue_as_json(queue: Queue) -> dict[str, Any]:
    return {
        "url": queue.url,
        "depth": queue.depth,
        "in_flight": queue.in_flight,
        "delayed": queue.delayed,
        "oldest_age_seconds": queue.oldest and queue.oldest.seconds,
        "oldest_age_at": queue.oldest and _timestamp(queue.oldest.at),
    }


def _recent_as_json(recent: Recent) -> dict[str, Any]:
    return {
        "table": recent.table,
        "window_seconds": round(recent.window.total_seconds()),
        "items_read": recent.items_read,
        "whole_table": recent.whole_table,
        "processed": sum(recent.outcomes.values()),
        "outcomes": dict(recent.outcomes),
        "error_codes": dict(recent.error_codes),
        "duration_ms": {
            part: {"p50": spread.p50, "p95": spread.p95, "max": spread.max}
            for part, spread in recent.durations.items()
        },
    }


def _timestamp(moment: datetime) -> str:
    """UTC, ISO 8601, with milliseconds: as the worker writes it, so that it compares as text."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
