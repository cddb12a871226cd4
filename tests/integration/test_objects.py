"""Reading from S3: an object's identity, its size limit, and errors."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.config import Config

from landmarks.errors import (
    AccessDeniedError,
    DeadlineError,
    KeyUnavailableError,
    MessageError,
    ObjectArchivedError,
    ObjectDeletedError,
    ObjectNotFoundError,
    PermanentError,
    ServiceError,
    TooManyBytesError,
    TransientError,
)
from landmarks.job import Job
from tests.fakes import LONGEST_KEY, Cloud, Request, closed_port, s3_that
from worker.result import ObjectIdentity
from worker.s3 import CLIENT_CONFIG, ObjectReader
from worker.s3_errors import ANSWERS

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CONTENT = bytes(range(256)) * 1000


def client(read_timeout: float | None = None) -> "S3Client":
    """Return the worker's client, or one with a shorter time-out."""
    options = Config(read_timeout=read_timeout) if read_timeout else Config()
    config: Config = CLIENT_CONFIG.merge(options)
    return boto3.client("s3", config=config)


@contextmanager
def reader_of(
    answer: Callable[[Request], None],
    monkeypatch: pytest.MonkeyPatch,
    read_timeout: float | None = None,
) -> Iterator[ObjectReader]:
    """Run an S3 with this answer, and yield a reader of it."""
    with s3_that(answer) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", url)
        yield ObjectReader(client(read_timeout), max_image_bytes=30_000_000)


def in_seconds(seconds: float) -> float:
    """Return a deadline."""
    return time.monotonic() + seconds


def read(reader: ObjectReader, job: Job, seconds: float = 30) -> bytes:
    """Open an object and read it."""
    deadline = in_seconds(seconds)
    with reader.open(job) as source:
        assert source
        return source.read(deadline)


@pytest.fixture
def reader(cloud: Cloud) -> ObjectReader:  # noqa: ARG001, the services must run
    """A reader of the embedded S3."""
    return ObjectReader(client(), max_image_bytes=len(CONTENT))


@pytest.mark.parametrize("key", ["plain.jpg", " a+b %41/é\u0301?#&'\"\\.jpg", LONGEST_KEY])
def test_content_comes_whole_whatever_the_key(key: str, cloud: Cloud, reader: ObjectReader) -> None:
    """Content up to the limit is read unchanged, whatever the key."""
    cloud.put(key, CONTENT)

    assert read(reader, Job(cloud.stack.bucket, key)) == CONTENT


def test_identity_is_what_s3_says(cloud: Cloud, reader: ObjectReader) -> None:
    """The identity is that of the content to be read, even of an older version."""
    cloud.keep_versions()
    old = cloud.put("photo.jpg", CONTENT)
    cloud.put("photo.jpg", b"newer")
    modified = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    cloud.set_modified("photo.jpg", modified, datetime.now(UTC))

    with reader.open(Job(cloud.stack.bucket, "photo.jpg", old.version_id)) as source:
        assert source
        assert source.identity == ObjectIdentity(
            etag=old.etag,
            last_modified=modified,
            size_bytes=len(CONTENT),
            version_id=old.version_id,
        )


@pytest.mark.parametrize(("of_the_event", "sequencer"), [(CONTENT, "0A"), (b"older", None)])
def test_sequencer_counts_only_for_the_events_own_content(
    of_the_event: bytes, sequencer: str | None, cloud: Cloud, reader: ObjectReader
) -> None:
    """The sequencer is dropped if the content has changed since the event."""
    etag = cloud.put("photo.jpg", of_the_event).etag
    cloud.put("photo.jpg", CONTENT)

    with reader.open(Job(cloud.stack.bucket, "photo.jpg", etag=etag, sequencer="0A")) as source:
        assert source
        assert source.identity.sequencer == sequencer


def test_known_content_is_not_opened(cloud: Cloud, reader: ObjectReader) -> None:
    """Unchanged content is not opened."""
    etag = cloud.put("photo.jpg", CONTENT).etag
    job = Job(cloud.stack.bucket, "photo.jpg")

    with reader.open(job, unless_etag=etag) as source:
        assert source is None
    with reader.open(job, unless_etag="0" * 32) as source:
        assert source


@pytest.mark.usefixtures("services")
def test_size_is_refused_before_anything_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """One byte too many is rejected without reading."""

    def promise(request: Request) -> None:
        request.start_object(30_000_001)
        request.hang()

    with (
        reader_of(promise, monkeypatch) as reader,
        pytest.raises(TooManyBytesError, match="30000001 bytes, more than the 30000000 allowed"),
    ):
        read(reader, Job("photos", "large.jpg"))


@pytest.mark.parametrize(
    ("key", "version_id", "code"),
    [("missing.jpg", None, "NoSuchKey"), ("photo.jpg", "0" * 32, "NoSuchVersion")],
)
def test_missing_object_may_come_later(
    key: str, version_id: str | None, code: str, cloud: Cloud, reader: ObjectReader
) -> None:
    """A missing object is transient, because an event can be faster than the object."""
    cloud.keep_versions()
    cloud.put("photo.jpg", CONTENT)
    job = Job(cloud.stack.bucket, key, version_id)

    with pytest.raises(ObjectNotFoundError, match=rf"{key}.*{code}"):
        read(reader, job)


