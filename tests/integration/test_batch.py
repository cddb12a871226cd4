"""A batch of messages: what becomes of each, what is stored, and what is retried."""

import os
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest

from landmarks.errors import DetectorCrashedError, DetectorStartError
from landmarks.job import Job
from tests.conftest import MakeHandler
from tests.events import s3_notification, s3_test_event, sns_envelope, sqs_event
from tests.fakes import (
    LONGEST_KEY,
    Cloud,
    Context,
    Request,
    RiggedDetectors,
    closed_port,
    deliver,
    metrics,
    nobody,
    person,
    s3_that,
    seen_nobody,
    start_detectors,
    too_many_pixels,
)
from worker.handler import Handler
from worker.model import ModelOptions
from worker.result import Detection
from worker.settings import Settings
from worker.telemetry import Telemetry
from worker.verdict import Verdict

AWKWARD_KEYS = [
    "a b.jpg",
    "a+b.jpg",
    "100%.jpg",
    "already%20encoded%2B.jpg",
    "überraschung/写真 📷.jpg",
    LONGEST_KEY,
]


def test_each_message_of_a_batch_has_its_own_outcome(
    cloud: Cloud, make_handler: MakeHandler
) -> None:
    """Ten messages with every outcome: two are retried, the rest are stored or given up."""
    cloud.put("person.jpg", person())
    cloud.put("nobody.png", nobody())
    cloud.put("notes.txt", b"no photograph, but words")
    cloud.put("long.jpg", person() + bytes(200_000))
    cloud.put("large.png", too_many_pixels())
    cloud.put("pair/one.png", nobody())
    handler = make_handler(MAX_IMAGE_BYTES="200000")

    failed = deliver(
        handler,
        {"key": "person.jpg"},
        {"key": "nobody.png"},
        {"key": "notes.txt"},
        {"key": "long.jpg"},
        {"key": "large.png"},
        {"key": "person.jpg"},
        {"key": "missing.jpg"},
        "not JSON",
        s3_test_event(cloud.stack.bucket),
        s3_notification("pair/one.png", "pair/missing.png", bucket=cloud.stack.bucket),
    )

    assert failed == [6, 9]
    assert cloud.statuses() == {
        "person.jpg": "detected",
        "nobody.png": "not_detected",
        "notes.txt": "failed",
        "long.jpg": "failed",
        "large.png": "failed",
        "pair/one.png": "not_detected",
    }
    errors = {key: cloud.item(key)["error_code"]["S"] for key in ("notes.txt", "long.jpg")}
    assert errors == {"notes.txt": "NOT_AN_IMAGE", "long.jpg": "TOO_MANY_BYTES"}
    assert cloud.item("large.png")["error_code"] == {"S": "TOO_MANY_PIXELS"}
    (letter,) = cloud.dead_letters()
    assert letter["Body"] == "not JSON"


def test_same_object_twice_in_a_batch_is_detected_once(
    cloud: Cloud, handler: Handler, capsys: pytest.CaptureFixture[str]
) -> None:
    """The second message finds the first one's result."""
    cloud.put("person.jpg", person())

    assert deliver(handler, {"key": "person.jpg"}, {"key": "person.jpg"}) == []

    assert cloud.item("person.jpg")["message_id"] == {"S": "00000000-0000-4000-8000-000000000000"}
    counted = metrics(capsys.readouterr().out)
    assert (counted["Detected"], counted["Duplicate"]) == ([1], [1])
    assert len(counted["DetectDuration"]) == 1


