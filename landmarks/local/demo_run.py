"""The demo: photographs through S3, SQS, the worker and DynamoDB, by the commands' own means."""

import json
import re
import threading
import time
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import boto3
from PIL import Image

from landmarks.cli.dead_letter_queue import DeadLetter, read_dead_letters
from landmarks.cli.enqueue.messages import Message, batched
from landmarks.cli.enqueue.sending import Sender
from landmarks.cli.progress import Progress
from landmarks.cli.queue_status import read_queue
from landmarks.cli.report import Selection, write_report
from landmarks.drawing.canvas import MAX_SIDE_PIXELS, draw_overlay, save_overlay
from landmarks.enums import DETECTED
from landmarks.errors import LandmarkError
from landmarks.local.samples import DEMO
from landmarks.local.stack import (
    MAX_RECEIVE_COUNT,
    VISIBILITY_SECONDS,
    LocalStack,
    create_stack,
    embedded_services,
)
from landmarks.local.worker_process import WorkerProcess
from landmarks.photograph import PhotoDecoder, UnreadablePhotographError
from landmarks.result import LandmarkResult
from landmarks.table import LandmarkTable

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_FILES: Final = {
    "report": "report.html",
    "overlays": "overlays",
    "results": "results.json",
    "worker's log": "worker.log",
}
# Overlays carry this mark, so that the next run removes them and nothing else.
SOFTWARE: Final = "landmark-worker demo"
_JOB_FIELDS: Final = ("bucket", "key", "job_id", "message_id")

_MAX_SHOWN: Final = 1000  # results in the report
_START_SECONDS: Final = 60  # it takes 1 to 2 s, but longer on a busy machine
_RETRY_SECONDS: Final = VISIBILITY_SECONDS * MAX_RECEIVE_COUNT
_MESSAGE_SECONDS: Final = 5  # 0.1 s is usual
_CHECK_SECONDS: Final = 0.1

_SUFFIX: Final = re.compile(r"\.[A-Za-z0-9]{1,5}\Z")
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9_]+")
_MAX_NAME_CHARACTERS: Final = 80


class UnfinishedError(LandmarkError):
    """Raised when a message can't be sent, or the queue does not become empty."""

    code = "UNFINISHED"


@dataclass(frozen=True, slots=True)
class DemoRun:
    """What has become of every photograph and message.

    Attributes:
        messages: how many were sent.
        seconds: from the worker's start until the queue was empty.
        results: sorted by key.
        without_result: keys of the photographs that have none.
        duplicates: jobs that the worker skipped, by its log.
        dead_letters: the messages in the dead-letter queue.
        overlays: files by key.
        not_drawn: by key, why a photograph with landmarks has no overlay.
        files: what was written, under its label.
    """

    messages: int
    seconds: float
    results: Sequence[LandmarkResult]
    without_result: Sequence[str]
    duplicates: Sequence[Mapping[str, Any]]
    dead_letters: Sequence[DeadLetter]
    overlays: Mapping[str, Path]
    not_drawn: Mapping[str, str]
    files: Mapping[str, Path]

    def write_results(self) -> None:
        """Everything as JSON; paths of overlays are relative to the file."""
        file = self.files["results"]
        fields = ("message_id", "body", "error_code", "error_message")
        content = {
            "items": [result.to_json() for result in self.results],
            "without_result": self.without_result,
            "duplicates": self.duplicates,
            "dead_letters": [
                {name: getattr(letter, name) for name in fields} for letter in self.dead_letters
            ],
            "overlays": {
                key: overlay.relative_to(file.parent).as_posix()
                for key, overlay in self.overlays.items()
            },
        }
        file.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def run_demo(messages: Sequence[Message], output: Path, progress: Progress) -> DemoRun:
    """Have the worker process messages; services and worker have ended when this returns.

    Args:
        messages: with the photographs to upload, each once.
        output: folder for the files; an earlier run's are removed.
        progress: shows the stages.

    Raises:
        WorkerEndedError: the worker crashed.
        UnfinishedError: a message can't be sent, or the worker did not finish.
    """
    files = prepared_files(output)
    with embedded_services():
        stack, sqs = create_stack(DEMO), boto3.client("sqs")
        _send(messages, sqs, stack, progress)
        with WorkerProcess(files["worker's log"], stack.environment) as worker:
            seconds = _wait(len(messages), sqs, stack, worker, progress)
            worker.stop()  # takes a second, in which the rest is done
            results = sorted(LandmarkTable(stack.table).scan(), key=lambda result: result.key)
            overlays, not_drawn = _draw(results, files["overlays"], progress)
            selection, title = Selection(stack.table), "The demo's photos"
            write_report(selection, files["report"], progress, limit=_MAX_SHOWN, title=title)
            photographs = {message.key for message in messages if message.file}
            run = DemoRun(
                messages=len(messages),
                seconds=seconds,
                results=results,
                without_result=sorted(photographs.difference(result.key for result in results)),
                duplicates=_duplicates(worker),
                dead_letters=_dead_letters(sqs, stack.dead_letter_queue_url),
                overlays=overlays,
                not_drawn=not_drawn,
                files=files,
            )
    run.write_results()
    return run


