"""The worker's whole way on one machine: photographs to results, over real services.

Uploads photos to the embedded S3, asks for their landmarks through the queue,
lets the real poller work, and draws what it stored.
"""

import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import boto3

from landmarks.cli.progress import Progress
from landmarks.cli.report import Selection, write_report
from landmarks.drawing.canvas import draw_overlay, save_overlay
from landmarks.enums import DETECTED
from landmarks.errors import LandmarkError
from landmarks.item import LandmarkItem, bind_item, item_as_json, landmarks_of
from landmarks.local.output import SOFTWARE, DemoFiles, overlay_names
from landmarks.local.samples import Assignment, Photo, UploadedObject
from landmarks.local.stack import MAX_RECEIVE_COUNT, LocalStack, create_stack, embedded_services
from landmarks.local.worker_process import PollerProcess, WorkerLog
from landmarks.photograph import UnreadablePhotographError
from worker.model import require_model
from worker.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.literals import QueueAttributeNameType
    from mypy_boto3_sqs.type_defs import MessageTypeDef

_VISIBILITY_SECONDS: Final = 30


# The worker starts in 1 to 2 s; a cold disk or a crowded machine takes longer.
_STARTING_SECONDS: Final = 60


# A message that comes again and again is gone after this.
_RETRYING_SECONDS: Final = _VISIBILITY_SECONDS * MAX_RECEIVE_COUNT


# 0.1 s is usual, and several photos go at once.
_SECONDS_A_MESSAGE: Final = 5


_GLANCE_SECONDS: Final = 0.1


_REPORT_LIMIT: Final = 1000


_REPORT_TITLE: Final = "The demo's photos"


_NOT_DONE: Final[Sequence["QueueAttributeNameType"]] = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
)


class UnfinishedError(LandmarkError):
    """Raised when the queue does not become empty."""

    code = "UNFINISHED"


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


def run_demo(
    assignment: Assignment, files: DemoFiles, settings: Settings, progress: Progress
) -> DemoResults:
    """Let the worker do an assignment; whatever was started has ended when this returns.

    Args:
        assignment: what to upload and to ask for.
        files: what to write; of an earlier run's, nothing is left.
        settings: the worker's, already checked; it reads them itself.
        progress: is told what is being done.

    Raises:
        PollerError: the worker died.
        UnfinishedError: it came to no end.
    """
    files.make_room()
    with embedded_services():
        stack = create_stack("demo", visibility_seconds=_VISIBILITY_SECONDS)
        run = _Run(stack, progress)
        run.send([*run.upload(assignment.photos), *assignment.strays])
        with PollerProcess(files.log, stack.environment) as poller:
            seconds = run.wait(poller, assignment.messages)
            poller.stop()  # it needs a second, which the drawing takes anyway
            items = read_items(stack)
            overlays, not_drawn = run.draw(items, files.overlays)
            write_report(
                Selection(stack.table),
                files.report,
                progress,
                limit=_REPORT_LIMIT,
                title=_REPORT_TITLE,
            )
            results = DemoResults(
                settings=settings,
                messages=assignment.messages,
                seconds=seconds,
                items=items,
                without_result=_without_result(assignment.photos, items),
                duplicates=read_duplicates(poller.log),
                dead_letters=read_dead_letters(boto3.client("sqs"), stack),
                overlays=overlays,
                not_drawn=not_drawn,
            )
    results.write(files.results)
    return results


def _without_result(photos: Sequence[Photo], items: Sequence[LandmarkItem]) -> list[str]:
    return sorted({photo.key for photo in photos}.difference(item.object_key for item in items))


