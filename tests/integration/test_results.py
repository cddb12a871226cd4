"""The results table's contract with readers: each attribute's name, type and meaning."""

import json
import os
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, HTTPClientError

from bench.items import item_bytes, write_units
from landmarks.enums import LandmarkEncoding
from landmarks.errors import (
    AccessDeniedError,
    KeyUnavailableError,
    ObjectNotFoundError,
    ServiceError,
    TooManyPixelsError,
    TransientError,
)
from landmarks.groups import GROUPS, Landmarks, MaskPlace
from landmarks.item import item_as_json, landmarks_of
from landmarks.job import Job
from tests.fakes import LONGEST_KEY, Cloud, Item, seen_nobody, seen_person
from worker.model import ModelOptions, options_hash
from worker.result import Detection, ObjectIdentity, Result
from worker.table import ResultsTable

KEY = "photo.jpg"
MODIFIED = datetime(2026, 1, 2, 5, 4, 5, tzinfo=timezone(timedelta(hours=2)))

REQUIRED = {
    "object_key": "S",
    "bucket": "S",
    "prefix": "S",
    "status": "S",
    "image": "M",
    "etag": "S",
    "source_last_modified": "S",
    "model": "M",
    "options_hash": "S",
    "attempts": "N",
    "processed_at": "S",
    "duration_ms": "M",
    "schema_version": "N",
}
OF_A_PERSON = {
    "pose_landmarks": "B",
    "pose_world_landmarks": "B",
    "face_landmarks": "B",
    "left_hand_landmarks": "B",
    "right_hand_landmarks": "B",
    "pose_score": "N",
    "bounding_box": "M",
}
OF_A_MESSAGE = {"job_id": "S", "message_id": "S", "version_id": "S", "sequencer": "S"}


def result(**changes: Any) -> Result:  # noqa: ANN401, any fields
    """Return a result with defaults except for `changes`."""
    identity = ObjectIdentity(etag="feed", last_modified=MODIFIED, size_bytes=4711)
    usual = Result(
        job=Job("photos", KEY),
        identity=identity,
        outcome=seen_nobody(),
        fetch_ms=12,
        detect_ms=34,
        total_ms=56,
    )
    return replace(usual, **changes)


def full_result(key: str = KEY) -> Result:
    """Return a result with all attributes."""
    return result(
        job=Job(
            "photos",
            key,
            "v1",
            "feed",
            "0055AED6DCD90281E5",
            "order-7",
            message_id="00000000-0000-4000-8000-000000000000",
            attempts=2,
        ),
        identity=ObjectIdentity("feed", MODIFIED, 4711, "v1", "0055AED6DCD90281E5"),
        outcome=seen_person(),
    )


def types(item: Item) -> dict[str, str]:
    """Return DynamoDB's type of each attribute."""
    return {name: next(iter(value)) for name, value in item.items()}


