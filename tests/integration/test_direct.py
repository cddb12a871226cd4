"""One image, asked for by name: the answer itself carries the landmarks, or why there are none."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from landmarks.errors import ServiceError
from landmarks.groups import Landmarks
from landmarks.item import landmarks_as_json
from tests.conftest import MakeHandler
from tests.fakes import (
    Cloud,
    Context,
    RiggedDetectors,
    closed_port,
    metrics,
    never,
    nobody,
    person,
    seen_people,
    seen_person,
)
from worker.handler import Handler
from worker.result import Detection
from worker.table import ResultsTable

# Name, number of landmarks, and what each has.
GROUPS = [
    ("pose_landmarks", 33, ["x", "y", "z", "visibility"]),
    ("pose_world_landmarks", 33, ["x", "y", "z", "visibility"]),
    ("face_landmarks", 468, ["x", "y", "z"]),
    ("left_hand_landmarks", 21, ["x", "y", "z"]),
    ("right_hand_landmarks", 21, ["x", "y", "z"]),
]


def ask(handler: Handler, event: Mapping[str, object]) -> tuple[int, str | None, Any]:
    """Invoke directly; return status, message and data of an answer that is JSON and no more."""
    answer = json.loads(json.dumps(handler.handle(event, Context()), allow_nan=False))
    assert answer.keys() == {"statusCode", "body"}
    assert answer["body"].keys() == {"message", "data"}
    return answer["statusCode"], answer["body"]["message"], answer["body"]["data"]


def everything(_content: bytes, _deadline: float) -> Detection:
    """A detection with every group."""
    return seen_person()


def pose_alone(_content: bytes, _deadline: float) -> Detection:
    """A detection of someone whose face and hands are hidden."""
    full = seen_person().landmarks
    landmarks = Landmarks(
        pose_landmarks=full.pose_landmarks,
        pose_world_landmarks=full.pose_world_landmarks,
        pose_score=full.pose_score,
    )
    return Detection(landmarks, 640, 480, "jpeg")


def test_photograph_is_answered_with_landmarks(cloud: Cloud, handler: Handler) -> None:
    """Real landmarks of a real photograph, in the default bucket, and stored as well."""
    cloud.put("a b+c.jpg", person())

    status, message, data = ask(handler, {"key": "a b+c.jpg"})

    assert (status, message) == (200, None)
    nose, left_shoulder, right_shoulder = (
        data["pose_landmarks"]["landmark"][place] for place in (0, 11, 12)
    )
    assert nose["y"] < left_shoulder["y"]
    assert right_shoulder["x"] < nose["x"] < left_shoulder["x"]
    assert nose["visibility"] > 0.9
    assert len(data["face_landmarks"]["landmark"]) == 468
    item = cloud.item("a b+c.jpg")
    assert item["status"] == {"S": "detected"}
    assert "message_id" not in item


def test_answer_has_every_group_in_the_form_of_mediapipe(
    cloud: Cloud, make_handler: MakeHandler
) -> None:
    """Each group is a list of landmarks with named coordinates."""
    cloud.put("photo.png", nobody())

    _, _, data = ask(make_handler(RiggedDetectors(everything)), {"key": "photo.png"})

    groups = [
        (name, len(group["landmark"]), list(group["landmark"][0])) for name, group in data.items()
    ]
    assert groups == GROUPS
    assert all(group.keys() == {"landmark"} for group in data.values())


def test_groups_that_were_not_found_are_null(cloud: Cloud, make_handler: MakeHandler) -> None:
    """Every group is present, so that readers need not check."""
    cloud.put("photo.png", nobody())

    _, _, data = ask(make_handler(RiggedDetectors(pose_alone)), {"key": "photo.png"})

    assert [name for name, group in data.items() if group is None] == [
        "face_landmarks",
        "left_hand_landmarks",
        "right_hand_landmarks",
    ]
    assert list(data) == [name for name, _, _ in GROUPS]


def test_answer_has_everyone(cloud: Cloud, make_handler: MakeHandler) -> None:
    """Other people have the same form, and the box detector's score; asked again, too."""
    cloud.put("photo.png", nobody())
    handler = make_handler(RiggedDetectors(lambda *_: seen_people()), MAX_PEOPLE="8")

    first = ask(handler, {"key": "photo.png"})
    second = ask(make_handler(RiggedDetectors(never), MAX_PEOPLE="8"), {"key": "photo.png"})

    assert second == first
    _, _, data = first
    groups = [name for name, _, _ in GROUPS]
    assert list(data) == [*groups, "person_score", "other_people"]
    assert [list(person) for person in data["other_people"]] == 2 * [[*groups, "person_score"]]
    scores = [person["person_score"] for person in (data, *data["other_people"])]
    assert scores == pytest.approx([0.9, 0.89, 0.88])
    seen = seen_people().others[1]
    assert data["other_people"][1] == landmarks_as_json(seen) | {"person_score": scores[2]}