class _Run:
    """One run's steps."""

    def __init__(self, stack: LocalStack, progress: Progress) -> None:
        self._stack = stack
        self._progress = progress
        self._s3: S3Client = boto3.client("s3")
        self._sqs: SQSClient = boto3.client("sqs")

    def upload(self, photos: Sequence[Photo]) -> list[str]:
        """Upload photos; return the messages that ask for them."""
        self._progress.stage("Uploading photos", len(photos))
        bodies: list[str] = []
        for step, photo in enumerate(photos, start=1):
            uploaded = self._upload(photo)
            bodies += (envelope(uploaded) for envelope in photo.envelopes)
            self._progress.update(step)
        return bodies

    def send(self, bodies: Sequence[str]) -> None:
        """Send messages; all of them before the worker starts.

        moto loses a message that is sent while another one is being deleted.
        """
        self._progress.stage("Sending messages", len(bodies))
        for step, body in enumerate(bodies, start=1):
            self._sqs.send_message(QueueUrl=self._stack.queue_url, MessageBody=body)
            self._progress.update(step)

    def wait(self, poller: PollerProcess, messages: int) -> float:
        """Wait until none of so many messages is left; return the seconds that took."""
        self._progress.stage("Finding landmarks", messages)
        start = time.monotonic()
        limit = start + _STARTING_SECONDS + _RETRYING_SECONDS + _SECONDS_A_MESSAGE * messages
        # Twice: the two numbers are not of one moment, and between them a message may move.
        while left := self._messages_left() or self._messages_left():
            # Messages go in batches; the log knows of single jobs.
            self._progress.update(max(messages - left, len(poller.log.events("job finished"))))
            poller.check()
            if time.monotonic() > limit:
                raise UnfinishedError(
                    f"after {time.monotonic() - start:.0f} s the queue still holds {left} of "
                    f"{messages} messages\n{poller.last_words()}"
                )
            time.sleep(_GLANCE_SECONDS)
        return time.monotonic() - start

    def draw(
        self, items: Sequence[LandmarkItem], folder: Path
    ) -> tuple[dict[str, Path], dict[str, str]]:
        """Draw what was found; return the files, and why one could not be drawn."""
        found = {item.object_key: item for item in items if item.status == DETECTED}
        self._progress.stage("Drawing overlays", len(found))
        overlays: dict[str, Path] = {}
        not_drawn: dict[str, str] = {}
        for step, (key, name) in enumerate(overlay_names(found).items(), start=1):
            try:
                drawing = draw_overlay(self._download(key), landmarks_of(found[key]))
            except UnreadablePhotographError as error:
                not_drawn[key] = str(error)
            else:
                overlays[key] = folder / name
                save_overlay(drawing, overlays[key], key=key, software=SOFTWARE)
            self._progress.update(step)
        return overlays, not_drawn

    def _upload(self, photo: Photo) -> UploadedObject:
        content = photo.read()
        answer = self._s3.put_object(Bucket=self._stack.bucket, Key=photo.key, Body=content)
        etag = answer["ETag"].strip('"')
        return UploadedObject(self._stack.bucket, photo.key, etag, len(content))

    def _download(self, key: str) -> bytes:
        """What the worker has read."""
        return self._s3.get_object(Bucket=self._stack.bucket, Key=key)["Body"].read()

    def _messages_left(self) -> int:
        answer = self._sqs.get_queue_attributes(
            QueueUrl=self._stack.queue_url, AttributeNames=_NOT_DONE
        )
        return sum(int(answer["Attributes"][name]) for name in _NOT_DONE)


# What names a job in the worker's log.
_JOB_FIELDS: Final = ("bucket", "key", "job_id", "message_id")


def read_items(stack: LocalStack) -> list[LandmarkItem]:
    """The whole table, in the order of keys."""
    return sorted(bind_item(stack.table).scan(), key=lambda item: item.object_key)


def read_duplicates(log: WorkerLog) -> list[JsonObject]:
    """The jobs that the worker found done already: nothing but its log knows them."""
    skipped = [event for event in log.events("job finished") if event["outcome"] == "duplicate"]
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


# The demo's own business, whatever the environment says; empty ones count as not set.
_REPLACED: Final = {
    "RESULTS_TABLE": "demo",
    "IMAGE_BUCKET": "",
    "QUEUE_URL": "",
    "DEAD_LETTER_QUEUE_URL": "",
}


def checked_settings() -> Settings:
    """The worker's settings as it will read them, but for the names of its services.

    Raises:
        SettingsError: the environment is wrong, or the model is not installed.
    """
    settings = Settings.from_environment({**os.environ, **_REPLACED})
    require_model(settings.model)
    return settings