def test_metrics_of_a_mixed_batch(
    cloud: Cloud, make_handler: MakeHandler, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line in CloudWatch's format counts what became of each job, and of each message."""
    cloud.put("person.jpg", person())
    cloud.put("nobody.png", nobody())
    cloud.put("notes.txt", b"no photograph")
    handler = make_handler()

    deliver(
        handler,
        {"key": "person.jpg"},
        {"key": "nobody.png"},
        {"key": "person.jpg"},
        {"key": "notes.txt"},
        {"key": "missing.jpg"},
        "not JSON",
    )
    first = capsys.readouterr().out
    deliver(handler, {"key": "nobody.png"})
    second = metrics(capsys.readouterr().out)

    assert len(first.splitlines()) == 1
    counted = metrics(first)
    durations = [counted.pop(f"{part}Duration") for part in ("Fetch", "Detect", "Job")]
    assert [len(values) for values in durations] == [3, 3, 3]
    assert all(fetch + detect <= job + 2 for fetch, detect, job in zip(*durations, strict=True))
    assert sorted(counted.pop("ImageSize")) == sorted(
        [len(person()), len(nobody()), len(b"no photograph")]
    )
    assert counted == {
        "Detected": [1],
        "NotDetected": [1],
        "Failed": [1],
        "Duplicate": [1],
        "Retried": [1],
        "Rejected": [1],
        "ColdStart": [1],
        "DetectorRestarts": [0],
    }
    assert second == {"Duplicate": [1], "ColdStart": [0], "DetectorRestarts": [0]}


def test_metrics_count_detectors_that_had_to_be_replaced(
    cloud: Cloud, make_handler: MakeHandler, capsys: pytest.CaptureFixture[str]
) -> None:
    """Once each, in the invocation where it happened; the image is not to blame."""
    model = ModelOptions(model_complexity=1)
    with closing(start_detectors(Settings(results_table="unused", model=model))) as detectors:
        handler = make_handler(detectors)
        restarts = []
        for number in range(3):
            cloud.put(f"{number}.png", nobody(number))
            if number == 1:
                os.kill(detectors.pids[0], signal.SIGKILL)
            assert deliver(handler, {"key": f"{number}.png"}) == []
            restarts.append(metrics(capsys.readouterr().out)["DetectorRestarts"])

    assert restarts == [[0], [1], [0]]
    assert cloud.statuses() == dict.fromkeys(("0.png", "1.png", "2.png"), "not_detected")


def test_no_metric_is_lost_if_batches_overlap(capsys: pytest.CaptureFixture[str]) -> None:
    """The next batch begins before the end of the last one, in another thread."""
    telemetry, often = Telemetry(), range(200)

    def report(_number: int) -> None:
        for _ in often:
            telemetry.finished(Job("camera-roll", "photo.jpg"), Verdict.DUPLICATE)
        telemetry.end_invocation(detector_restarts=2)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(report, range(20)))
    finally:
        sys.setswitchinterval(interval)

    values = metrics(capsys.readouterr().out)
    assert sum(values["Duplicate"]) == 20 * len(often)
    assert (sum(values["ColdStart"]), sum(values["DetectorRestarts"])) == (1, 2)


def test_metrics_of_more_jobs_than_one_line_can_hold(
    handler: Handler, capsys: pytest.CaptureFixture[str]
) -> None:
    """All 120 jobs are counted, though the format allows a hundred values of a metric per line."""
    deliver(handler, *[{"key": "nobody.png"}] * 120, seconds=0.5)

    counted = metrics(capsys.readouterr().out)
    assert (sum(counted["Retried"]), len(counted["ColdStart"])) == (120, 1)


def test_batch_that_fails_as_a_whole_is_reported_message_by_message(
    cloud: Cloud, handler: Handler
) -> None:
    """No exception leaves the handler: an invocation that raises would count as an error."""
    assert deliver(handler, *({"key": f"missing/{number}.jpg"} for number in range(10))) == [
        *range(10)
    ]
    assert cloud.statuses() == {}


