"""What a run of the demo leaves: read from table, queue and log, and written as one JSON file."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from worker.local.poller_process import WorkerLog
from worker.local.stack import MAX_RECEIVE_COUNT, LocalStack
from worker.pipeline import Outcome
from worker.results.item import LandmarkItem, bind_item
from worker.results.reading import item_as_json
from worker.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

# What names a job in the worker's log.
_JOB_FIELDS: Final = ("bucket", "key", "job_id", "message_id")

JsonObject = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class DemoResults:
    """What became of every photo and every message.

    Attributes:
        settings: the worker's.
        messages: how many were sent.
        seconds: from the worker's start to the last message done.
        items: of the results table, in the order of their keys.
        without_result: keys of the photos that have no item.
        duplicates: jobs that the worker skipped.
        dead_letters: what is in the dead-letter queue.
        overlays: key → file.
        not_drawn: key → why there is no overlay of what was found.
    """

    settings: Settings
    messages: int
    seconds: float
    items: Sequence[LandmarkItem]
    without_result: Sequence[str]
    duplicates: Sequence[JsonObject]
    dead_letters: Sequence[JsonObject]
    overlays: Mapping[str, Path]
    not_drawn: Mapping[str, str]

    def write(self, path: Path) -> None:
        """All of it as JSON, the landmarks decoded; overlays relative to the file."""
        content = {
            "items": [item_as_json(item) for item in self.items],
            "without_result": self.without_result,
            "duplicates": self.duplicates,
            "dead_letters": self.dead_letters,
            "overlays": {
                key: overlay.relative_to(path.parent).as_posix()
                for key, overlay in self.overlays.items()
            },
        }
        path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def read_items(stack: LocalStack) -> list[LandmarkItem]:
    """The whole table, in the order of keys."""
    return sorted(bind_item(stack.table).scan(), key=lambda item: item.object_key)


def read_duplicates(log: WorkerLog) -> list[JsonObject]:
    """The jobs that the worker found done already: nothing but its log knows them."""
    skipped = [
        event for event in log.events("job finished") if event["outcome"] == Outcome.DUPLICATE
    ]
    jobs = [{name: event[name] for name in _JOB_FIELDS if name in event} for event in skipped]
    return sorted(jobs, key=lambda job: job["key"])


def read_dead_letters(sqs: "SQSClient", stack: LocalStack) -> list[JsonObject]:
    """What is in the dead-letter queue; it stays there."""
    letters: list[JsonObject] = []
    while messages := sqs.receive_message(
        QueueUrl=stack.dead_letter_queue_url,
        MaxNumberOfMessages=10,
        MessageAttributeNames=["All"],
    ).get("Messages"):
        letters += map(_dead_letter, messages)
    return letters


def _dead_letter(message: "MessageTypeDef") -> JsonObject:
    attributes = {
        name: attribute.get("StringValue")
        for name, attribute in message.get("MessageAttributes", {}).items()
    }
    return {
        "message_id": attributes.get("original_message_id", message["MessageId"]),
        "body": message["Body"],
        # The worker says why; SQS, which moves what failed too often, does not.
        "error_code": attributes.get("error_code"),
        "error_message": attributes.get(
            "error_message", f"came {MAX_RECEIVE_COUNT} times and was never done"
        ),
    }
