"""Late, repeated and unordered events: the newest content is processed once and kept."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.conftest import MakeHandler
from tests.events import eventbridge_created, s3_notification
from tests.fakes import (
    Cloud,
    RiggedDetectors,
    Version,
    closed_port,
    deliver,
    never,
    nobody,
    seen_nobody,
)
from worker.handler import Handler
from worker.result import Detection

KEY = "photo.png"
MODIFIED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
LATER = MODIFIED + timedelta(seconds=1)

BOTH_ORDERS = pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["in order", "reversed"])


def notification(cloud: Cloud, version: Version, sequencer: str) -> dict[str, Any]:
    """Return S3's event for one content."""
    return s3_notification(
        KEY,
        bucket=cloud.stack.bucket,
        etag=version.etag,
        version_id=version.version_id,
        sequencer=sequencer,
    )


def upload(cloud: Cloud, *shades: int, modified: tuple[datetime, ...] = ()) -> list[Version]:
    """Upload one content after another, by default within the same second."""
    versions = [cloud.put(KEY, nobody(shade)) for shade in shades]
    cloud.set_modified(KEY, *(modified or [MODIFIED] * len(shades)))
    return versions


@BOTH_ORDERS
@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("0055AED6DCD90281E5", "0055AED6DCD90281E6"),
        ("0055AED6DCD90281", "0055AED6DCD9028101"),
        ("0055AED6DCD90281E5", "0055AED6DCD903"),
        ("0055aed6dcd902819f", "0055AED6DCD90281A0"),
    ],
    ids=["equal length", "newer is longer", "newer is shorter", "lower case"],
)
def test_sequencers_decide_which_content_is_newer(
    older: str, newer: str, order: tuple[int, int], cloud: Cloud, handler: Handler
) -> None:
    """Sequencers are compared padded with zeros, regardless of modified times."""
    cloud.keep_versions()
    versions = upload(cloud, 1, 2, modified=(LATER, MODIFIED))
    pairs = zip(versions, (older, newer), strict=True)
    events = [notification(cloud, version, sequencer) for version, sequencer in pairs]

    for place in order:
        assert deliver(handler, events[place]) == []

    item = cloud.item(KEY)
    assert (item["etag"]["S"], item["version_id"]["S"]) == versions[1]
    assert item["sequencer"] == {"S": newer.upper().ljust(32, "0")}


@BOTH_ORDERS
def test_order_within_a_batch_does_not_matter_either(
    order: tuple[int, int], cloud: Cloud, handler: Handler
) -> None:
    """Two jobs for the same object don't run at the same time."""
    cloud.keep_versions()
    versions = upload(cloud, 1, 2)
    events = [
        notification(cloud, versions[0], "0055AED6DCD90281E5"),
        notification(cloud, versions[1], "0055AED6DCD90281E6"),
    ]

    assert deliver(handler, *(events[place] for place in order)) == []

    assert cloud.item(KEY)["etag"] == {"S": versions[1].etag}


@BOTH_ORDERS
def test_modified_times_decide_where_there_are_no_sequencers(
    order: tuple[int, int], cloud: Cloud, handler: Handler
) -> None:
    """Of two versions requested by a producer, the one modified later is kept."""
    cloud.keep_versions()
    versions = upload(cloud, 1, 2, modified=(MODIFIED, LATER))

    for place in order:
        assert deliver(handler, {"key": KEY, "version_id": versions[place].version_id}) == []

    item = cloud.item(KEY)
    assert (item["etag"]["S"], item["version_id"]["S"]) == versions[1]
    assert item["source_last_modified"] == {"S": "2026-01-02T03:04:06Z"}


@BOTH_ORDERS
def test_modified_times_decide_where_one_has_no_sequencer(
    order: tuple[int, int], cloud: Cloud, handler: Handler
) -> None:
    """An event for the older version doesn't replace the newer result."""
    cloud.keep_versions()
    versions = upload(cloud, 1, 2, modified=(MODIFIED, LATER))
    messages = [notification(cloud, versions[0], "0055AED6DCD90281E5"), {"key": KEY}]

    for place in order:
        assert deliver(handler, messages[place]) == []

    assert cloud.item(KEY)["etag"] == {"S": versions[1].etag}
    assert "sequencer" not in cloud.item(KEY)


