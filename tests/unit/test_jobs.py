"""Every envelope decodes to precisely the jobs that it names, anything else is refused."""

import copy
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landmarks.errors import MessageError
from landmarks.job import Job, decode_direct
from tests.events import (
    BUCKET,
    ETAG,
    SEQUENCER,
    Event,
    custom_event,
    eventbridge_created,
    failure_destination,
    payload_pointer,
    s3_notification,
    s3_test_event,
    sns_envelope,
    sns_event,
    sqs_event,
)
from worker.jobs import decode_message

LONGEST_KEY = "é" * 512  # 1,024 bytes of UTF-8

AWKWARD_KEYS = [
    "photos/plain.jpg",
    "a b+c.jpg",
    "100%.jpg",
    "already%20encoded%2B.jpg",
    " leading and trailing ",
    "/../photos//.",
    "überraschung/写真 📷.jpg",
    "e\u0301.jpg",  # a combining accent must not be composed
    'quote"back\\slash?&=#.jpg',
    "nul\0and\x1bescape\n.jpg",
    "x" * 1024,
    LONGEST_KEY,
]


def direct(key: str) -> Event:
    """Return a producer's own message."""
    return {"key": key, "bucket": BUCKET}


def sns(key: str) -> Event:
    """Return an S3 event notification that came through a topic."""
    return sns_envelope(s3_notification(key))


ENVELOPES: dict[str, Callable[[str], Event]] = {
    "direct": direct,
    "notification": s3_notification,
    "eventbridge": eventbridge_created,
    "sns": sns,
}
every_envelope = pytest.mark.parametrize("envelope", ENVELOPES.values(), ids=ENVELOPES.keys())

ODD_SEQUENCERS = ["Happy Sequencer", "12G4", "0x12", " 12", "12\n", "٣"]

# Field of the direct form, malformed value, and what is wrong with it.
MALFORMED_FIELDS = [
    ("job_id", "x" * 257, "job_id: more than 256 characters"),
    ("job_id", "\ud800", "job_id: not UTF-8"),
    ("job_id", 7, "job_id: expected a string, got a number"),
    ("version_id", "", "version_id: empty"),
    ("version_id", "v" * 1025, "version_id: 1,025 bytes"),
    ("version_id", ["v"], "version_id: expected a string, got a list"),
    ("force", "true", "force: expected true or false, got a string"),
    ("force", 1, "force: expected true or false, got a number"),
]


def decode(message: object, default_bucket: str | None = None) -> tuple[Job, ...]:
    """Decode a message given as the value that its JSON stands for."""
    return decode_message(json.dumps(message), default_bucket=default_bucket)


def refusal(body: str) -> str:
    """Return the reason for which a body is refused."""
    with pytest.raises(MessageError) as caught:
        decode_message(body, default_bucket="fallback")
    return str(caught.value)


def set_in(message: Event, path: str, value: object) -> Event:
    """Replace one nested value; an Ellipsis as the value removes it."""
    *parents, last = path.split(".")
    place: Any = message
    for step in parents:
        place = place[int(step) if isinstance(place, list) else step]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return message