def prepared_files(output: Path) -> Mapping[str, Path]:
    """The demo's files by label, none of which exists; other files in the folder stay."""
    files = {label: output / name for label, name in _FILES.items()}
    files["overlays"].mkdir(parents=True, exist_ok=True)
    for path in files["overlays"].glob("*.png"):
        with suppress(OSError, SyntaxError), Image.open(path, formats=("PNG",)) as picture:
            if picture.info.get("Software") == SOFTWARE:
                path.unlink()
    for label in files.keys() - {"overlays"}:
        files[label].unlink(missing_ok=True)
    return files


def overlay_names(keys: Iterable[str]) -> Mapping[str, str]:
    """A file name for every key: plain ASCII, no folders, different even in upper case."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for key in sorted(set(keys)):
        letters = unicodedata.normalize("NFKD", _SUFFIX.sub("", key))
        without_accents = "".join(c for c in letters if not unicodedata.combining(c))
        plain = _UNSAFE.sub("-", without_accents).strip("-")[:_MAX_NAME_CHARACTERS] or "photo"
        candidates = chain([plain], (f"{plain}-{number}" for number in count(2)))
        names[key] = next(name for name in candidates if name.casefold() not in taken)
        taken.add(names[key].casefold())
    return {key: f"{name}.png" for key, name in names.items()}


def _send(
    messages: Sequence[Message], sqs: "SQSClient", stack: LocalStack, progress: Progress
) -> None:
    progress.stage("Enqueueing photos", len(messages))
    sender = Sender(sqs, stack.queue_url, threading.Event(), boto3.client("s3"))
    sent = 0
    for batch in batched(messages):
        receipt = sender.send(batch.messages)
        if receipt.error:
            raise receipt.error
        for text, reason in receipt.unsent:
            raise UnfinishedError(f"{text}: {reason}")
        sent += receipt.sent
        progress.update(sent)


def _wait(
    messages: int, sqs: "SQSClient", stack: LocalStack, worker: WorkerProcess, progress: Progress
) -> float:
    """Wait until the queue is empty; returns the seconds that took."""

    def left() -> int:
        return read_queue(sqs, stack.queue_url).total

    progress.stage("Finding landmarks", messages)
    start = time.monotonic()
    limit_seconds = _START_SECONDS + _RETRY_SECONDS + _MESSAGE_SECONDS * messages
    # The depths are approximate: a message that is just being received may be in none of them.
    while remaining := left() or left():
        progress.update(messages - remaining)
        worker.check()
        if time.monotonic() - start > limit_seconds:
            raise UnfinishedError(
                f"after {limit_seconds} s there are {remaining} of {messages} messages in the "
                f"queue\n{worker.log_end()}"
            )
        time.sleep(_CHECK_SECONDS)
    return time.monotonic() - start


def _draw(
    results: Sequence[LandmarkResult], folder: Path, progress: Progress
) -> tuple[dict[str, Path], dict[str, str]]:
    """Draw the people that were found; returns the files, and why one could not be drawn."""
    detected = {result.key: result for result in results if result.status == DETECTED}
    progress.stage("Drawing overlays", len(detected))
    s3 = boto3.client("s3")
    overlays: dict[str, Path] = {}
    not_drawn: dict[str, str] = {}
    with PhotoDecoder(MAX_SIDE_PIXELS) as decoder:
        for number, (key, name) in enumerate(overlay_names(detected).items(), start=1):
            content = s3.get_object(Bucket=detected[key].bucket, Key=key)["Body"].read()
            try:
                photo = decoder.decode(content)
            except UnreadablePhotographError as error:
                not_drawn[key] = str(error)
            else:
                overlays[key] = folder / name
                people = (person.landmarks for person in detected[key].people)
                drawing = draw_overlay(photo, *people)
                save_overlay(drawing, overlays[key], key=key, software=SOFTWARE)
            progress.update(number)
    return overlays, not_drawn


def _duplicates(worker: WorkerProcess) -> list[Mapping[str, Any]]:
    """Jobs that were done already: only the worker's log has them."""
    skipped = [job for job in worker.events("job finished") if job["outcome"] == "duplicate"]
    jobs: list[Mapping[str, Any]]
    jobs = [{name: job[name] for name in _JOB_FIELDS if name in job} for job in skipped]
    return sorted(jobs, key=lambda job: job["key"])


def _dead_letters(sqs: "SQSClient", url: str) -> list[DeadLetter]:
    # Their number is known here, so that the last receive does not wait for more.
    return list(read_dead_letters(sqs, url, read_queue(sqs, url).total))
