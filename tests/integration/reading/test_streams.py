"""The example stream consumer, on records of results that were saved."""

import base64
import importlib.util
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from types import ModuleType
from typing import Any

import boto3
import numpy as np
import pytest

from landmarks import LandmarkResult, LandmarkTable
from landmarks.enums import LandmarkEncoding
from landmarks.errors import CorruptImageError
from landmarks.groups import Landmarks
from tests.fakes import seen_nobody, seen_person
from tests.integration.reading.conftest import Save
from tests.integration.reading.node import ROOT
from worker.result import Detection
from worker.table import ResultsTable

pytestmark = pytest.mark.parametrize("dynamodb", ["moto"], indirect=True)  # dynalite has no streams

Event = dict[str, list[dict[str, Any]]]

NOSE, LEFT_WRIST = 0, 15


@pytest.fixture
def streamed(written: ResultsTable) -> Callable[[], Event]:
    """Return the whole stream of the test's table, as Lambda receives it."""
    name = written.item.Meta.table_name
    table = boto3.client("dynamodb").update_table(
        TableName=name,
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )["TableDescription"]
    client = boto3.client("dynamodbstreams")

    def read() -> Event:
        arn = table["LatestStreamArn"]
        (shard,) = client.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
        iterator = client.get_shard_iterator(
            StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        records = client.get_records(ShardIterator=iterator)["Records"]
        event: Event = json.loads(json.dumps({"Records": records}, default=as_lambda_has_it))
        return event

    return read


def as_lambda_has_it(value: bytes | datetime) -> str | float:
    """Convert bytes and times to their form in Lambda's JSON."""
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value.timestamp()


@pytest.fixture
def queue_url(written: ResultsTable, monkeypatch: pytest.MonkeyPatch) -> str:
    """The queue for raised hands."""
    queue = boto3.client("sqs").create_queue(QueueName=f"raised-{written.item.Meta.table_name}")
    monkeypatch.setenv("RAISED_HANDS_QUEUE_URL", queue["QueueUrl"])
    return str(queue["QueueUrl"])


@pytest.fixture
def consumer() -> ModuleType:
    """The example, as Lambda loads it."""
    path = ROOT / "examples" / "stream-consumer" / "consumer.py"
    spec = importlib.util.spec_from_file_location("consumer", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def person(*, left_wrist_y: float, visibility: float = 1.0) -> Detection:
    """A person whose nose is 0.3 from the top."""
    pose = np.full((33, 4), 0.5, np.float32)
    pose[NOSE, 1], pose[LEFT_WRIST, 1] = 0.3, left_wrist_y
    pose[:, 3] = visibility
    return Detection(Landmarks(pose_landmarks=pose, pose_score=1.0), 640, 480, "jpeg")


def keys_in(queue_url: str) -> list[str]:
    """Return and delete the keys of the messages in the queue."""
    client = boto3.client("sqs")
    answer = client.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10)
    for message in answer.get("Messages", []):
        client.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
    return sorted(json.loads(message["Body"])["key"] for message in answer.get("Messages", []))


def number_of(record: Mapping[str, Any]) -> dict[str, str]:
    """Return the identifier by which a failed record is reported."""
    return {"itemIdentifier": record["dynamodb"]["SequenceNumber"]}


@pytest.mark.parametrize("encoding", LandmarkEncoding)
def test_stream_has_the_numbers_of_the_table(
    written: ResultsTable, save: Save, streamed: Callable[[], Event]
) -> None:
    """A stream record gives the same result as the table, in every encoding."""
    save("photo.jpg", outcome=seen_person())
    (record,) = streamed()["Records"]

    result = LandmarkResult.from_stream(record["dynamodb"]["NewImage"])

    stored = LandmarkTable(written.item.Meta.table_name).get("photo.jpg")
    assert result is not None
    assert stored is not None
    for group, array in stored.landmarks.found():
        read = getattr(result, group.name)
        assert read.tobytes() == array.tobytes()
        assert not read.flags.writeable
    assert result.to_json() == stored.to_json()
    (item,) = boto3.client("dynamodb").scan(TableName=written.item.Meta.table_name)["Items"]
    with_bytes = LandmarkResult.from_stream(item)
    assert with_bytes is not None
    assert with_bytes.to_json() == stored.to_json()


def test_an_applications_own_item_is_no_result(
    consumer: ModuleType, written: ResultsTable, streamed: Callable[[], Event]
) -> None:
    """An item without `status` is not a result, and the consumer ignores it."""
    item = {"object_key": {"S": "a.jpg"}, "bucket": {"S": "photos"}, "note": {"S": "mine"}}
    boto3.client("dynamodb").put_item(TableName=written.item.Meta.table_name, Item=item)
    event = streamed()
    assert LandmarkResult.from_stream(event["Records"][0]["dynamodb"]["NewImage"]) is None
    assert consumer.handler(event, None) == {"batchItemFailures": []}


@pytest.mark.parametrize("max_people", [2])
def test_raised_hand_of_anybody_counts(
    consumer: ModuleType, save: Save, streamed: Callable[[], Event], queue_url: str
) -> None:
    """Not only that of the first person, and only once per photograph."""
    lowered, raised = person(left_wrist_y=0.9), person(left_wrist_y=0.1)
    save("second.jpg", outcome=replace(lowered, others=(raised.landmarks,)))
    save("both.jpg", outcome=replace(raised, others=(raised.landmarks,)))
    save("neither.jpg", outcome=replace(lowered, others=(lowered.landmarks,)))

    assert consumer.handler(streamed(), None) == {"batchItemFailures": []}

    assert keys_in(queue_url) == ["both.jpg", "second.jpg"]


@pytest.mark.parametrize("encoding", LandmarkEncoding)
def test_raised_hands_go_to_the_queue(
    consumer: ModuleType, save: Save, streamed: Callable[[], Event], queue_url: str
) -> None:
    """Only results with raised hands are sent."""
    save("raised.jpg", outcome=person(left_wrist_y=0.1))
    save("lowered.jpg", outcome=person(left_wrist_y=0.9))
    save("hidden.jpg", outcome=person(left_wrist_y=0.1, visibility=0.2))
    save("nobody.jpg", outcome=seen_nobody())
    save("failed.jpg", outcome=CorruptImageError("cut short"))
    save("lowered.jpg", "elsewhere", outcome=person(left_wrist_y=0.1))

    answer = consumer.handler(streamed(), None)

    assert answer == {"batchItemFailures": []}
    assert keys_in(queue_url) == ["lowered.jpg", "raised.jpg"]


def test_removed_items_are_ignored(
    consumer: ModuleType,
    written: ResultsTable,
    save: Save,
    streamed: Callable[[], Event],
    queue_url: str,
) -> None:
    """The record of an expired item has no new image and is ignored."""
    save("photo.jpg", outcome=person(left_wrist_y=0.1))
    boto3.client("dynamodb").delete_item(
        TableName=written.item.Meta.table_name,
        Key={"object_key": {"S": "photo.jpg"}, "bucket": {"S": "photos"}},
    )
    event = streamed()
    assert [record["eventName"] for record in event["Records"]] == ["INSERT", "REMOVE"]
    event["Records"][1]["dynamodb"].pop("NewImage", None)

    assert consumer.handler(event, None) == {"batchItemFailures": []}
    assert keys_in(queue_url) == ["photo.jpg"]


@pytest.mark.parametrize("broken", ["not base64!", "AAAA", ""])
def test_lambda_continues_at_a_broken_record(
    consumer: ModuleType,
    save: Save,
    streamed: Callable[[], Event],
    queue_url: str,
    broken: str,
) -> None:
    """Records before a broken one are done; those after it are retried."""
    for number in range(4):
        save(f"{number}.jpg", outcome=person(left_wrist_y=0.1))
    event = streamed()
    records = event["Records"]
    numbers = [int(record["dynamodb"]["SequenceNumber"]) for record in records]
    assert numbers == sorted(set(numbers))
    whole = records[2]["dynamodb"]["NewImage"]["pose_landmarks"]["B"]
    records[2]["dynamodb"]["NewImage"]["pose_landmarks"]["B"] = broken

    answer = consumer.handler(event, None)

    assert answer == {"batchItemFailures": [number_of(records[2])]}
    assert keys_in(queue_url) == ["0.jpg", "1.jpg"]
    records[2]["dynamodb"]["NewImage"]["pose_landmarks"]["B"] = whole
    assert consumer.handler({"Records": records[2:]}, None) == {"batchItemFailures": []}
    assert keys_in(queue_url) == ["2.jpg", "3.jpg"]


def test_a_failing_queue_loses_no_record(
    consumer: ModuleType,
    save: Save,
    streamed: Callable[[], Event],
    queue_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A record that can't be sent is retried."""
    save("photo.jpg", outcome=person(left_wrist_y=0.1))
    event = streamed()
    monkeypatch.setenv("RAISED_HANDS_QUEUE_URL", f"{queue_url}-that-is-not-there")
    assert consumer.handler(event, None)["batchItemFailures"] == [number_of(event["Records"][0])]
