"""Test doubles for AWS and detectors, and plain access to what is stored and queued.

`Cloud` uses only boto3 to fill and read the embedded services, so that a mistake in
`worker.table` can't hide itself.
"""

import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from typing import Any, NamedTuple

import numpy as np
from moto.backends import get_backend
from moto.core.models import DEFAULT_ACCOUNT_ID
from PIL import Image

from landmarks.groups import Landmarks
from landmarks.local.stack import LocalStack
from tests import photos
from tests.events import sqs_event
from worker.detector.launch import child_options
from worker.detector.pool import DetectorPool
from worker.handler import Handler
from worker.result import Detection
from worker.settings import Settings

Item = dict[str, dict[str, Any]]

LONGEST_KEY = "é" * 512  # 1,024 bytes of UTF-8


# Photographs


@cache
def person() -> bytes:
    """Return a photograph with one person: 40 kB of JPEG."""
    with Image.open(BytesIO(photos.astronaut().content)) as picture:
        return _encoded(picture.convert("RGB"), "JPEG")


@cache
def nobody(shade: int = 0) -> bytes:
    """Return a small picture without a person. Each shade gives different content."""
    return _encoded(Image.new("RGB", (96, 64), (shade, 90, 60)), "PNG")


@cache
def too_many_pixels() -> bytes:
    """Return a small file with 256 megapixels."""
    return _encoded(Image.new("1", (16_000, 16_000)), "PNG")


def _encoded(picture: Image.Image, file_format: str) -> bytes:
    file = BytesIO()
    picture.save(file, file_format)
    return file.getvalue()


# Invocations


class Context:
    """Lambda's context with this many seconds left."""

    def __init__(self, seconds: float = 30) -> None:
        self._end = time.monotonic() + seconds

    def get_remaining_time_in_millis(self) -> int:
        """Return the remaining time, never below zero, like Lambda."""
        return max(0, round((self._end - time.monotonic()) * 1000))


def deliver(
    handler: Handler,
    *bodies: str | Mapping[str, object],
    seconds: float = 30,
    receive_count: int = 1,
) -> list[int]:
    """Handle one batch of messages and return the indices of those reported as failed."""
    event = sqs_event(*bodies, receive_count=receive_count)
    answer = handler.handle(event, Context(seconds))
    places = {record["messageId"]: place for place, record in enumerate(event["Records"])}
    return [places[failure["itemIdentifier"]] for failure in answer["batchItemFailures"]]


def metrics(printed: str) -> dict[str, list[float]]:
    """Return the values of all metrics in CloudWatch's embedded format."""
    values: dict[str, list[float]] = {}
    for line in printed.splitlines():
        document = json.loads(line)
        (directive,) = document["_aws"]["CloudWatchMetrics"]
        assert (directive["Namespace"], directive["Dimensions"]) == (
            "LandmarkWorker",
            [["service"]],
        )
        for metric in directive["Metrics"]:
            values.setdefault(metric["Name"], []).extend(document[metric["Name"]])
    return values


# The embedded services


class Version(NamedTuple):
    """One version of an object. The id is None in a bucket without versioning."""

    etag: str
    version_id: str | None