@pytest.mark.usefixtures("services")
def test_deleted_object_will_not_come(monkeypatch: pytest.MonkeyPatch) -> None:
    """S3 says whether a missing object has a delete marker; the embedded one does not."""

    def answer(request: Request) -> None:
        request.send_response(404)
        request.send_header("x-amz-delete-marker", "true")
        request.send_header("Content-Length", "0")
        request.end_headers()

    with (
        reader_of(answer, monkeypatch) as reader,
        pytest.raises(ObjectDeletedError, match=r"photo\.jpg.*was deleted"),
    ):
        read(reader, Job("photos", "photo.jpg"))


def test_missing_bucket_may_come_later(reader: ObjectReader) -> None:
    """A missing bucket is the same error, with its code."""
    job = Job("no-such-bucket", "photo.jpg")

    with pytest.raises(ObjectNotFoundError, match=r"no-such-bucket.*NoSuchBucket"):
        read(reader, job)


# What each of S3's errors means, by status and code.
NO_ENCRYPTION_KEY = "The object was stored using a form of Server Side Encryption."
ERRORS: dict[type[PermanentError | TransientError], list[tuple[int, str, *tuple[str, ...]]]] = {
    ObjectArchivedError: [(403, "InvalidObjectState")],
    KeyUnavailableError: [
        (400, "KMS.DisabledException"),
        (400, "KMS.IncorrectKeyException"),
        (400, "KMS.InvalidCiphertextException"),
        (400, "KMS.InvalidKeyUsageException"),
        (400, "KMS.KMSInvalidStateException"),
        (400, "KMS.NotFoundException"),
        (400, "InvalidRequest", NO_ENCRYPTION_KEY),
    ],
    ObjectDeletedError: [(405, "MethodNotAllowed")],
    MessageError: [
        (400, "InvalidAccessPoint"),
        (400, "InvalidAccessPointAliasError"),
        (400, "InvalidArgument", "Invalid version id specified"),
        (400, "InvalidBucketName"),
        (400, "InvalidURI"),
        (400, "KeyTooLongError"),
    ],
    ObjectNotFoundError: [
        (404, "NoSuchAccessPoint"),
        (404, "NoSuchBucket"),
        (404, "NoSuchKey"),
        (404, "NoSuchVersion"),
        (404, "NoSuchThing"),
    ],
    AccessDeniedError: [
        (400, "ExpiredToken"),
        (400, "InvalidSignature"),
        (400, "InvalidToken"),
        (400, "KMS.AccessDeniedException"),
        (400, "TokenRefreshRequired"),
        (401, "UnauthorizedAccess"),
        (403, "AccessDenied"),
        (403, "AccountProblem"),
        (403, "AllAccessDisabled"),
        (403, "InvalidAccessKeyId"),
        (403, "InvalidPayer"),
        (403, "InvalidSecurity"),
        (403, "NotSignedUp"),
        (403, "SignatureDoesNotMatch"),
        (403, "SomethingNew"),
    ],
    ServiceError: [
        (301, "PermanentRedirect"),
        (307, "Redirect"),
        (307, "TemporaryRedirect"),
        (400, "AuthorizationHeaderMalformed"),
        (400, "IllegalLocationConstraintException"),
        (400, "IncorrectEndpoint"),
        (400, "InvalidArgument"),
        (400, "InvalidRequest"),
        (400, "KMS.DependencyTimeoutException"),
        (400, "KMS.KMSInternalException"),
        (400, "KMS.KeyUnavailableException"),
        (400, "KMS.ThrottlingException"),
        (400, "RequestExpired"),
        (400, "RequestTimeout"),
        (400, "SomethingNew"),
        (403, "RequestTimeTooSkewed"),
        (409, "OperationAborted"),
        (500, "InternalError"),
        (503, "ServiceUnavailable"),
        (503, "SlowDown"),
    ],
}