class TestEveryEnvelope:
    """What holds for every message, whatever its sender."""

    @every_envelope
    @pytest.mark.parametrize("key", AWKWARD_KEYS)
    def test_the_key_arrives_as_it_is_in_s3(
        self, envelope: Callable[[str], Event], key: str
    ) -> None:
        """A key of any characters and up to 1,024 bytes names precisely that object."""
        assert [job.key for job in decode(envelope(key))] == [key]

    @every_envelope
    @pytest.mark.parametrize("key", ["x" * 1025, LONGEST_KEY + "x"])
    def test_a_key_over_the_limit_is_refused(
        self, envelope: Callable[[str], Event], key: str
    ) -> None:
        """A key of 1,025 bytes is one that S3 cannot hold, whatever its characters."""
        assert "key: 1,025 bytes" in refusal(json.dumps(envelope(key)))

    @every_envelope
    def test_an_empty_key_is_refused(self, envelope: Callable[[str], Event]) -> None:
        """An empty key names no object."""
        assert refusal(json.dumps(envelope(""))) == "key: empty"

    @pytest.mark.parametrize(
        "message",
        [
            direct("\ud800.jpg"),
            eventbridge_created("\ud800.jpg"),
            set_in(s3_notification("k"), "Records.0.s3.object.key", "\ud800.jpg"),
            set_in(s3_notification("k"), "Records.0.s3.object.key", "%ED%A0%80.jpg"),
            set_in(s3_notification("k"), "Records.0.s3.object.key", "%FF.jpg"),
        ],
    )
    def test_a_key_that_is_not_utf_8_is_refused(self, message: Event) -> None:
        """A lone surrogate or stray byte is refused instead of replaced by another key."""
        assert "key: not UTF-8" in refusal(json.dumps(message))

    @pytest.mark.parametrize("value", [..., None, 1, True, ["a"], {"a": 1}])
    @pytest.mark.parametrize(
        ("envelope", "path"),
        [
            (direct, "key"),
            (s3_notification, "Records.0.s3.object.key"),
            (eventbridge_created, "detail.object.key"),
        ],
    )
    def test_a_key_that_is_no_string_is_refused(
        self, envelope: Callable[[str], Event], path: str, value: object
    ) -> None:
        """Only a JSON string is taken as the key."""
        reason = refusal(json.dumps(set_in(envelope("k"), path, value)))
        assert re.match("key: (missing|expected a string)|expected `key`", reason)

    @every_envelope
    @pytest.mark.parametrize(
        "bucket",
        [
            "abc",
            "a-b.c9",
            "x" * 255,
            "1.2.3.4x",
            "MyCompany_Photos",
            "my-point-abcdef123456-s3alias",
            "arn:aws:s3:us-west-2:123456789012:accesspoint/my-point",
            "arn:aws-cn:s3:cn-north-1:123456789012:accesspoint:my-point",
            "arn:aws:s3-object-lambda:eu-west-1:123456789012:accesspoint/small",
            "arn:aws:s3-outposts:us-west-2:123456789012:outpost/op-01ac5d28a/accesspoint/ap",
        ],
    )
    def test_bucket_names_that_s3_allows_are_kept(
        self, envelope: Callable[[str], Event], bucket: str
    ) -> None:
        """A bucket of today's or yesterday's rules, or an access point, is the job's bucket."""
        body = json.dumps(envelope("k")).replace(BUCKET, bucket)
        assert [job.bucket for job in decode_message(body, default_bucket="other")] == [bucket]

    @every_envelope
    @pytest.mark.parametrize(
        "bucket",
        [
            "ab",
            "x" * 256,
            "-abc",
            "abc.",
            "a..b",
            "10.0.0.1",
            "a/b",
            "arn:aws:s3:::bucket",
            "arn:aws:s3::123456789012:accesspoint/alias.mrap",
        ],
    )
    def test_bucket_names_that_s3_forbids_are_refused(
        self, envelope: Callable[[str], Event], bucket: str
    ) -> None:
        """A name that no bucket can have is refused with the name in the message."""
        body = json.dumps(envelope("k")).replace(BUCKET, bucket)
        assert f"not a valid S3 bucket name: '{bucket}'"[:100] in refusal(body)