@dataclass(frozen=True)
class Cloud:
    """Access to a stack's bucket, queues and table with plain boto3."""

    stack: LocalStack
    clients: Mapping[str, Any] = field(repr=False)

    @property
    def _s3(self) -> Any:  # noqa: ANN401, boto3's clients have no types at run time
        return self.clients["s3"]

    @property
    def _sqs(self) -> Any:  # noqa: ANN401, the same
        return self.clients["sqs"]

    @property
    def _dynamodb(self) -> Any:  # noqa: ANN401, the same
        return self.clients["dynamodb"]

    def make_bucket(self, name: str) -> None:
        """Create another bucket."""
        self._s3.create_bucket(Bucket=name)

    def put(
        self,
        key: str,
        content: bytes,
        *,
        bucket: str | None = None,
        storage_class: str = "STANDARD",
    ) -> Version:
        """Upload an object."""
        bucket = bucket or self.stack.bucket
        answer = self._s3.put_object(
            Bucket=bucket, Key=key, Body=content, StorageClass=storage_class
        )
        return Version(answer["ETag"].strip('"'), answer.get("VersionId"))

    def restore(self, key: str) -> None:
        """Restore an archived object immediately."""
        self._s3.restore_object(Bucket=self.stack.bucket, Key=key, RestoreRequest={"Days": 1})

    def remove(self, key: str) -> Version:
        """Delete an object. With versioning, that adds a delete marker."""
        answer = self._s3.delete_object(Bucket=self.stack.bucket, Key=key)
        return Version("", answer.get("VersionId"))

    def remove_version(self, key: str, version: Version) -> None:
        """Delete one version of an object permanently."""
        self._s3.delete_object(Bucket=self.stack.bucket, Key=key, VersionId=version.version_id)

    def keep_versions(self) -> None:
        """Enable versioning on the bucket."""
        self._s3.put_bucket_versioning(
            Bucket=self.stack.bucket, VersioningConfiguration={"Status": "Enabled"}
        )

    def set_modified(self, key: str, *moments: datetime) -> None:
        """Set the dates of all versions of an object, oldest first. S3 has no call for it."""
        bucket = get_backend("s3")[DEFAULT_ACCOUNT_ID]["aws"].buckets[self.stack.bucket]
        for version, moment in zip(bucket.keys.getlist(key), moments, strict=True):
            version.last_modified = moment

    def item(self, key: str) -> Item:
        """Return the only item of a key, in DynamoDB's JSON."""
        (item,) = self.items(key)
        return item

    def items(self, key: str) -> list[Item]:
        """Return all items of a key, by bucket."""
        items: list[Item] = self._dynamodb.query(
            TableName=self.stack.table,
            KeyConditionExpression="object_key = :key",
            ExpressionAttributeValues={":key": {"S": key}},
            ConsistentRead=True,
        )["Items"]
        return items

    def put_item(self, item: Item) -> None:
        """Write an item that the worker did not create."""
        self._dynamodb.put_item(TableName=self.stack.table, Item=item)

    def statuses(self) -> dict[str, str]:
        """Return the status of every object that has an item."""
        items = self._dynamodb.scan(TableName=self.stack.table)["Items"]
        return {item["object_key"]["S"]: item["status"]["S"] for item in items}

    def send(
        self,
        *bodies: str | Mapping[str, object],
        attributes: Mapping[str, str | int | bytes] | None = None,
    ) -> None:
        """Send messages to the queue, all with the same attributes."""
        for body in bodies:
            self._sqs.send_message(
                QueueUrl=self.stack.queue_url,
                MessageBody=body if isinstance(body, str) else json.dumps(body),
                MessageAttributes={
                    name: _attribute(value) for name, value in (attributes or {}).items()
                },
            )

    def allow_receives(self, count: int, *, visibility_seconds: int) -> None:
        """Set how often messages are received, and how long they are hidden in between."""
        answer = self._sqs.get_queue_attributes(
            QueueUrl=self.stack.queue_url, AttributeNames=["RedrivePolicy"]
        )
        policy = json.loads(answer["Attributes"]["RedrivePolicy"]) | {"maxReceiveCount": count}
        self._sqs.set_queue_attributes(
            QueueUrl=self.stack.queue_url,
            Attributes={
                "RedrivePolicy": json.dumps(policy),
                "VisibilityTimeout": str(visibility_seconds),
            },
        )

    def queued(self) -> int:
        """Return the number of messages in the queue, including those in flight."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = self._sqs.get_queue_attributes(QueueUrl=self.stack.queue_url, AttributeNames=names)
        return sum(int(answer["Attributes"][name]) for name in names)

    def dead_letters(self) -> list[dict[str, Any]]:
        """Return the messages in the dead-letter queue, each once."""
        answer = self._sqs.receive_message(
            QueueUrl=self.stack.dead_letter_queue_url,
            MaxNumberOfMessages=10,
            MessageAttributeNames=["All"],
        )
        return list(answer.get("Messages", []))


def _attribute(value: str | int | bytes) -> dict[str, str | bytes]:
    if isinstance(value, bytes):
        return {"DataType": "Binary", "BinaryValue": value}
    return {"DataType": "Number" if isinstance(value, int) else "String", "StringValue": str(value)}


# Services that fail


@contextmanager
def closed_port() -> Iterator[str]:
    """Return an address where nothing listens."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{reserved.getsockname()[1]}"