@pytest.fixture
def table(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> ResultsTable:
    """The test's table with the default options, as on x86-64."""
    monkeypatch.setattr("worker.table.architecture", lambda: "x86_64")
    monkeypatch.setattr("worker.table.mediapipe_version", lambda: "0.10.21")
    return ResultsTable(cloud.stack.table, ModelOptions())


def test_item_of_a_person_has_every_attribute(cloud: Cloud, table: ResultsTable) -> None:
    """All names and types are there, and no others."""
    assert table.save(full_result())

    item = cloud.item(KEY)
    assert types(item) == {**REQUIRED, **OF_A_PERSON, **OF_A_MESSAGE}
    sizes = {name: len(item[name]["B"]) for name, kind in OF_A_PERSON.items() if kind == "B"}
    assert sizes == {
        "pose_landmarks": 33 * 4 * 4,
        "pose_world_landmarks": 33 * 4 * 4,
        "face_landmarks": 468 * 3 * 4,
        "left_hand_landmarks": 21 * 3 * 4,
        "right_hand_landmarks": 21 * 3 * 4,
    }


def test_values_are_what_the_reader_is_promised(cloud: Cloud, table: ResultsTable) -> None:
    """Everything except the landmarks is as documented."""
    before = datetime.now(UTC)
    table.save(full_result())

    item = cloud.item(KEY)
    processed_at = item.pop("processed_at")["S"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", processed_at)
    age = datetime.fromisoformat(processed_at) - before
    assert timedelta(milliseconds=-1) <= age < timedelta(minutes=1)
    box = {name: float(value["N"]) for name, value in item.pop("bounding_box")["M"].items()}
    assert box.keys() == {"x", "y", "width", "height"}
    assert {name: value for name, value in item.items() if "B" not in value} == {
        "object_key": {"S": KEY},
        "bucket": {"S": "photos"},
        "prefix": {"S": "photos/"},
        "status": {"S": "detected"},
        "pose_score": {"N": "0.987654"},
        "image": {
            "M": {
                "width": {"N": "640"},
                "height": {"N": "480"},
                "format": {"S": "jpeg"},
                "bytes": {"N": "4711"},
            }
        },
        "etag": {"S": "feed"},
        "version_id": {"S": "v1"},
        "sequencer": {"S": "0055AED6DCD90281E500000000000000"},
        "source_last_modified": {"S": "2026-01-02T03:04:05Z"},
        "model": {
            "M": {
                "mediapipe_version": {"S": "0.10.21"},
                "model_complexity": {"N": "2"},
                "refine_face_landmarks": {"BOOL": False},
                "min_detection_confidence": {"N": "0.5"},
                "min_landmark_confidence": {"N": "0.5"},
            }
        },
        "options_hash": {"S": options_hash(ModelOptions())},
        "job_id": {"S": "order-7"},
        "message_id": {"S": "00000000-0000-4000-8000-000000000000"},
        "attempts": {"N": "2"},
        "duration_ms": {"M": {"fetch": {"N": "12"}, "detect": {"N": "34"}, "total": {"N": "56"}}},
        "schema_version": {"N": "1"},
    }


def test_place_of_a_mask_is_stored(cloud: Cloud, table: ResultsTable) -> None:
    """The item and its JSON have the bucket and key."""
    table.save(replace(full_result(), segmentation=MaskPlace("masks", "photos/photo.jpg/feed.png")))

    item = cloud.item(KEY)
    stored = {"bucket": {"S": "masks"}, "key": {"S": "photos/photo.jpg/feed.png"}}
    assert item["segmentation"] == {"M": stored}
    assert item.keys() == {*REQUIRED, *OF_A_PERSON, *OF_A_MESSAGE, "segmentation"}
    read = item_as_json(table.get(Job("photos", KEY)))
    assert read["segmentation"] == {"bucket": "masks", "key": "photos/photo.jpg/feed.png"}


def test_landmarks_are_stored_bit_for_bit(cloud: Cloud, table: ResultsTable) -> None:
    """The bytes are the model's float32 values, little-endian, row by row."""
    awkward = [np.pi, -1e-38, 1e-45, 3.4028235e38, -0.0, np.nextafter(np.float32(1), np.float32(2))]
    pose = np.resize(np.array(awkward, dtype=np.float32), (33, 4))
    detected = Landmarks(pose_landmarks=pose, pose_world_landmarks=pose, pose_score=1.0)
    table.save(result(outcome=Detection(detected, 640, 480, "jpeg")))

    stored = np.frombuffer(cloud.item(KEY)["pose_landmarks"]["B"], dtype="<f4").reshape(33, 4)

    assert stored.tobytes() == pose.tobytes()


def test_landmarks_come_back_bit_for_bit(table: ResultsTable) -> None:
    """Typed reading restores each group's shape."""
    saved = seen_person().landmarks
    table.save(full_result())

    read = landmarks_of(table.get(Job("photos", KEY)))

    assert [group.name for group, _ in read.found()] == [group.name for group in GROUPS]
    for (_, before), (_, after) in zip(saved.found(), read.found(), strict=True):
        assert after.dtype == np.float32
        np.testing.assert_array_equal(after, before)
    assert read.pose_score == round(saved.pose_score or 0, 6)


def test_refined_face_has_ten_more_landmarks(cloud: Cloud, table: ResultsTable) -> None:
    """The irises follow the other 468."""
    table.save(result(outcome=seen_person(points=478)))

    assert len(cloud.item(KEY)["face_landmarks"]["B"]) == 478 * 3 * 4


def test_item_of_nobody_has_no_landmarks(cloud: Cloud, table: ResultsTable) -> None:
    """Groups that were not found have no attribute."""
    table.save(result())

    item = cloud.item(KEY)
    assert types(item) == REQUIRED
    assert item["status"] == {"S": "not_detected"}


def test_groups_that_were_not_found_have_no_attribute(cloud: Cloud, table: ResultsTable) -> None:
    """Missing groups are left out, and so is the box of an invisible pose."""
    hidden = np.zeros((33, 4), dtype=np.float32)
    landmarks = Landmarks(pose_landmarks=hidden, pose_world_landmarks=hidden, pose_score=0.5)
    table.save(result(outcome=Detection(landmarks, 640, 480, "jpeg")))

    found = {"pose_landmarks": "B", "pose_world_landmarks": "B", "pose_score": "N"}
    assert types(cloud.item(KEY)) == REQUIRED | found


def test_item_of_a_failure_says_why(cloud: Cloud, table: ResultsTable) -> None:
    """It has a code, a message and, of the image, only its size in bytes."""
    table.save(result(outcome=TooManyPixelsError("64000000 pixels")))

    item = cloud.item(KEY)
    assert types(item) == REQUIRED | {"error_code": "S", "error_message": "S"}
    assert (item["status"], item["error_code"], item["error_message"], item["image"]) == (
        {"S": "failed"},
        {"S": "TOO_MANY_PIXELS"},
        {"S": "64000000 pixels"},
        {"M": {"bytes": {"N": "4711"}}},
    )


def test_item_of_unknown_content_has_an_empty_etag(cloud: Cloud, table: ResultsTable) -> None:
    """S3 may deny access without revealing the object's ETag."""
    unknown = ObjectIdentity("", MODIFIED, 0)
    assert table.save(result(identity=unknown, outcome=KeyUnavailableError("customer's key")))

    item = cloud.item(KEY)
    assert types(item) == REQUIRED | {"error_code": "S", "error_message": "S"}
    assert (item["etag"], item["image"]) == ({"S": ""}, {"M": {"bytes": {"N": "0"}}})


def test_new_result_leaves_nothing_of_the_old_one(cloud: Cloud, table: ResultsTable) -> None:
    """The whole item is replaced."""
    table.save(full_result())
    table.save(result(identity=replace(full_result().identity, sequencer=None)))

    assert types(cloud.item(KEY)) == REQUIRED | {"version_id": "S"}


def test_results_expire_where_a_retention_is_set(cloud: Cloud) -> None:
    """The TTL attribute is in seconds since 1970."""
    ResultsTable(cloud.stack.table, ModelOptions(), ttl_days=30).save(result())

    expires_at = cloud.item(KEY)["expires_at"]
    due = datetime.fromtimestamp(int(expires_at["N"]), tz=UTC) - timedelta(days=30)
    assert abs(due - datetime.now(UTC)) < timedelta(minutes=1)


def test_fullest_item_costs_eight_write_units(cloud: Cloud, table: ResultsTable) -> None:
    """All groups, an ordinary key and the longest other texts fit into eight units."""
    key = "uploads/2026/01/02/7f3c1e9a-4b1d-4e55-9a53-3f0c3b1f2d77/IMG_20260102_030405.jpg"
    bucket = "landmark-images-f449b250-b969-11e0-a185-5081d0136786"
    etag, version = "9b2cf535f27731c974343645a3985328", "3sL4kqtJlcpXroDTDmJ.rmSpXd3dIbrH"
    full = full_result(key)
    table.save(
        replace(
            full,
            job=replace(full.job, bucket=bucket),
            identity=replace(full.identity, etag=etag, version_id=version),
        )
    )

    assert write_units(cloud.item(key)) == 8


@pytest.mark.parametrize(
    ("key", "units"), [(LONGEST_KEY, 9), (f"{LONGEST_KEY[:-1]}/a", 10)], ids=["flat", "deep"]
)
def test_longest_keys_cost_what_they_take(
    cloud: Cloud, table: ResultsTable, key: str, units: int
) -> None:
    """The longest key costs one more unit, and a folder as long another one."""
    assert len(key.encode()) == 1024
    table.save(full_result(key))

    assert write_units(cloud.item(key)) == units


def test_mask_costs_no_more_write_units(cloud: Cloud, table: ResultsTable) -> None:
    """This holds with all groups and a key of 20 characters."""
    key = "2026/IMG_0304050.jpg"
    place = MaskPlace("segmentation-masks", f"photos/{key}/d41d8cd98f00b204e9800998ecf8427e.png")
    table.save(replace(full_result(key), segmentation=place))

    assert write_units(cloud.item(key)) == 8


@pytest.mark.parametrize(
    ("encoding", "limit"),
    [
        (LandmarkEncoding.BINARY, 131_000),
        (LandmarkEncoding.INT16, 69_000),
        (LandmarkEncoding.MAPS, 353_000),
    ],
)
def test_most_people_fit_into_an_item(encoding: LandmarkEncoding, limit: int) -> None:
    """Sixteen people with all groups and the longest numbers and texts stay below 400 kB."""
    longest = -131071.9921875  # no float32 has more digits when rounded to six decimals
    groups = {g.name: np.full((g.points[-1], len(g.columns)), longest, np.float32) for g in GROUPS}
    person = Landmarks(**groups, pose_score=0.123456, person_score=0.123456)
    key, etag, version = f"{LONGEST_KEY[:-1]}/a", 1000 * "e", 1024 * "v"
    full = full_result()
    largest = replace(
        full,
        job=replace(full.job, bucket=2048 * "b", key=key, job_id=256 * "é"),
        identity=replace(full.identity, etag=etag, version_id=version, sequencer=32 * "F"),
        outcome=Detection(
            person, 16384, 16384, "jpeg", orientation=8, truncated=True, others=15 * (person,)
        ),
        segmentation=MaskPlace(63 * "m", f"{63 * 'b'}/{key}/{etag}.png"),
    )
    table = ResultsTable("any", ModelOptions(max_people=16), ttl_days=30, encoding=encoding)

    size = item_bytes(table.build(largest).serialize())

    assert limit - 3_000 < size < limit  # docs/table.md


@pytest.mark.parametrize(
    "other",
    [
        ModelOptions(model_complexity=1),
        ModelOptions(max_people=2),
        ModelOptions(min_detection_confidence=0.6),
        ModelOptions(min_landmark_confidence=0.6),
        ModelOptions(refine_face_landmarks=True),
        ModelOptions(max_image_side=1920),
        ModelOptions(segmentation=True),
    ],
)
def test_options_hash_differs_with_each_option(other: ModelOptions) -> None:
    """Each option changes the hash."""
    assert options_hash(other) != options_hash(ModelOptions())
    assert re.fullmatch("[0-9a-f]{16}", options_hash(other))


def test_options_hash_depends_on_nothing_else(cloud: Cloud) -> None:
    """Retention, table, job, content and process don't change the hash."""
    tables = [ResultsTable(cloud.stack.table, ModelOptions(), ttl_days=days) for days in (None, 9)]
    hashes = []
    for table, outcome in zip(tables, (result(), full_result()), strict=True):
        table.save(outcome)
        hashes.append(cloud.item(KEY)["options_hash"]["S"])

    assert set(hashes) == {options_hash(ModelOptions())}
    # If this changes, all stored objects will be processed again: do their landmarks differ?
    assert hashes[0] == "986c0c82e5ed8bb5"
    assert options_hash(ModelOptions(segmentation=False)) == hashes[0]


def test_processors_share_a_queue(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """What arm64 has done counts as done on x86-64; only the model tells where it was computed."""
    monkeypatch.setattr("worker.model.mediapipe_version", lambda: "0.10.18")
    monkeypatch.setattr("worker.table.mediapipe_version", lambda: "0.10.18")
    monkeypatch.setattr(os, "uname", lambda: SimpleNamespace(machine="aarch64"))
    table = ResultsTable(cloud.stack.table, ModelOptions())
    table.save(full_result())

    item = cloud.item(KEY)
    assert item["options_hash"] == {"S": "986c0c82e5ed8bb5"}
    assert item["model"]["M"]["mediapipe_version"] == {"S": "0.10.18"}
    assert item["model"]["M"]["architecture"] == {"S": "arm64"}
    assert table.get(Job("photos", KEY)).model.architecture == "arm64"


def test_without_an_architecture_it_is_x86_64(cloud: Cloud, table: ResultsTable) -> None:
    """As in all items from before there was another."""
    table.save(full_result())

    assert "architecture" not in cloud.item(KEY)["model"]["M"]
    assert table.get(Job("photos", KEY)).model.architecture == "x86_64"


def test_item_as_json_has_its_landmarks_decoded(cloud: Cloud) -> None:
    """Landmarks have MediaPipe's JSON form."""
    table = ResultsTable(cloud.stack.table, ModelOptions(), ttl_days=30)
    table.save(full_result())

    item = json.loads(json.dumps(item_as_json(table.get(Job("photos", KEY))), allow_nan=False))

    assert item.keys() == {*REQUIRED, *OF_A_PERSON, *OF_A_MESSAGE, "expires_at"}
    for group, array in seen_person().landmarks.found():
        rows = [list(landmark.values()) for landmark in item[group.name]["landmark"]]
        np.testing.assert_array_equal(np.array(rows, dtype=np.float32), array)
        assert list(item[group.name]["landmark"][0]) == list(group.columns)
    assert (item["attempts"], item["schema_version"]) == (2, 1)
    assert item["image"] == {"width": 640, "height": 480, "format": "jpeg", "bytes": 4711}
    assert isinstance(item["expires_at"], int)


@pytest.mark.parametrize("outcome", [seen_nobody(), TooManyPixelsError("64000000 pixels")])
def test_item_as_json_leaves_out_missing_landmarks(
    outcome: Detection | TooManyPixelsError, table: ResultsTable
) -> None:
    """Missing groups are left out instead of null."""
    table.save(result(outcome=outcome))

    item = item_as_json(table.get(Job("photos", KEY)))

    assert json.dumps(item)
    assert not OF_A_PERSON.keys() & item.keys()


def test_older_result_is_refused_and_says_so(cloud: Cloud, table: ResultsTable) -> None:
    """`save` returns false, and the stored item is unchanged."""
    newer = result(identity=replace(result().identity, last_modified=MODIFIED + timedelta(days=1)))
    assert table.save(newer)
    before = cloud.item(KEY)

    assert not table.save(result())

    assert cloud.item(KEY) == before


@pytest.mark.parametrize(
    ("stored", "new", "is_stored"),
    [
        (("0B", 1), ("0A", 2), False),
        (("0B", 1), ("0B", 0), True),
        (("0B", 1), ("0C", 0), True),
        (("0B", 1), (None, 0), False),
        (("0B", 1), (None, 1), True),
        ((None, 1), ("0A", 0), False),
        ((None, 1), ("0A", 1), True),
        ((None, 1), (None, 0), False),
        ((None, 1), (None, 1), True),
    ],
)
def test_sequencers_decide_what_is_newer_or_else_dates_do(
    stored: tuple[str | None, int],
    new: tuple[str | None, int],
    is_stored: bool,  # noqa: FBT001, a column of the table above
    table: ResultsTable,
) -> None:
    """DynamoDB's condition and `Stored.is_newer_than` agree."""
    before, after = (
        ObjectIdentity("feed", MODIFIED + timedelta(seconds=seconds), 4711, sequencer=sequencer)
        for sequencer, seconds in (stored, new)
    )
    table.save(result(identity=before))
    known = table.stored(Job("photos", KEY))

    assert known
    assert known.is_newer_than(after) is not is_stored
    assert table.save(result(identity=after)) is is_stored


def test_lookup_of_many_objects_is_that_of_each(cloud: Cloud, table: ResultsTable) -> None:
    """Several requests return all objects, stored or not, one of them twice."""
    jobs = [Job("photos", f"{number:03}.jpg") for number in range(103)]
    for job in jobs[::20]:
        table.save(result(job=job))
    cloud.put_item({"object_key": {"S": "001.jpg"}, "bucket": {"S": "photos"}})  # not the worker's

    together = table.stored_together([*jobs, jobs[0]])

    assert together == {job.object_name: table.stored(job) for job in jobs}
    assert [job.key for job in jobs if together[job.object_name]] == [
        f"{number:03}.jpg" for number in range(0, 103, 20)
    ]


def test_what_dynamodb_leaves_out_is_not_taken_for_missing(
    cloud: Cloud, table: ResultsTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys left out under load are looked up again."""
    jobs = [Job("photos", "one.jpg"), Job("photos", "two.jpg")]
    for job in jobs:
        table.save(result(job=job))
    client = table.item._get_connection().connection.client
    really_call = client._make_api_call

    def leave_out_one(operation: str, request: dict[str, Any]) -> dict[str, Any]:
        asked = request["RequestItems"][cloud.stack.table]
        left_out = {cloud.stack.table: {**asked, "Keys": [asked["Keys"].pop()]}}
        answer: dict[str, Any] = really_call(operation, request)
        return answer | {"UnprocessedKeys": left_out}

    monkeypatch.setattr(client, "_make_api_call", leave_out_one)

    assert table.stored_together(jobs).keys() == {("photos", "one.jpg")}


@pytest.mark.parametrize(
    "answer", [EndpointConnectionError(endpoint_url="nowhere"), {}], ids=["not there", "cut short"]
)
def test_failed_lookup_of_many_says_nothing_about_any(
    answer: Exception | dict[str, Any], table: ResultsTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each job then looks up its own object, and fails on its own."""
    table.connect()
    client = table.item._get_connection().connection.client

    def fail(*_: object) -> dict[str, Any]:
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(client, "_make_api_call", fail)

    assert table.stored_together([Job("photos", "one.jpg"), Job("photos", "two.jpg")]) == {}


def test_missing_item_is_not_found(table: ResultsTable) -> None:
    """A missing item is not a DynamoDB error."""
    with pytest.raises(ObjectNotFoundError, match=r"no result for 'photo\.jpg'"):
        table.get(Job("photos", KEY))


@pytest.mark.parametrize(
    ("cause", "named"),
    [
        (
            ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "GetItem"),
            AccessDeniedError,
        ),
        (
            ClientError({"Error": {"Code": "ThrottlingException", "Message": "no"}}, "GetItem"),
            ServiceError,
        ),
        (
            ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": "no"}}, "Get"),
            ServiceError,
        ),
        (HTTPClientError(error="reset by peer"), ServiceError),
        (EndpointConnectionError(endpoint_url="nowhere"), ServiceError),
    ],
    ids=["denied", "throttled", "no table", "broken off", "unreachable"],
)
def test_errors_of_dynamodb_are_translated(
    cause: Exception,
    named: type[TransientError],
    cloud: Cloud,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Denied access is not an outage, but a missing table is."""
    table = ResultsTable(cloud.stack.table, ModelOptions())
    table.connect()
    client = table.item._get_connection().connection.client

    def fail(*_: object) -> None:
        raise cause

    monkeypatch.setattr(client, "_make_api_call", fail)

    with pytest.raises(named, match=r"^DynamoDB"):
        table.stored(Job("photos", KEY))