class TestDirect:
    """The producer's own form."""

    def test_every_field_reaches_the_job(self) -> None:
        """A message with every field becomes a job with every field."""
        message = {"bucket": "b-1", "version_id": "v", "job_id": "j", "force": True, "key": "k"}
        assert decode(message) == (Job("b-1", "k", version_id="v", job_id="j", force=True),)

    def test_optional_fields_may_be_null(self) -> None:
        """Null says the same as leaving the field out."""
        names = ["bucket", "version_id", "job_id", "force"]
        message = {"key": "k"} | dict.fromkeys(names)
        assert decode(message, default_bucket="fallback") == (Job("fallback", "k"),)

    def test_a_named_bucket_beats_the_default(self) -> None:
        """The default bucket is only for messages that name none."""
        assert decode(direct("k"), default_bucket="fallback") == (Job(BUCKET, "k"),)

    @pytest.mark.parametrize("default_bucket", [None, ""])
    def test_without_any_bucket_the_setting_is_named(self, default_bucket: str | None) -> None:
        """A message without a bucket, and no default, says which setting is missing."""
        with pytest.raises(MessageError, match="IMAGE_BUCKET is not set"):
            decode({"key": "k"}, default_bucket=default_bucket)

    def test_an_empty_bucket_does_not_mean_the_default(self) -> None:
        """An empty bucket name is a producer's mistake."""
        assert refusal('{"key": "k", "bucket": ""}') == "bucket: empty"

    @pytest.mark.parametrize("job_id", ["", "x" * 256, "📷" * 256, "a\0b"])
    def test_any_job_id_up_to_256_characters_is_kept(self, job_id: str) -> None:
        """The producer's name for the job is kept as it is."""
        assert decode(direct("k") | {"job_id": job_id})[0].job_id == job_id

    @pytest.mark.parametrize(("field", "value", "reason"), MALFORMED_FIELDS)
    def test_a_malformed_optional_field_is_left_out(
        self, field: str, value: object, reason: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The job is done without it, and the log says why."""
        assert decode(direct("k") | {field: value}) == (Job(BUCKET, "k"),)
        (record,) = caplog.records
        assert (record.levelname, record.getMessage()) == ("WARNING", "field left out")
        assert record.__dict__["key"] == "k"
        assert reason in record.__dict__["error_message"]

    @pytest.mark.parametrize(("field", "value", "reason"), MALFORMED_FIELDS)
    def test_whoever_waits_for_an_answer_is_told(
        self, field: str, value: object, reason: str
    ) -> None:
        """A command or a direct invocation refuses what a queue could only log."""
        with pytest.raises(MessageError, match=reason):
            decode_direct(direct("k") | {field: value}, default_bucket=None)

    def test_a_bucket_of_the_wrong_type_is_refused(self) -> None:
        """In the default bucket would be another object."""
        body = json.dumps({"key": "k", "bucket": {}})
        assert refusal(body) == "bucket: expected a string, got an object"

    @pytest.mark.parametrize("force", [True, False])
    def test_force_is_taken_as_said(self, force: bool) -> None:  # noqa: FBT001 - it is the datum
        """Both booleans are allowed."""
        assert decode(direct("k") | {"force": force})[0].force is force

    def test_fields_of_the_producers_own_are_ignored(self) -> None:
        """Names that this form does not know are the producer's, even S3's spellings."""
        own = {"trace": {"id": 1}, "versionId": "v", "Records": [], "source": "aws.s3"}
        assert decode(direct("k") | own) == (Job(BUCKET, "k"),)

    def test_fields_can_be_decoded_without_json(self) -> None:
        """A direct invocation's event, already parsed, is read by the same rules."""
        assert decode_direct({"key": "k+1"}, default_bucket="fallback") == Job("fallback", "k+1")
        with pytest.raises(MessageError, match="key: missing"):
            decode_direct({}, default_bucket="fallback")


class TestS3Notification:
    """S3's own events, straight or through SNS."""

    @pytest.mark.parametrize("wrap", [dict, sns_envelope], ids=["plain", "sns"])
    def test_every_record_is_a_job(self, wrap: Callable[[Event], Event]) -> None:
        """A notification of three objects becomes three jobs, in order, with their identity."""
        notification = s3_notification("a", "b c", "ü", version_id="v1")
        expected = [Job(BUCKET, key, "v1", ETAG, SEQUENCER) for key in ("a", "b c", "ü")]
        assert decode(wrap(notification)) == tuple(expected)

    def test_one_unreadable_record_refuses_the_message(self) -> None:
        """The message goes to the dead-letter queue as a whole."""
        notification = set_in(s3_notification("a", "b"), "Records.1.s3.object.key", ...)
        assert refusal(json.dumps(notification)) == "key: missing"

    @pytest.mark.parametrize(
        "event_name",
        [
            "ObjectCreated:Put",
            "ObjectCreated:CompleteMultipartUpload",
            "ObjectRestore:Completed",
            "s3:ObjectCreated:Copy",
        ],
    )
    def test_new_content_is_a_job(self, event_name: str) -> None:
        """Created and restored objects are jobs, also with MinIO's prefix."""
        assert len(decode(s3_notification("k", event_name=event_name))) == 1

    @pytest.mark.parametrize(
        "event_name",
        [
            "ObjectRemoved:Delete",
            "ObjectRemoved:DeleteMarkerCreated",
            "ObjectTagging:Put",
            "ObjectAcl:Put",
            "ObjectRestore:Post",
            "LifecycleExpiration:Delete",
            "LifecycleTransition",
            "IntelligentTiering",
            "Replication:OperationFailedReplication",
            "ReducedRedundancyLostObject",
        ],
    )
    def test_other_events_are_ignored(self, event_name: str) -> None:
        """What gives an object no new content is acknowledged without a job."""
        assert decode(s3_notification("k", event_name=event_name)) == ()

    def test_removed_objects_do_not_hide_created_ones(self) -> None:
        """Of mixed records only the created objects are jobs."""
        mixed = set_in(s3_notification("a", "b"), "Records.0.eventName", "ObjectRemoved:Delete")
        assert [job.key for job in decode(mixed)] == ["b"]

    @pytest.mark.parametrize("event_name", ["ObjectCreated", "objectcreated:Put", "INSERT", "s3:"])
    def test_a_misspelt_event_is_refused(self, event_name: str) -> None:
        """An event that S3 does not have is no reason to drop a job in silence."""
        body = json.dumps(s3_notification("k", event_name=event_name))
        assert f"eventName: no event of S3: '{event_name}'" in refusal(body)

    @pytest.mark.parametrize("wrap", [dict, sns_envelope], ids=["plain", "sns"])
    def test_the_test_event_is_ignored(self, wrap: Callable[[Event], Event]) -> None:
        """S3's test of a new notification configuration is acknowledged."""
        assert decode(wrap(s3_test_event())) == ()

    @pytest.mark.parametrize("field", ["versionId", "eTag", "sequencer"])
    @pytest.mark.parametrize("value", [..., None, ""])
    def test_absent_identity_is_none(self, field: str, value: object) -> None:
        """Left out, null and empty all mean that S3 did not say."""
        notification = s3_notification("k", version_id="v")
        (job,) = decode(set_in(notification, f"Records.0.s3.object.{field}", value))
        known = {"versionId": job.version_id, "eTag": job.etag, "sequencer": job.sequencer}
        assert [name for name, said in known.items() if said is None] == [field]

    def test_the_version_null_is_a_version(self) -> None:
        """S3 names objects from before versioning `null`, and can read them by that name."""
        assert decode(s3_notification("k", version_id="null"))[0].version_id == "null"

    @pytest.mark.parametrize(("etag", "bare"), [('"abc"', "abc"), ("abc-2", "abc-2"), ('""', None)])
    def test_the_etag_has_no_quotes(self, etag: str, bare: str | None) -> None:
        """ETags compare alike whether or not the producer kept HTTP's quotes."""
        assert decode(s3_notification("k", etag=etag))[0].etag == bare
        assert decode(eventbridge_created("k", etag=etag))[0].etag == bare

    def test_the_sequencer_is_in_upper_case(self) -> None:
        """Sequencers compare as text, so EventBridge's lower case is raised."""
        assert decode(eventbridge_created("k", sequencer="617f0a"))[0].sequencer == "617F0A"

    @pytest.mark.parametrize(
        ("envelope", "field", "value", "reason"),
        [
            *((s3_notification, "sequencer", text, "not hexadecimal") for text in ODD_SEQUENCERS),
            (s3_notification, "sequencer", 1.5, "expected a string, got a number"),
            (s3_notification, "eTag", True, "expected a string, got a boolean"),
            (s3_notification, "eTag", "e" * 1025, "1,025 bytes of UTF-8"),
            (s3_notification, "versionId", 1, "expected a string, got a number"),
            (s3_notification, "versionId", "object version if enabled", "no version id"),
            (eventbridge_created, "sequencer", "Happy Sequencer", "not hexadecimal"),
            (eventbridge_created, "etag", [], "expected a string, got a list"),
            (eventbridge_created, "version-id", {}, "expected a string, got an object"),
        ],
    )
    def test_a_malformed_optional_field_is_left_out(
        self,
        envelope: Callable[[str], Event],
        field: str,
        value: object,
        reason: str,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """The rest of the event is a job, as if S3 had not said it, and the log says why."""
        place = "Records.0.s3.object" if envelope is s3_notification else "detail.object"
        without = decode(set_in(envelope("k"), f"{place}.{field}", None))
        assert decode(set_in(envelope("k"), f"{place}.{field}", value)) == without
        (record,) = caplog.records
        assert (record.levelname, record.getMessage()) == ("WARNING", "field left out")
        assert record.__dict__["error_message"].startswith(f"{field}: {reason}")

    @pytest.mark.parametrize(
        ("key", "size", "jobs"),
        [
            ("photos/", 0, 0),
            ("a b/ü/", 0, 0),
            ("photos_$folder$", 0, 0),
            ("photos_$folder$", 48_151, 1),
            ("photos/", 48_151, 1),
            ("photos/", None, 1),
            ("photo.jpg", 0, 1),
        ],
    )
    @pytest.mark.parametrize(
        ("envelope", "place"),
        [(s3_notification, "Records.0.s3.object"), (eventbridge_created, "detail.object")],
    )
    def test_a_folder_marker_is_ignored(
        self, envelope: Callable[[str], Event], place: str, key: str, size: object, jobs: int
    ) -> None:
        """The empty object that a console makes for a folder is no photograph."""
        assert len(decode(set_in(envelope(key), f"{place}.size", size))) == jobs

    def test_a_folder_marker_does_not_hide_a_photograph(self) -> None:
        """Of a folder and a photograph in it, the photograph is a job."""
        both = set_in(s3_notification("new/", "new/a.jpg"), "Records.0.s3.object.size", 0)
        assert [job.key for job in decode(both)] == ["new/a.jpg"]

    @pytest.mark.parametrize("records", [[], {}, "ab", None, 3])
    def test_records_must_be_a_filled_list(self, records: object) -> None:
        """A notification without records names no job."""
        assert "Records: expected a list" in refusal(json.dumps({"Records": records}))

    @pytest.mark.parametrize(
        ("path", "value", "reason"),
        [
            ("Records", ["a"], "Records[]: expected an object, got a string"),
            ("Records.0.s3", "object", "s3: expected an object, got a string"),
            ("Records.0.s3.object", ["key"], "object: expected an object, got a list"),
            ("Records.0.s3.bucket", ..., "bucket: expected an object, got nothing"),
            ("Records.0.s3.bucket.name", ..., "name: missing"),
            ("Records.0.eventName", ..., "eventName: missing"),
        ],
    )
    def test_a_hostile_shape_is_refused(self, path: str, value: object, reason: str) -> None:
        """A value of another type anywhere on the way to the key is refused by name."""
        assert refusal(json.dumps(set_in(s3_notification("k"), path, value))) == reason

    def test_records_of_another_service_are_refused(self) -> None:
        """A stream's records are no events of S3."""
        body = json.dumps(
            {"Records": [{"eventSource": "aws:kinesis", "kinesis": {"data": "e30="}}]}
        )
        assert refusal(body) == "eventName: missing"


class TestEventBridge:
    """S3's events through EventBridge."""

    def test_the_event_is_a_job(self) -> None:
        """An "Object Created" event becomes a job with the object's identity."""
        job = Job(BUCKET, "a+b%20c", "v1", ETAG, SEQUENCER)
        assert decode(eventbridge_created("a+b%20c", version_id="v1")) == (job,)

    def test_a_restored_object_is_a_job(self) -> None:
        """A restored object can be read now, as by S3's own notification."""
        restored = eventbridge_created("k", detail_type="Object Restore Completed")
        assert decode(set_in(restored, "detail.object.sequencer", ...))[0].key == "k"

    @pytest.mark.parametrize("detail_type", ["Object Deleted", "Object Tags Added"])
    def test_other_events_are_ignored(self, detail_type: str) -> None:
        """What gives an object no new content is acknowledged without a job."""
        assert decode(eventbridge_created("k", detail_type=detail_type)) == ()

    @pytest.mark.parametrize("detail_type", ["AWS API Call via CloudTrail", "object created", ""])
    def test_an_unknown_event_is_refused(self, detail_type: str) -> None:
        """An event that is none of S3's own is refused."""
        body = json.dumps(eventbridge_created("k", detail_type=detail_type))
        assert refusal(body).startswith("detail-type: ")

    @pytest.mark.parametrize(
        ("path", "value", "reason"),
        [
            ("source", "my.app", "expected `key`, S3's `Records`, or an EventBridge or SNS"),
            ("detail-type", ["Object Created"], "detail-type: expected a string, got a list"),
            ("detail", "object", "detail: expected an object, got a string"),
            ("detail.object", ..., "object: expected an object, got nothing"),
            ("detail.bucket", "name", "bucket: expected an object, got a string"),
        ],
    )
    def test_a_hostile_shape_is_refused(self, path: str, value: object, reason: str) -> None:
        """A value of another type anywhere on the way to the key is refused by name."""
        assert reason in refusal(json.dumps(set_in(eventbridge_created("k"), path, value)))


class TestSns:
    """SNS around S3's notification."""

    @pytest.mark.parametrize(
        ("message", "reason"),
        [
            ("not JSON", "Message: not JSON"),
            ("[]", "Message: expected an object, got a list"),
            ("{}", "expected `key`, S3's `Records`"),
            ('{"photo": "a.jpg"}', "got fields 'photo'"),
            ('{"key": ""}', "key: empty"),
        ],
    )
    def test_what_is_inside_has_to_be_a_job(self, message: str, reason: str) -> None:
        """The reason names what is wrong with the message that the topic carried."""
        assert reason in refusal(json.dumps(sns_envelope(message)))

    @pytest.mark.parametrize("message", [..., None, {"Records": []}, 1])
    def test_the_message_must_be_a_string(self, message: object) -> None:
        """A notification that is nested without being a string is not SNS's."""
        envelope = set_in(sns("k"), "Message", message)
        assert "Message: expected a string of JSON" in refusal(json.dumps(envelope))

    def test_a_subscription_to_confirm_is_refused(self) -> None:
        """A request to confirm a subscription needs a person, so it is no job and not ignored."""
        envelope = set_in(sns("k"), "Type", "SubscriptionConfirmation")
        assert "got fields 'Type, MessageId" in refusal(json.dumps(envelope))


# What a message may be wrapped in.
WRAPPINGS: dict[str, Callable[[Any], object]] = {
    "sns": sns_envelope,
    "sns to lambda": sns_event,
    "custom event": custom_event,
    "string": json.dumps,
    "sqs": sqs_event,
    "failure destination": failure_destination,
}


class TestEnvelopesInEnvelopes:
    """Whatever a message came through, what is inside it is the job."""

    @every_envelope
    @pytest.mark.parametrize("wrap", WRAPPINGS.values(), ids=WRAPPINGS.keys())
    def test_every_form_in_every_envelope(
        self, wrap: Callable[[Any], object], envelope: Callable[[str], Event]
    ) -> None:
        """One form, one envelope around it: the job is the same as without."""
        assert decode(wrap(envelope("a b+c.jpg"))) == decode(envelope("a b+c.jpg"))

    @given(st.lists(st.sampled_from(list(WRAPPINGS)), max_size=4))
    def test_any_four_envelopes(self, names: list[str]) -> None:
        """In any order, up to four of them."""
        message: object = s3_notification("a b.jpg", "c.jpg")
        for name in names:
            message = WRAPPINGS[name](message)
        assert [job.key for job in decode(message)] == ["a b.jpg", "c.jpg"]

    @pytest.mark.parametrize("wrap", WRAPPINGS.values(), ids=WRAPPINGS.keys())
    def test_five_envelopes_are_too_many(self, wrap: Callable[[Any], object]) -> None:
        """The depth is bounded, and the reason says so."""
        message: object = direct("k")
        for _ in range(4):
            message = wrap(message)
        assert decode(message) == (Job(BUCKET, "k"),)
        assert "in more than 4 envelopes" in refusal(json.dumps(wrap(message)))

    @pytest.mark.parametrize(
        "body",
        [
            "\ufeff" + json.dumps(direct("k")),
            json.dumps(sns_envelope("\ufeff" + json.dumps(direct("k")))),
            "\ufeff" + json.dumps(json.dumps(direct("k"))),
            json.dumps(custom_event("\ufeff" + json.dumps(direct("k")))),
        ],
    )
    def test_a_byte_order_mark_is_no_fault(self, body: str) -> None:
        """Windows writes one in front of UTF-8."""
        assert decode_message(body, default_bucket=None) == (Job(BUCKET, "k"),)

    @pytest.mark.parametrize(
        ("message", "reason"),
        [
            (sns_envelope(direct("")), "key: empty"),
            (sns_envelope({"bucket": "b", "photo": "k"}), "got fields 'bucket, photo'"),
            (sns_envelope(sns_envelope("alarm")), "Message: not JSON (Expecting value"),
            (custom_event({"bucket": "b"}), "got fields 'bucket'"),
            (custom_event(None), "detail: expected an object, got nothing"),
            (custom_event("photo.jpg"), "detail: not JSON"),
            (sns_event("alarm"), "Message: not JSON"),
            (failure_destination({"bucket": "b"}), "got fields 'bucket'"),
            (failure_destination(s3_notification("k"), "Success"), "got fields 'version"),
            (
                sns_event(eventbridge_created("k", bucket="a/b")),
                "name: not a valid S3 bucket name: 'a/b'",
            ),
            ({"Records": [{"EventSource": "aws:sns", "Sns": None}]}, "Sns: expected an object"),
            ({"Records": [{"eventSource": "aws:sqs"}]}, "body: expected a string of JSON"),
        ],
    )
    def test_the_reason_is_the_inner_fault(self, message: Event, reason: str) -> None:
        """It says what is wrong inside, not that there is an envelope around it."""
        assert reason in refusal(json.dumps(message))

    def test_fields_like_an_envelopes_do_not_hide_a_key(self) -> None:
        """A message with a key is of the direct form, whatever else is in it."""
        message = direct("k") | {"Type": "Notification", "detail-type": "x", "source": "y"}
        assert decode(message) == (Job(BUCKET, "k"),)

    def test_records_of_several_kinds_are_read_each_by_its_own(self) -> None:
        """An event with SNS's and S3's records is the jobs of both."""
        records = [*sns_event(direct("a"))["Records"], *s3_notification("b", "c")["Records"]]
        assert [job.key for job in decode({"Records": records})] == ["a", "b", "c"]


class TestPayloadInS3:
    """The SQS extended client's pointers."""

    @pytest.mark.parametrize(
        "class_name",
        [
            "software.amazon.payloadoffloading.PayloadS3Pointer",
            "com.amazon.sqs.javamessaging.MessageS3Pointer",
        ],
    )
    @pytest.mark.parametrize("wrap", [str, sns_envelope], ids=["plain", "sns"])
    def test_the_body_is_read_from_s3(
        self, class_name: str, wrap: Callable[[str], str | Event]
    ) -> None:
        """The object that the pointer names is read as if it were the message."""
        pointer = wrap(payload_pointer("payloads", "a b", class_name=class_name))
        body = pointer if isinstance(pointer, str) else json.dumps(pointer)
        payloads = {("payloads", "a b"): json.dumps(s3_notification("k", "l"))}

        jobs = decode_message(
            body, default_bucket=None, read_payload=lambda bucket, key: payloads[bucket, key]
        )

        assert [job.key for job in jobs] == ["k", "l"]

    @pytest.mark.parametrize(
        ("body", "reason"),
        [
            (payload_pointer("payloads", ""), "s3Key: empty"),
            (payload_pointer("payloads", "k", class_name="java.lang.Runtime"), "got a list"),
            (json.dumps([json.loads(payload_pointer("b", "k"))[0], "k"]), "pointer: expected an"),
            (payload_pointer("payloads", "not json"), "payload: not JSON"),
            (payload_pointer("payloads", "pointer"), "pointer: more than one in a message"),
        ],
    )
    def test_a_wrong_pointer_is_refused(self, body: str, reason: str) -> None:
        """The reason names the fault; one pointer leads to a message, never to another pointer."""
        payloads = {"not json": "k", "pointer": payload_pointer("payloads", "pointer")}
        with pytest.raises(MessageError) as caught:
            decode_message(
                body, default_bucket=None, read_payload=lambda _bucket, key: payloads[key]
            )
        assert reason in str(caught.value)

    def test_without_a_reader_a_pointer_is_refused(self) -> None:
        """Decoding a message without S3 names the place of its body."""
        assert "'k' in bucket 'payloads'" in refusal(payload_pointer("payloads", "k"))


class TestNoEnvelope:
    """Bodies that no producer should send."""

    @pytest.mark.parametrize(
        ("body", "reason"),
        [
            ("", "body: not JSON (Expecting value"),
            ("photos/a.jpg", "body: not JSON (Expecting value"),
            ("{'key': 'k'}", "body: not JSON"),
            ('{"key": "k"} {}', "body: not JSON (Extra data"),
            ('{"key": "a\nb"}', "body: not JSON (Invalid control character"),
            ("[]", "body: expected an object, got a list"),
            ("5", "body: expected an object, got a number"),
            ("null", "body: expected an object, got nothing"),
            ('"key"', "body: not JSON (Expecting value"),
            ("{}", "expected `key`, S3's `Records`"),
            ('{"Key": "k"}', "got fields 'Key'"),
            ('{"key": "a", "key": "b"}', "a field stands twice"),
            ('{"key": "a", "x": [{"y": 1, "y": 1}]}', "a field stands twice"),
            ('{"key": "k", "n": NaN}', "NaN is not a JSON number"),
            ('{"key": "k", "n": -Infinity}', "-Infinity is not a JSON number"),
            ('{"key": "k", "n": ' + "9" * 5000 + "}", "body: not JSON (Exceeds the limit"),
            ("[" * 100_000, "body: not JSON (maximum recursion"),
            ('{"key":' * 100_000, "body: not JSON (maximum recursion"),
        ],
        ids=range(18),
    )
    def test_the_reason_is_told(self, body: str, reason: str) -> None:
        """The message says what was expected instead of the body."""
        assert reason in refusal(body)

    @pytest.mark.parametrize(
        "body",
        [
            "\x1b[31m\0" * 100_000,
            json.dumps({"\ud800\n" * 9_999: 1}),
            json.dumps(direct("\ud800" * 9_999)),
            json.dumps(s3_notification("k", event_name="\x07" * 900)),
            json.dumps(s3_notification("k", bucket="\x07" * 900)),
            json.dumps(eventbridge_created("k", detail_type="\x07" * 900)),
        ],
        ids=range(6),
    )
    def test_the_reason_fits_a_message_attribute(self, body: str) -> None:
        """However long and unprintable the body, the reason is short, printable text."""
        reason = refusal(body)
        assert reason.isprintable()
        assert len(reason) < 250

    @pytest.mark.parametrize(
        ("body", "cause"),
        [
            ("{", json.JSONDecodeError),
            ("[" * 100_000, RecursionError),
            (r'{"key": "\ud800"}', UnicodeEncodeError),
        ],
    )
    def test_the_cause_is_kept(self, body: str, cause: type[Exception]) -> None:
        """The error that led to the refusal is its cause."""
        with pytest.raises(MessageError) as caught:
            decode_message(body, default_bucket=None)
        assert isinstance(caught.value.__cause__, cause)


json_texts = st.text(st.characters(exclude_categories=()), max_size=20)  # with lone surrogates
json_scalars = st.none() | st.booleans() | st.integers() | st.floats() | json_texts
json_values = st.recursive(
    json_scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(json_texts, inner, max_size=3),
    max_leaves=8,
)
near_misses: st.SearchStrategy[object] = st.sampled_from(
    [
        "",
        "null",
        "%FF",
        "%",
        "+",
        "\ud800",
        "\0",
        "x" * 1025,
        "é" * 513,
        0,
        True,
        None,
        [],
        {},
        [[]],
    ]
)
valid_messages = st.sampled_from(
    [
        {"key": "k", "bucket": BUCKET, "version_id": "v", "job_id": "j", "force": True},
        custom_event(direct("k")),
        sns_event(direct("k")),
        [*json.loads(payload_pointer("payloads", "k"))],
        s3_notification("a", "b", version_id="v"),
        eventbridge_created("k", version_id="v"),
        sns("k"),
        s3_test_event(),
    ]
)
valid_keys = st.text(min_size=1, max_size=300).filter(lambda key: len(key.encode()) <= 1024)


def places(value: Any) -> Iterator[tuple[Any, Any]]:  # noqa: ANN401 - a JSON value
    """Yield each container within a JSON value with each of its names or positions."""
    names = range(len(value)) if isinstance(value, list) else value
    for name in names if isinstance(value, dict | list) else ():
        yield value, name
        yield from places(value[name])


@st.composite
def damaged_messages(draw: st.DrawFn) -> object:
    """Draw a valid message in which one to three nested values are dropped or replaced."""
    message = copy.deepcopy(draw(valid_messages))
    for _ in range(draw(st.integers(1, 3))):
        within = list(places(message))
        if not within:
            break
        place, name = within[draw(st.integers(0, len(within) - 1))]
        if draw(st.booleans()):
            place[name] = copy.deepcopy(draw(near_misses | json_values))
        else:
            del place[name]
    return draw(st.sampled_from([message, sns_envelope(message)]))


def outcome(body: str) -> tuple[Job, ...] | MessageError:
    """Return the jobs of a body, or why there are none."""
    try:
        return decode_message(body, default_bucket="fallback")
    except MessageError as error:
        return error


def assert_jobs_or_refusal(body: str) -> None:
    """Check that nothing but sound jobs or a readable refusal comes of a body."""
    jobs = outcome(body)
    if isinstance(jobs, MessageError):
        assert str(jobs).isprintable()
        assert len(str(jobs)) < 250
        return
    assert isinstance(jobs, tuple)
    for job in jobs:
        assert 1 <= len(job.key.encode()) <= 1024
        assert re.fullmatch("[A-Za-z0-9._-]{3,255}", job.bucket)
        assert job.version_id is None or 1 <= len(job.version_id.encode()) <= 1024
        assert job.etag is None or 1 <= len(job.etag.encode()) <= 1024
        assert job.sequencer is None or re.fullmatch("[0-9A-F]{1,1024}", job.sequencer)
        assert job.job_id is None or len(job.job_id.encode()) <= 4 * 256
        assert isinstance(job.force, bool)


class TestAnything:
    """Properties that hold for every body there is."""

    @settings(max_examples=200, deadline=None)
    @given(st.text(st.characters(exclude_categories=())))
    def test_any_text_is_decoded_or_refused(self, body: str) -> None:
        """No text raises anything but MessageError."""
        assert_jobs_or_refusal(body)

    @settings(max_examples=200, deadline=None)
    @given(json_values)
    def test_any_json_is_decoded_or_refused(self, message: object) -> None:
        """No JSON value raises anything but MessageError."""
        assert_jobs_or_refusal(json.dumps(message))

    @settings(max_examples=1000, deadline=None)
    @given(damaged_messages())
    def test_any_damaged_message_is_decoded_or_refused(self, message: object) -> None:
        """No damage inside a valid envelope raises anything but MessageError."""
        assert_jobs_or_refusal(json.dumps(message))

    @settings(max_examples=100, deadline=None)
    @given(valid_messages, st.data())
    def test_any_cut_message_is_refused(self, message: object, data: st.DataObject) -> None:
        """A message that lost its end names no job."""
        body = json.dumps(message)
        assert "not JSON" in refusal(body[: data.draw(st.integers(0, len(body) - 1))])

    @every_envelope
    @settings(max_examples=100, deadline=None)
    @given(key=valid_keys)
    def test_any_key_survives_the_round_trip(
        self, envelope: Callable[[str], Event], key: str
    ) -> None:
        """Whatever the key, each envelope decodes to precisely that key."""
        assert [job.key for job in decode(envelope(key))] == [key]