class Request(BaseHTTPRequestHandler):
    """A request to a failing service. Each method is one way to fail."""

    ended: threading.Event

    def log_message(self, *_: object) -> None:
        """Keep standard error quiet."""

    def start_object(self, size_bytes: int) -> None:
        """Answer with an object's headers."""
        self.send_response(200)
        self.send_header("ETag", '"feed"')
        self.send_header("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
        self.send_header("Content-Length", str(size_bytes))
        self.end_headers()

    def hang(self) -> None:
        """Accept the request and never answer."""
        self.ended.wait()

    def hang_up(self) -> None:
        """Accept the request and close the connection."""

    def refuse(self, status: int, code: str, message: str = "no") -> None:
        """Answer with an S3 error."""
        body = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def refuse_as_sqs(self, status: int, code: str) -> None:
        """Answer with an SQS error."""
        body = json.dumps({"__type": f"com.amazonaws.sqs#{code}", "message": "no"}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def break_off(self) -> None:
        """Promise an object and close the connection in the middle of it."""
        self.start_object(1000)
        self.wfile.write(bytes(500))

    def break_off_an_error(self) -> None:
        """Answer with an error, and reset the connection in the middle of it."""
        self.send_response(500)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"<Error>")
        time.sleep(0.02)  # a reset may overtake data sent before it
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def stall(self) -> None:
        """Promise an object and stop sending in the middle of it."""
        self.start_object(1000)
        self.wfile.write(bytes(500))
        self.wfile.flush()
        self.ended.wait()

    def drip(self) -> None:
        """Send an object at 100 kB/s: never silent, never finished in time."""
        self.start_object(10_000_000)
        while not self.ended.wait(0.01):
            self.wfile.write(bytes(1000))


@contextmanager
def s3_that(answer: Callable[[Request], None]) -> Iterator[str]:
    """Run an S3 that answers all requests alike, and yield its address."""

    class Answering(Request):
        ended = threading.Event()

        def do_GET(self) -> None:
            try:
                answer(self)
            except OSError:
                self.close_connection = True  # the client disconnected

        do_HEAD = do_PUT = do_POST = do_GET  # noqa: N815, http.server's names

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        Answering.ended.set()
        server.shutdown()
        thread.join()
        server.server_close()


# Detectors, real and without a model


def start_detectors(settings: Settings) -> DetectorPool:
    """Start real detectors, as the worker does."""
    return DetectorPool(child_options(settings), settings.detectors)


class RiggedDetectors(DetectorPool):
    """Detectors that do what a test says instead of processing images."""

    def __init__(self, detect: Callable[[bytes, float], Detection]) -> None:
        self.size = 1
        self._detectors = []
        self._detect = detect

    def detect(self, content: bytes, deadline: float) -> Detection:
        """Do what the test says."""
        return self._detect(content, deadline)


def seen_nobody(_content: bytes = b"", _deadline: float = 0) -> Detection:
    """Return a detection without a person."""
    return Detection(Landmarks(), 96, 64, "png")


def never(_content: bytes, _deadline: float) -> Detection:
    """Fail, for jobs that need no detection."""
    raise AssertionError("a detector was called")


def seen_person(points: int = 468) -> Detection:
    """Return a detection with all groups, in which no two numbers are equal."""
    return Detection(_landmarks(7, points, pose_score=0.987654321), 640, 480, "jpeg")


def seen_people(count: int = 3, points: int = 468) -> Detection:
    """Return a detection of several people; from the third on, they have neither face nor hands."""
    people = [_landmarks(seed, points, person_score=0.9 - seed / 100) for seed in range(count)]
    for person in people:
        assert person.pose_landmarks is not None
        assert person.pose_world_landmarks is not None
        # as MediaPipe returns them
        person.pose_world_landmarks[:, 3] = person.pose_landmarks[:, 3]
    hidden = {"face_landmarks": None, "left_hand_landmarks": None, "right_hand_landmarks": None}
    others = (*people[1:2], *(replace(person, **hidden) for person in people[2:]))
    first = replace(people[0], pose_score=0.987654321)
    return Detection(first, 640, 480, "jpeg", others=others)


def _landmarks(seed: int, face_points: int, **scores: float) -> Landmarks:
    random = np.random.default_rng(seed)

    def group(rows: int, columns: int) -> np.ndarray[Any, np.dtype[np.float32]]:
        return random.random((rows, columns), dtype=np.float32)

    return Landmarks(
        pose_landmarks=group(33, 4),
        pose_world_landmarks=group(33, 4),
        face_landmarks=group(face_points, 3),
        left_hand_landmarks=group(21, 3),
        right_hand_landmarks=group(21, 3),
        **scores,
    )