@pytest.mark.parametrize("detect", [everything, pose_alone])
def test_asked_again_the_answer_is_the_same(
    detect: Any,  # noqa: ANN401, one of the functions above
    cloud: Cloud,
    make_handler: MakeHandler,
) -> None:
    """The second answer comes from the table, to the last digit, without a detection."""
    cloud.put("photo.png", nobody())
    first = ask(make_handler(RiggedDetectors(detect)), {"key": "photo.png"})

    second = ask(make_handler(RiggedDetectors(never)), {"key": "photo.png"})

    assert second == first
    assert first[0] == 200


def test_bucket_and_job_id_may_be_named(cloud: Cloud, handler: Handler) -> None:
    """The other fields of queue messages work here, too."""
    other = f"{cloud.stack.bucket}-other"
    cloud.make_bucket(other)
    cloud.put("photo.jpg", person(), bucket=other)

    status, _, _ = ask(handler, {"bucket": other, "key": "photo.jpg", "job_id": "order-7"})

    item = cloud.item("photo.jpg")
    assert (status, item["bucket"], item["job_id"]) == (200, {"S": other}, {"S": "order-7"})


@pytest.mark.parametrize(
    ("event", "message"),
    [
        ({}, "key: missing"),
        ({"bucket": "photos"}, "key: missing"),
        ({"key": ""}, "key: empty"),
        ({"key": 7}, "key: expected a string, got a number"),
        (
            {"key": "a.jpg", "bucket": "No Bucket"},
            "bucket: not a valid S3 bucket name: 'No Bucket'",
        ),
        ({"key": "a.jpg", "job_id": 7}, "job_id: expected a string, got a number"),
    ],
)
def test_request_without_a_key_is_400(
    event: Mapping[str, object],
    message: str,
    cloud: Cloud,
    handler: Handler,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The answer says which field is wrong, and so does the log; the metrics count it."""
    assert ask(handler, event) == (400, message, None)
    assert cloud.statuses() == {}
    (record,) = caplog.records
    assert record.getMessage() == "event refused"
    assert record.__dict__["error_message"] == message
    assert metrics(capsys.readouterr().out)["Rejected"] == [1]


def test_request_without_a_bucket_is_400_if_there_is_no_default(
    make_handler: MakeHandler,
) -> None:
    """The message names the setting that would help."""
    message = "bucket: missing, and the setting IMAGE_BUCKET is not set"

    assert ask(make_handler(IMAGE_BUCKET=""), {"key": "photo.jpg"}) == (400, message, None)


@pytest.mark.parametrize("bucket", [None, "no-such-bucket"])
def test_missing_object_is_404(bucket: str | None, cloud: Cloud, handler: Handler) -> None:
    """The message names the object, and nothing is stored."""
    status, message, data = ask(handler, {"key": "missing.jpg", "bucket": bucket})

    assert (status, data) == (404, None)
    assert message
    assert message.startswith("OBJECT_NOT_FOUND: S3 has no 'missing.jpg' in bucket")
    assert cloud.statuses() == {}


def test_deleted_object_is_404(handler: Handler, deleted: str) -> None:
    """The message says that it was deleted."""
    assert ask(handler, {"key": deleted}) == (404, "OBJECT_DELETED: gone", None)


def test_folder_marker_is_422(cloud: Cloud, handler: Handler) -> None:
    """It is no image, and nothing is stored."""
    cloud.put("folder/", b"")

    assert ask(handler, {"key": "folder/"}) == (422, "a folder marker, not an image", None)
    assert cloud.statuses() == {}


def test_object_that_is_no_image_is_422(cloud: Cloud, handler: Handler) -> None:
    """The message is the stored error, and a second request gets the same answer."""
    cloud.put("notes.txt", b"words")

    first, second = (ask(handler, {"key": "notes.txt"}) for _ in range(2))

    assert first == second
    assert (first[0], first[2]) == (422, None)
    item = cloud.item("notes.txt")
    assert first[1] == f"{item['error_code']['S']}: {item['error_message']['S']}"


def test_photograph_of_nobody_is_422(cloud: Cloud, handler: Handler) -> None:
    """Also when the answer comes from the table."""
    cloud.put("nobody.png", nobody())

    for _ in range(2):
        assert ask(handler, {"key": "nobody.png"}) == (422, "no person found in the image", None)
    assert cloud.statuses() == {"nobody.png": "not_detected"}


def test_unreachable_dynamodb_is_500(
    cloud: Cloud, make_handler: MakeHandler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message carries the code of what failed."""
    cloud.put("photo.png", nobody())
    with closed_port() as nowhere:
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", nowhere)
        status, message, data = ask(make_handler(), {"key": "photo.png"})

    assert (status, data) == (500, None)
    assert message
    assert message.startswith("SERVICE_UNAVAILABLE: DynamoDB")


def test_dynamodb_that_fails_before_the_answer_is_500(
    cloud: Cloud, make_handler: MakeHandler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stored result that cannot be read back is an error like any other."""
    cloud.put("photo.png", nobody())
    handler = make_handler()
    ask(handler, {"key": "photo.png"})

    def fail(*_: object) -> None:
        raise ServiceError("DynamoDB: ThrottlingException")

    monkeypatch.setattr(ResultsTable, "get", fail)

    message = "SERVICE_UNAVAILABLE: DynamoDB: ThrottlingException"
    assert ask(handler, {"key": "photo.png"}) == (500, message, None)


def test_too_little_time_is_500(cloud: Cloud, handler: Handler) -> None:
    """An invocation that is about to end says so."""
    cloud.put("photo.png", nobody())

    answer = handler.handle({"key": "photo.png"}, Context(0.5))

    message = "DEADLINE_EXCEEDED: not started: not enough time left"
    assert answer == {"statusCode": 500, "body": {"message": message, "data": None}}


def test_unexpected_error_is_500(cloud: Cloud, make_handler: MakeHandler) -> None:
    """The answer has the same shape."""
    cloud.put("photo.png", nobody())

    answer = ask(make_handler(RiggedDetectors(never)), {"key": "photo.png"})

    assert answer == (500, "AssertionError: a detector was called", None)


def test_version_older_than_the_stored_one_is_500(cloud: Cloud, handler: Handler) -> None:
    """Nothing is detected for a result that would not be stored, and the answer says so."""
    cloud.keep_versions()
    old = cloud.put("photo.png", nobody(1))
    cloud.put("photo.png", nobody(2))
    cloud.set_modified("photo.png", *(datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2)))
    ask(handler, {"key": "photo.png"})

    status, message, _ = ask(handler, {"key": "photo.png", "version_id": old.version_id})

    assert (status, message) == (500, "a newer version of this object is already stored")