def test_older_content_is_not_detected(cloud: Cloud, make_handler: MakeHandler) -> None:
    """A late event costs no detection."""
    cloud.keep_versions()
    versions = upload(cloud, 1, 2)
    deliver(make_handler(), notification(cloud, versions[1], "0B"))

    late = notification(cloud, versions[0], "0A")

    assert deliver(make_handler(RiggedDetectors(never)), late) == []
    assert cloud.item(KEY)["etag"] == {"S": versions[1].etag}


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_content_that_returns_ends_as_the_newest(
    order: tuple[int, ...], cloud: Cloud, handler: Handler
) -> None:
    """With contents A, B and A again, the second A is kept in any order of events."""
    cloud.keep_versions()
    versions = upload(cloud, 1, 2, 1)
    sequencers = ("0055AED6DCD902", "0055AED6DCD903", "0055AED6DCD904")
    pairs = zip(versions, sequencers, strict=True)
    events = [notification(cloud, version, sequencer) for version, sequencer in pairs]

    for place in order:
        assert deliver(handler, events[place]) == []

    item = cloud.item(KEY)
    assert (item["etag"]["S"], item["version_id"]["S"]) == versions[2]
    assert item["sequencer"]["S"].rstrip("0") == sequencers[2]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0)])
def test_content_that_returns_ends_as_the_newest_without_versions(
    order: tuple[int, ...], cloud: Cloud, handler: Handler
) -> None:
    """Without versioning, each event reads the current content."""
    (first,) = upload(cloud, 1)
    events = [notification(cloud, first, "0A")]
    (second,) = upload(cloud, 2)
    events.append(notification(cloud, second, "0B"))
    (third,) = upload(cloud, 1)
    events.append(notification(cloud, third, "0C"))

    for place in order:
        assert deliver(handler, events[place]) == []

    assert cloud.item(KEY)["etag"] == {"S": third.etag}


def test_event_about_replaced_content_leaves_no_sequencer(cloud: Cloud, handler: Handler) -> None:
    """The current content is stored without one, and its own event still counts."""
    (old,) = upload(cloud, 1)
    (new,) = upload(cloud, 2)

    assert deliver(handler, notification(cloud, old, "0A")) == []
    assert cloud.item(KEY)["etag"] == {"S": new.etag}
    assert "sequencer" not in cloud.item(KEY)

    assert deliver(handler, notification(cloud, new, "0B")) == []
    assert cloud.item(KEY)["sequencer"] == {"S": "0B".ljust(32, "0")}


def test_events_about_replaced_contents_detect_the_current_one_once(
    cloud: Cloud, make_handler: MakeHandler
) -> None:
    """Two late events for replaced contents lead to one detection."""
    gone = [cloud.put(KEY, nobody(shade)) for shade in (1, 2)]
    present = cloud.put(KEY, nobody(3))
    events = [notification(cloud, version, f"0055AED6DCD9028{n}") for n, version in enumerate(gone)]
    assert deliver(make_handler(), events[0]) == []

    assert deliver(make_handler(RiggedDetectors(never)), events[1]) == []

    assert cloud.item(KEY)["etag"] == {"S": present.etag}