@pytest.mark.usefixtures("services")
@pytest.mark.parametrize("error", ERRORS)
def test_errors_of_s3_are_translated(
    error: type[PermanentError | TransientError], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By their codes; by their status only where the code is unknown."""
    answers: list[tuple[int, str, str]] = []

    def answer(request: Request) -> None:
        if request.command == "HEAD":
            request.start_object(4711)
        else:
            request.refuse(*answers[-1])

    with reader_of(answer, monkeypatch) as reader:
        for status, code, *words in ERRORS[error]:
            answers.append((status, code, words[0] if words else "no"))
            with pytest.raises(error, match=r"'photo\.jpg'") as raised:
                read(reader, Job("photos", "photo.jpg"))
            assert raised.type is error
            assert code in str(raised.value) or error is ObjectArchivedError


def test_every_error_of_s3_is_tested() -> None:
    """No row of the table is missing above."""
    tested = {(code, error) for error, rows in ERRORS.items() for _, code, *_ in rows}

    assert {(answer.code, answer.error) for answer in ANSWERS} <= tested


@pytest.mark.parametrize(
    ("key", "content_type"),
    [
        ("photos/", "binary/octet-stream"),
        ("photos/", "application/x-directory; charset=UTF-8"),
        ("photos", "application/x-directory"),
        ("photos_$folder$", "binary/octet-stream"),
    ],
)
def test_folder_marker_is_recognized(
    key: str, content_type: str, cloud: Cloud, reader: ObjectReader
) -> None:
    """By its key or its type, if it is empty."""
    for content in (b"", b"x"):
        cloud.clients["s3"].put_object(
            Bucket=cloud.stack.bucket, Key=key, Body=content, ContentType=content_type
        )
        with reader.open(Job(cloud.stack.bucket, key)) as source:
            assert source
            assert source.is_folder_marker == (not content)


def test_archived_object_has_an_identity_and_no_content(cloud: Cloud, reader: ObjectReader) -> None:
    """Its failure is stored in the right order among the object's versions."""
    etag = cloud.put("photo.jpg", CONTENT, storage_class="DEEP_ARCHIVE").etag
    modified = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    cloud.set_modified("photo.jpg", modified)

    with reader.open(Job(cloud.stack.bucket, "photo.jpg", etag=etag, sequencer="0A")) as source:
        assert source
        assert source.identity == ObjectIdentity(etag, modified, len(CONTENT), sequencer="0A")
        with pytest.raises(ObjectArchivedError, match=r"'photo\.jpg'.* restored first"):
            source.read(in_seconds(30))


@pytest.mark.usefixtures("services")
def test_object_whose_kms_key_is_gone_is_refused_for_good(monkeypatch: pytest.MonkeyPatch) -> None:
    """S3 still returns the object's identity."""

    def answer(request: Request) -> None:
        if request.command == "HEAD":
            request.start_object(4711)
        else:
            request.refuse(400, "KMS.DisabledException", "the key is disabled")

    with (
        reader_of(answer, monkeypatch) as reader,
        reader.open(Job("photos", "photo.jpg", etag="feed", sequencer="0A")) as source,
    ):
        assert source
        assert source.identity == ObjectIdentity(
            "feed", datetime(2026, 1, 1, tzinfo=UTC), 4711, sequencer="0A"
        )
        with pytest.raises(KeyUnavailableError, match=r"'photo\.jpg'.*Exception: the key is"):
            source.read(in_seconds(30))


def refuse_without_key(request: Request) -> None:
    """Answer like S3 for an object encrypted with a customer-provided key."""
    request.refuse(400, "InvalidRequest", "stored using a form of Server Side Encryption")


@pytest.mark.usefixtures("services")
def test_object_with_the_customers_own_key_is_refused_for_good(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """S3 returns no identity, but anything uploaded later is newer."""
    job = Job("photos", "photo.jpg", etag="feed", sequencer="0A")
    before = datetime.now(UTC)
    with reader_of(refuse_without_key, monkeypatch) as reader, reader.open(job) as source:
        assert source
        assert before <= source.identity.last_modified <= datetime.now(UTC)
        known = (source.identity.etag, source.identity.sequencer)
        with pytest.raises(KeyUnavailableError, match=r"'photo\.jpg'.*InvalidRequest"):
            source.read(in_seconds(30))
    assert known == ("feed", "0A")


@pytest.mark.usefixtures("services")
def test_version_of_unknown_date_is_older_than_any_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It might not be the newest, so it must not keep newer results out of the table."""
    job = Job("photos", "photo.jpg", version_id="v1")
    with reader_of(refuse_without_key, monkeypatch) as reader, reader.open(job) as source:
        assert source
        assert source.identity == ObjectIdentity(
            "", datetime(1970, 1, 1, tzinfo=UTC), 0, version_id="v1"
        )


@pytest.mark.usefixtures("services")
@pytest.mark.parametrize(
    "answer",
    [
        Request.break_off,
        Request.break_off_an_error,
        Request.stall,
        Request.hang,
        Request.hang_up,
    ],
    ids=["breaks off", "breaks off an error", "stalls", "hangs", "hangs up"],
)
def test_broken_connections_are_the_services_fault(
    answer: Callable[[Request], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Time-outs and broken connections, before or during the answer, are transient."""
    with (
        reader_of(answer, monkeypatch, read_timeout=0.2) as reader,
        pytest.raises(ServiceError, match=r"^S3: "),
    ):
        read(reader, Job("photos", "photo.jpg"))


@pytest.mark.usefixtures("services")
def test_unreachable_s3_is_the_services_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """An unreachable S3 is transient."""
    with closed_port() as nowhere:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", nowhere)
        with pytest.raises(ServiceError, match="Could not connect"):
            read(ObjectReader(client(), 1000), Job("photos", "photo.jpg"))


@pytest.mark.usefixtures("services")
def test_object_that_drips_is_given_up_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading stops at the deadline even if S3 never stops sending."""
    with (
        reader_of(Request.drip, monkeypatch) as reader,
        pytest.raises(DeadlineError, match="while reading the object"),
    ):
        read(reader, Job("photos", "photo.jpg"), seconds=0.3)