def test_two_records_of_one_message_id_are_two_messages(
    cloud: Cloud, handler: Handler, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each job is done and counted once, and the message is retried."""
    cloud.put("nobody.png", nobody())
    event = sqs_event({"key": "nobody.png"}, {"key": "missing.png"}, {"key": "gone.png"})
    for record in event["Records"]:
        record["messageId"] = "twin"

    answer = handler.handle(event, Context())

    assert answer == {"batchItemFailures": [{"itemIdentifier": "twin"}]}
    assert cloud.statuses() == {"nobody.png": "not_detected"}
    counted = metrics(capsys.readouterr().out)
    assert (counted["NotDetected"], counted["Retried"]) == ([1], [1, 1])


def test_next_batch_may_begin_when_no_job_waits_for_its_start(
    cloud: Cloud, make_handler: MakeHandler
) -> None:
    """The poller is told while the last ones are still at work, and not before."""
    keys = [f"{number}.png" for number in range(9)]
    for key in keys:
        cloud.put(key, nobody())
    may_end, all_started = threading.Semaphore(0), threading.Event()

    def detect(_content: bytes, _deadline: float) -> Detection:
        may_end.acquire()
        return seen_nobody()

    handler = make_handler(RiggedDetectors(detect))
    with ThreadPoolExecutor(1) as receiver:
        answer = receiver.submit(
            handler.handle,
            sqs_event(*({"key": key} for key in keys)),
            Context(60),
            all_started=all_started.set,
        )
        may_end.release(5)
        while len(cloud.statuses()) < 5:
            time.sleep(0.05)
        assert not all_started.is_set()  # four threads have a job each
        may_end.release(1)
        assert all_started.wait(60)
        assert not answer.done()
        may_end.release(3)

    assert answer.result() == {"batchItemFailures": []}


def test_empty_batch_has_nothing_to_report(handler: Handler) -> None:
    """No records, no failures."""
    assert deliver(handler) == []


def test_message_with_one_failing_job_is_retried_but_the_others_are_stored(
    cloud: Cloud, handler: Handler
) -> None:
    """The retry does only what was left, and the message is done."""
    keys = ("one.png", "two.png", "three.png")
    message = s3_notification(*keys, bucket=cloud.stack.bucket, etag="")
    for key in ("one.png", "three.png"):
        cloud.put(key, nobody())

    assert deliver(handler, message) == [0]
    assert cloud.statuses().keys() == {"one.png", "three.png"}
    cloud.put("two.png", nobody())
    assert deliver(handler, message, receive_count=2) == []

    attempts = {key: cloud.item(key)["attempts"]["N"] for key in keys}
    assert attempts == {"one.png": "1", "two.png": "2", "three.png": "1"}


def test_results_are_stored_under_literal_keys(cloud: Cloud, handler: Handler) -> None:
    """Whatever the key, nothing of the notification's encoding is left in it."""
    for key in AWKWARD_KEYS:
        cloud.put(key, nobody())
    bucket = cloud.stack.bucket

    failed = deliver(
        handler,
        *(s3_notification(key, bucket=bucket) for key in AWKWARD_KEYS[:4]),
        sns_envelope(s3_notification(*AWKWARD_KEYS[4:], bucket=bucket)),
    )

    assert failed == []
    assert cloud.statuses() == dict.fromkeys(AWKWARD_KEYS, "not_detected")
    assert {cloud.item(key)["bucket"]["S"] for key in AWKWARD_KEYS} == {bucket}


def test_events_of_folders_and_old_buckets(cloud: Cloud, handler: Handler) -> None:
    """A folder marker is no photograph; an odd sequencer, or an old bucket's name, costs no job."""
    old = f"MyCompany_Photos.{cloud.stack.bucket}"
    cloud.make_bucket(old)
    cloud.put("odd.png", nobody())
    cloud.put("old.png", nobody(), bucket=old)
    cloud.put("folder/", b"")
    folder = s3_notification("folder/", bucket=cloud.stack.bucket)
    folder["Records"][0]["s3"]["object"]["size"] = 0
    odd = s3_notification("odd.png", bucket=cloud.stack.bucket, sequencer="Happy Sequencer")

    assert deliver(handler, folder, odd, s3_notification("old.png", bucket=old)) == []

    assert cloud.statuses() == {"odd.png": "not_detected", "old.png": "not_detected"}
    assert cloud.item("old.png")["bucket"] == {"S": old}
    assert "sequencer" not in cloud.item("odd.png")


def test_folder_marker_in_a_message_is_ignored(cloud: Cloud, handler: Handler) -> None:
    """Its size is known only when it is opened; nothing is stored, and nothing is retried."""
    cloud.put("folder/", b"")
    event = s3_notification("folder/", bucket=cloud.stack.bucket)

    assert deliver(handler, {"key": "folder/"}, {"key": "folder/", "force": True}, event) == []

    assert cloud.statuses() == {}


def test_job_that_can_never_be_done_waits_for_the_others(
    cloud: Cloud, handler: Handler, deleted: str
) -> None:
    """A deleted object is a dead letter at once, unless its message has a job to be retried."""
    both = s3_notification(deleted, "missing.png", bucket=cloud.stack.bucket)

    assert deliver(handler, {"key": deleted}, both) == [1]

    (letter,) = cloud.dead_letters()
    assert letter["MessageAttributes"]["error_code"]["StringValue"] == "OBJECT_DELETED"
    assert cloud.statuses() == {}


def test_too_little_time_starts_nothing(cloud: Cloud, handler: Handler) -> None:
    """An invocation that is about to end reports all its messages, and the next one does them."""
    cloud.put("nobody.png", nobody())
    cloud.put("person.jpg", person())
    bodies = ({"key": "nobody.png"}, {"key": "person.jpg"})

    assert deliver(handler, *bodies, seconds=0.5) == [0, 1]
    assert deliver(handler, *bodies, seconds=2.5) == [0, 1]
    assert cloud.statuses() == {}
    assert deliver(handler, *bodies) == []


def test_running_out_of_time_costs_only_unfinished_jobs(
    cloud: Cloud, make_handler: MakeHandler
) -> None:
    """What is done stays done; the rest is retried."""
    two_done = threading.Semaphore(2)

    def slow_after_two(_content: bytes, deadline: float) -> Detection:
        if not two_done.acquire(blocking=False):
            time.sleep(max(0, deadline - time.monotonic()) + 0.2)
        return seen_nobody()

    bodies = [{"key": f"{number}.png"} for number in range(10)]
    for body in bodies:
        cloud.put(body["key"], nobody())

    failed = deliver(make_handler(RiggedDetectors(slow_after_two)), *bodies, seconds=5)

    assert len(failed) >= 8
    done = {f"{number}.png" for number in range(10)} - {f"{number}.png" for number in failed}
    assert done <= cloud.statuses().keys()
    assert deliver(make_handler(), *(bodies[number] for number in failed)) == []
    assert cloud.statuses() == {body["key"]: "not_detected" for body in bodies}


def test_s3_that_hangs_does_not_hold_the_invocation(
    cloud: Cloud,
    make_handler: MakeHandler,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Every message is reported at the deadline, before S3 itself times out."""
    with s3_that(Request.hang) as hanging:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", hanging)

        failed = deliver(
            make_handler(), *({"key": f"{number}.jpg"} for number in range(10)), seconds=4
        )

    assert failed == [*range(10)]
    assert cloud.statuses() == {}
    assert {record.__dict__["error_code"] for record in caplog.records} == {"DEADLINE_EXCEEDED"}


def test_unreachable_dynamodb_has_every_job_retried(
    cloud: Cloud, make_handler: MakeHandler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is stored, but unreadable messages still go to the dead-letter queue."""
    cloud.put("nobody.png", nobody())
    with closed_port() as nowhere:
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", nowhere)
        handler = make_handler()

        assert deliver(handler, {"key": "nobody.png"}, "not JSON", {"key": "other.png"}) == [0, 2]

    assert len(cloud.dead_letters()) == 1
    assert cloud.statuses() == {}


def test_missing_table_has_every_job_retried(cloud: Cloud, make_handler: MakeHandler) -> None:
    """A table that does not exist yet loses no message."""
    cloud.put("nobody.png", nobody())

    assert deliver(make_handler(RESULTS_TABLE="not-there"), {"key": "nobody.png"}) == [0]


@pytest.mark.parametrize(
    "error", [RuntimeError("a mistake of ours"), DetectorStartError("none comes up")]
)
def test_other_errors_affect_only_their_own_message(
    error: Exception, cloud: Cloud, make_handler: MakeHandler
) -> None:
    """It is retried, nothing is stored for it, and the others are done."""

    def fail_on_one(content: bytes, _deadline: float) -> Detection:
        if content == nobody(1):
            raise error
        return seen_nobody()

    handler = make_handler(RiggedDetectors(fail_on_one))
    for number in range(3):
        cloud.put(f"{number}.png", nobody(number))

    assert deliver(handler, *({"key": f"{number}.png"} for number in range(3))) == [1]
    assert cloud.statuses() == {"0.png": "not_detected", "2.png": "not_detected"}


def test_image_that_kills_detectors_is_stored_as_failed(
    cloud: Cloud, make_handler: MakeHandler
) -> None:
    """It is not retried, and the item says what it did."""

    def crash(_content: bytes, _deadline: float) -> Detection:
        raise DetectorCrashedError("the detector was killed by SIGSEGV")

    cloud.put("evil.png", nobody())

    assert deliver(make_handler(RiggedDetectors(crash)), {"key": "evil.png"}) == []

    item = cloud.item("evil.png")
    outcome = {name: item[name]["S"] for name in ("status", "error_code", "error_message")}
    assert outcome == {
        "status": "failed",
        "error_code": "DETECTOR_CRASHED",
        "error_message": "the detector was killed by SIGSEGV",
    }


def test_each_job_is_logged_once(
    cloud: Cloud, handler: Handler, caplog: pytest.LogCaptureFixture
) -> None:
    """One line per job, with what is needed to find it; the level says how unexpected it is."""
    caplog.set_level("INFO", logger="worker")
    cloud.put("nobody.png", nobody())
    cloud.put("notes.txt", b"no photograph")

    deliver(
        handler,
        {"key": "nobody.png", "job_id": "order-7"},
        {"key": "notes.txt"},
        {"key": "missing.jpg"},
        "not JSON",
    )

    lines = [(record.levelname, record.getMessage(), fields(record)) for record in caplog.records]
    assert lines == [
        ("INFO", "job finished", {"key": "nobody.png", "job_id": "order-7"}),
        ("WARNING", "job finished", {"key": "notes.txt", "error_code": "NOT_AN_IMAGE"}),
        ("WARNING", "job postponed", {"key": "missing.jpg", "error_code": "OBJECT_NOT_FOUND"}),
        ("WARNING", "message given up", {"error_code": "INVALID_MESSAGE"}),
    ]


def fields(record: Any) -> dict[str, str]:  # noqa: ANN401, a log record has what it was given
    """Some of the fields that a log line carries."""
    names = ("key", "job_id", "error_code")
    return {name: record.__dict__[name] for name in names if name in record.__dict__}