@pytest.mark.parametrize("form", ["S3", "EventBridge"])
def test_event_that_comes_twice_is_not_even_fetched(
    form: str, cloud: Cloud, make_handler: MakeHandler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A repeated event needs neither S3 nor a detector."""
    (version,) = upload(cloud, 1)
    event = (
        notification(cloud, version, "0A")
        if form == "S3"
        else eventbridge_created(KEY, bucket=cloud.stack.bucket, etag=version.etag, sequencer="0A")
    )
    deliver(make_handler(), event)
    before = cloud.item(KEY)

    with closed_port() as nowhere:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", nowhere)
        assert deliver(make_handler(RiggedDetectors(never)), event, receive_count=2) == []

    assert cloud.item(KEY) == before


def test_same_content_asked_again_is_not_detected_again(
    cloud: Cloud, make_handler: MakeHandler
) -> None:
    """Without an ETag in the message, S3 says that the content is unchanged."""
    upload(cloud, 1)
    deliver(make_handler(), {"key": KEY})
    before = cloud.item(KEY)

    assert deliver(make_handler(RiggedDetectors(never)), {"key": KEY, "job_id": "again"}) == []

    assert cloud.item(KEY) == before


def test_new_content_is_detected(cloud: Cloud, handler: Handler) -> None:
    """Changed content is not a duplicate."""
    upload(cloud, 1)
    deliver(handler, {"key": KEY})
    (version,) = upload(cloud, 2, modified=(LATER,))

    assert deliver(handler, {"key": KEY}) == []

    assert cloud.item(KEY)["etag"] == {"S": version.etag}


def test_force_detects_the_same_content_again(cloud: Cloud, handler: Handler) -> None:
    """The item is replaced."""
    upload(cloud, 1)
    deliver(handler, {"key": KEY, "job_id": "first"})

    assert deliver(handler, {"key": KEY, "job_id": "second", "force": True}) == []

    assert cloud.item(KEY)["job_id"] == {"S": "second"}


def test_version_left_by_a_deletion_is_processed_by_force(cloud: Cloud, handler: Handler) -> None:
    """Force replaces a deleted version's result with the older version's, and its version id."""
    cloud.keep_versions()
    versions = upload(cloud, 1, 2, modified=(MODIFIED, LATER))
    deliver(handler, notification(cloud, versions[1], "0B"))
    cloud.remove_version(KEY, versions[1])

    assert deliver(handler, {"key": KEY}) == []
    assert cloud.item(KEY)["etag"] == {"S": versions[1].etag}
    assert deliver(handler, {"key": KEY, "force": True}) == []

    item = cloud.item(KEY)
    assert (item["etag"]["S"], item["version_id"]["S"]) == versions[0]
    assert item["source_last_modified"] == {"S": "2026-01-02T03:04:05Z"}


def test_force_does_not_replace_what_was_stored_meanwhile(
    cloud: Cloud, make_handler: MakeHandler
) -> None:
    """Newer content stored while a forced job runs is kept."""
    upload(cloud, 1)
    deliver(make_handler(), {"key": KEY})
    other = make_handler()

    def overtaken(_content: bytes, _deadline: float) -> Detection:
        upload(cloud, 2, modified=(LATER,))
        deliver(other, {"key": KEY})
        return seen_nobody()

    handler = make_handler(RiggedDetectors(overtaken))
    assert deliver(handler, {"key": KEY, "job_id": "forced", "force": True}) == []

    item = cloud.item(KEY)
    assert item["source_last_modified"] == {"S": "2026-01-02T03:04:06Z"}
    assert "job_id" not in item


def test_other_options_detect_the_same_content_again(
    cloud: Cloud, make_handler: MakeHandler
) -> None:
    """A result with other options does not count as done."""
    upload(cloud, 1)
    deliver(make_handler(), {"key": KEY})
    before = cloud.item(KEY)

    assert deliver(make_handler(MIN_LANDMARK_CONFIDENCE="0.6"), {"key": KEY}) == []

    after = cloud.item(KEY)
    assert after["options_hash"] != before["options_hash"]
    assert after["model"]["M"]["min_landmark_confidence"] == {"N": "0.6"}


def test_failed_content_is_processed_again(cloud: Cloud, make_handler: MakeHandler) -> None:
    """Failed content is retried, because a new release may handle it."""
    cloud.put(KEY, nobody() + bytes(1000))
    deliver(make_handler(MAX_IMAGE_BYTES="1000"), {"key": KEY})
    assert cloud.statuses() == {KEY: "failed"}

    assert deliver(make_handler(), {"key": KEY}) == []

    item = cloud.item(KEY)
    assert item["status"] == {"S": "not_detected"}
    assert not {"error_code", "error_message"} & item.keys()


def test_archived_object_fails_until_it_is_restored(cloud: Cloud, handler: Handler) -> None:
    """The item says why it failed, and the event after the restore processes it."""
    version = cloud.put(KEY, nobody(), storage_class="GLACIER")

    assert deliver(handler, notification(cloud, version, "0A")) == []

    item = cloud.item(KEY)
    assert (item["status"], item["error_code"]) == ({"S": "failed"}, {"S": "OBJECT_ARCHIVED"})
    assert item["etag"] == {"S": version.etag}

    cloud.restore(KEY)
    restored = s3_notification(
        KEY,
        bucket=cloud.stack.bucket,
        etag=version.etag,
        sequencer="",
        event_name="ObjectRestore:Completed",
    )
    assert deliver(handler, restored) == []
    assert cloud.statuses() == {KEY: "not_detected"}


def test_object_that_was_done_and_is_archived_is_a_duplicate(
    cloud: Cloud, handler: Handler
) -> None:
    """The result is kept, because S3 still returns the object's identity."""
    upload(cloud, 1)
    deliver(handler, {"key": KEY})
    before = cloud.item(KEY)
    cloud.put(KEY, nobody(1), storage_class="GLACIER")
    cloud.set_modified(KEY, MODIFIED)

    assert deliver(handler, {"key": KEY}) == []

    assert cloud.item(KEY) == before


def test_item_begun_by_someone_else_is_completed(cloud: Cloud, handler: Handler) -> None:
    """An item that an application created does not block the result."""
    upload(cloud, 1)
    cloud.put_item({"object_key": {"S": KEY}, "bucket": {"S": cloud.stack.bucket}})

    assert deliver(handler, {"key": KEY}) == []

    assert cloud.statuses() == {KEY: "not_detected"}


def test_same_key_in_two_buckets_is_two_items(cloud: Cloud, handler: Handler) -> None:
    """Two buckets never collide, and one query by key finds both."""
    upload(cloud, 1)
    other = f"{cloud.stack.bucket}-other"
    cloud.make_bucket(other)
    cloud.put(KEY, nobody(2), bucket=other)

    assert deliver(handler, {"key": KEY}, {"key": KEY, "bucket": other}) == []

    assert [item["bucket"]["S"] for item in cloud.items(KEY)] == [cloud.stack.bucket, other]
