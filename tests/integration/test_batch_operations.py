"""S3 Batch Operations: each task's result says whether to try again."""

import pytest

from landmarks.errors import MessageError
from tests.conftest import MakeHandler
from tests.events import Event, batch_operation
from tests.fakes import Cloud, Context, RiggedDetectors, metrics, never, nobody, person
from worker.handler import Handler

every_schema = pytest.mark.parametrize("schema", ["1.0", "2.0"])


def results(handler: Handler, event: Event, seconds: float = 30) -> list[tuple[str, str]]:
    """The code and the words of each task's result, in the tasks' order."""
    answer = handler.handle(event, Context(seconds))
    assert answer["invocationSchemaVersion"] == event["invocationSchemaVersion"]
    assert answer["invocationId"] == event["invocationId"]
    assert answer["treatMissingKeysAs"] == "TemporaryFailure"
    found = answer["results"]
    assert [result["taskId"] for result in found] == [task["taskId"] for task in event["tasks"]]
    return [(result["resultCode"], result["resultString"]) for result in found]


@every_schema
def test_each_task_has_its_own_result(schema: str, cloud: Cloud, handler: Handler) -> None:
    """What succeeded, what will never, and what to try again."""
    cloud.put("a b+ü.jpg", person())
    cloud.put("100%.png", nobody())
    cloud.put("notes.txt", b"words")
    cloud.put("folder/", b"")
    keys = ["a b+ü.jpg", "100%.png", "notes.txt", "missing.jpg", "folder/"]

    found = results(handler, batch_operation(*keys, bucket=cloud.stack.bucket, schema=schema))

    assert [code for code, _ in found] == [
        "Succeeded",
        "Succeeded",
        "PermanentFailure",
        "TemporaryFailure",
        "Succeeded",
    ]
    words = [text for _, text in found]
    assert words[:2] == ["detected", "not_detected"]
    assert words[2].startswith("NOT_AN_IMAGE: ")
    assert words[3].startswith("OBJECT_NOT_FOUND: ")
    assert words[4] == "ignored"
    assert cloud.statuses() == {
        "a b+ü.jpg": "detected",
        "100%.png": "not_detected",
        "notes.txt": "failed",
    }
    assert cloud.item("100%.png")["job_id"] == {"S": "f3cc4f60-61f6-4a2b-8a21-d07600c373ce"}


def test_deleted_object_is_a_permanent_failure(
    cloud: Cloud, handler: Handler, deleted: str
) -> None:
    """S3 need not try it again."""
    event = batch_operation(deleted, bucket=cloud.stack.bucket)

    assert results(handler, event) == [("PermanentFailure", "OBJECT_DELETED: gone")]


def test_object_that_is_done_is_skipped_unless_forced(
    cloud: Cloud, make_handler: MakeHandler
) -> None:
    """The user's argument `force` processes it again."""
    cloud.put("photo.png", nobody())
    event = batch_operation("photo.png", bucket=cloud.stack.bucket)
    assert results(make_handler(), event) == [("Succeeded", "not_detected")]

    assert results(make_handler(RiggedDetectors(never)), event) == [("Succeeded", "duplicate")]

    force = {"force": "true"}
    forced = batch_operation("photo.png", bucket=cloud.stack.bucket, schema="2.0", arguments=force)
    assert results(make_handler(), forced) == [("Succeeded", "not_detected")]


def test_version_of_the_manifest_is_read(cloud: Cloud, handler: Handler) -> None:
    """A manifest with versions names which content is meant."""
    cloud.keep_versions()
    old = cloud.put("photo.png", nobody())
    cloud.put("photo.png", b"words")
    event = batch_operation("photo.png", bucket=cloud.stack.bucket, version_id=old.version_id)

    assert results(handler, event) == [("Succeeded", "not_detected")]
    assert cloud.item("photo.png")["version_id"] == {"S": old.version_id}


def test_access_point_is_a_bucket(make_handler: MakeHandler) -> None:
    """Its ARN is its name; another ARN's last part is the bucket's."""
    handler = make_handler(ALLOWED_BUCKETS="photos")
    event = batch_operation("k", "l", "m")
    point = "arn:aws:s3:us-west-2:123456789012:accesspoint/photos"
    arns = [point, "arn:aws-cn:s3:::elsewhere", "arn:aws:s3:::a/b"]
    for task, arn in zip(event["tasks"], arns, strict=True):
        task["s3BucketArn"] = arn

    assert results(handler, event) == [
        ("PermanentFailure", f"INVALID_MESSAGE: bucket: {point} is not allowed here"),
        ("PermanentFailure", "INVALID_MESSAGE: bucket: elsewhere is not allowed here"),
        ("PermanentFailure", "INVALID_MESSAGE: s3BucketArn: not a valid S3 bucket name: 'a/b'"),
    ]


@every_schema
@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("s3Key", "%FF.jpg", "s3Key: not UTF-8: '%FF.jpg'"),
        ("s3Key", None, "s3Key: missing"),
        ("s3VersionId", 7, "s3VersionId: expected a string, got a number"),
    ],
)
def test_unreadable_task_fails_for_good(
    schema: str,
    field: str,
    value: object,
    reason: str,
    cloud: Cloud,
    handler: Handler,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The reason is in the report, and the other tasks are done."""
    cloud.put("photo.png", nobody())
    event = batch_operation("k", "photo.png", bucket=cloud.stack.bucket, schema=schema)
    event["tasks"][0][field] = value

    assert results(handler, event) == [
        ("PermanentFailure", f"INVALID_MESSAGE: {reason}"),
        ("Succeeded", "not_detected"),
    ]
    assert metrics(capsys.readouterr().out)["Rejected"] == [1]


def test_too_little_time_is_a_temporary_failure(cloud: Cloud, handler: Handler) -> None:
    """S3 tries the task again before the job ends."""
    cloud.put("photo.png", nobody())
    event = batch_operation("photo.png", bucket=cloud.stack.bucket)

    ((code, words),) = results(handler, event, seconds=0.5)

    assert code == "TemporaryFailure"
    assert words.startswith("DEADLINE_EXCEEDED: ")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"tasks": []}, "tasks: expected a list"),
        ({"tasks": ["k"]}, "tasks[]: expected an object, got a string"),
        ({"tasks": [{}]}, "taskId: missing"),
        ({"invocationId": None}, "invocationId: missing"),
        ({"invocationSchemaVersion": 2}, "invocationSchemaVersion: expected a string"),
    ],
)
def test_event_that_can_have_no_answer_raises(
    change: dict[str, object], reason: str, handler: Handler
) -> None:
    """Without tasks and ids there is nothing to answer, and nothing may count as done."""
    with pytest.raises(MessageError) as caught:
        handler.handle(batch_operation("k") | change, Context())
    assert reason in str(caught.value)
