"""Masks: from a detector to S3, with their places in items."""

import gc
import hashlib
import re
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import cache, partial
from io import BytesIO
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import pytest
from botocore.config import Config
from PIL import Image

from landmarks.errors import AccessDeniedError, CorruptImageError, ServiceError, TransientError
from landmarks.groups import MaskPlace
from landmarks.job import Job
from tests.conftest import MakeHandler
from tests.events import s3_notification
from tests.fakes import (
    LONGEST_KEY,
    Cloud,
    Context,
    Request,
    RiggedDetectors,
    closed_port,
    deliver,
    nobody,
    person,
    s3_that,
    seen_nobody,
    seen_person,
    start_detectors,
)
from worker.detector.decode import encode_mask
from worker.detector.pool import DetectorPool
from worker.handler import Handler
from worker.model import ModelOptions
from worker.pipeline import Pipeline
from worker.result import Detection, Result
from worker.s3 import CLIENT_CONFIG, MaskStore, ObjectReader, mask_key
from worker.settings import Settings
from worker.table import ResultsTable
from worker.telemetry import Telemetry

KEY = "2026/person.jpg"


@pytest.fixture(scope="module")
def masking() -> Iterator[DetectorPool]:
    """Two real detectors that compute masks."""
    model = ModelOptions(model_complexity=1, segmentation=True)
    pool = start_detectors(Settings(results_table="unused", model=model, detectors=2))
    yield pool
    pool.close()


@pytest.fixture
def bucket(cloud: Cloud) -> str:
    """The test's mask bucket."""
    name = f"{cloud.stack.bucket}-masks"
    cloud.make_bucket(name)
    return name


@cache
def mask(shade: float = 1) -> bytes:
    """Return a mask of one value."""
    return encode_mask(np.full((480, 640), shade, np.float32))


def seen_with_mask(_content: bytes = b"", _deadline: float = 0, *, shade: float = 1) -> Detection:
    """Return a detection with all groups and a mask."""
    seen = seen_person()
    return Detection(seen.landmarks, seen.width, seen.height, seen.format, mask(shade))


def stored(cloud: Cloud, bucket: str) -> dict[str, bytes]:
    """Return a bucket's contents, by key."""
    s3 = cloud.clients["s3"]
    keys = [found["Key"] for found in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]
    return {key: s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}


def place_in(item: Mapping[str, Mapping[str, Any]]) -> MaskPlace:
    """Return the mask's place in an item."""
    place = item["segmentation"]["M"]
    return MaskPlace(place["bucket"]["S"], place["key"]["S"])


def test_masks_of_a_batch_are_stored_where_the_items_say(
    cloud: Cloud, bucket: str, masking: DetectorPool, make_handler: MakeHandler
) -> None:
    """Each image with a person has a grey PNG of the image's size, the others none."""
    etags = {key: cloud.put(key, person()).etag for key in (KEY, "überraschung/a+b %41.jpg")}
    cloud.put("nobody.png", nobody())
    cloud.put("notes.txt", b"no photograph, but words")
    handler = make_handler(masking, SEGMENTATION_BUCKET=bucket)

    failed = deliver(handler, *({"key": key} for key in (*etags, "nobody.png", "notes.txt")))

    assert failed == []
    expected = {key: f"{cloud.stack.bucket}/{key}/{etag}.png" for key, etag in etags.items()}
    found = {key: place_in(cloud.item(key)) for key in etags}
    assert found == {key: MaskPlace(bucket, place) for key, place in expected.items()}
    masks = stored(cloud, bucket)
    assert masks.keys() == set(expected.values())
    for content in masks.values():
        with Image.open(BytesIO(content)) as picture:
            assert (picture.format, picture.mode, picture.size) == ("PNG", "L", (512, 512))
    head = cloud.clients["s3"].head_object(Bucket=bucket, Key=expected[KEY])
    assert head["ContentType"] == "image/png"
    assert cloud.statuses()["nobody.png"] == "not_detected"
    assert cloud.statuses()["notes.txt"] == "failed"
    for key in ("nobody.png", "notes.txt"):
        assert "segmentation" not in cloud.item(key)


def test_direct_invocation_stores_the_mask_too(
    cloud: Cloud, bucket: str, make_handler: MakeHandler
) -> None:
    """The answer contains landmarks as usual; the item has the mask's place."""
    etag = cloud.put(KEY, person()).etag
    handler = make_handler(RiggedDetectors(seen_with_mask), SEGMENTATION_BUCKET=bucket)

    answer = handler.handle({"key": KEY}, Context())

    assert answer["statusCode"] == 200
    assert len(answer["body"]["data"]["pose_landmarks"]["landmark"]) == 33
    place = f"{cloud.stack.bucket}/{KEY}/{etag}.png"
    assert place_in(cloud.item(KEY)) == MaskPlace(bucket, place)
    assert stored(cloud, bucket) == {place: mask()}


def test_without_a_bucket_items_have_no_place(cloud: Cloud, handler: Handler) -> None:
    """Masks are off by default."""
    cloud.put(KEY, person())
    assert deliver(handler, {"key": KEY}) == []
    assert cloud.item(KEY)["status"] == {"S": "detected"}
    assert "segmentation" not in cloud.item(KEY)


def test_objects_done_without_masks_are_done_again(
    cloud: Cloud, bucket: str, make_handler: MakeHandler
) -> None:
    """With masks on, earlier results without masks no longer count as done."""
    cloud.put(KEY, person())
    deliver(make_handler(RiggedDetectors(lambda *_: seen_person())), {"key": KEY})
    handler = make_handler(RiggedDetectors(seen_with_mask), SEGMENTATION_BUCKET=bucket)

    assert deliver(handler, {"key": KEY}) == []

    assert place_in(cloud.item(KEY)).key in stored(cloud, bucket)


def test_each_content_has_a_mask_of_its_own(
    cloud: Cloud, bucket: str, make_handler: MakeHandler
) -> None:
    """A replaced object gets a new mask; the old one stays, but no item refers to it."""
    places = []
    for shade in (0, 1):
        cloud.put(KEY, nobody(shade))
        detectors = RiggedDetectors(partial(seen_with_mask, shade=shade))
        deliver(make_handler(detectors, SEGMENTATION_BUCKET=bucket), {"key": KEY})
        places.append(place_in(cloud.item(KEY)).key)

    assert stored(cloud, bucket) == {places[0]: mask(0), places[1]: mask(1)}


def test_mask_of_a_superseded_job_is_left_behind(
    cloud: Cloud, bucket: str, make_handler: MakeHandler
) -> None:
    """Newer content stored in the meantime keeps its item and mask."""
    cloud.keep_versions()
    old, new = (cloud.put(KEY, nobody(shade)) for shade in (0, 1))
    cloud.set_modified(KEY, *(datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2)))
    newer = make_handler(
        RiggedDetectors(partial(seen_with_mask, shade=1)), SEGMENTATION_BUCKET=bucket
    )

    def overtaken(_content: bytes, _deadline: float) -> Detection:
        deliver(newer, {"key": KEY})
        return seen_with_mask(shade=0)

    handler = make_handler(RiggedDetectors(overtaken), SEGMENTATION_BUCKET=bucket)
    assert deliver(handler, {"key": KEY, "version_id": old.version_id}) == []

    place = place_in(cloud.item(KEY)).key
    assert place == f"{cloud.stack.bucket}/{KEY}/{new.etag}.png"
    masks = stored(cloud, bucket)
    assert masks == {place: mask(1), f"{cloud.stack.bucket}/{KEY}/{old.etag}.png": mask(0)}


def test_the_longest_key_has_a_mask(cloud: Cloud, bucket: str, make_handler: MakeHandler) -> None:
    """A mask key longer than S3 allows is hashed."""
    etag = cloud.put(LONGEST_KEY, person()).etag
    handler = make_handler(RiggedDetectors(seen_with_mask), SEGMENTATION_BUCKET=bucket)

    assert deliver(handler, {"key": LONGEST_KEY}) == []

    whole = f"{cloud.stack.bucket}/{LONGEST_KEY}/{etag}.png"
    place = f"{cloud.stack.bucket}/sha256/{hashlib.sha256(whole.encode()).hexdigest()}.png"
    assert place_in(cloud.item(LONGEST_KEY)).key == place
    assert stored(cloud, bucket) == {place: mask()}


def test_a_key_is_hashed_only_beyond_the_limit() -> None:
    """The limit is 1,024 bytes of UTF-8, where é takes two."""
    rest = len("photos/" + "/feed.png")
    longest = "é" * 300 + "x" * (1024 - rest - 600)
    assert mask_key(Job("photos", longest), "feed") == f"photos/{longest}/feed.png"
    hashed = mask_key(Job("photos", longest + "x"), "feed")
    assert len(hashed) == len("photos/sha256/.png") + 64
    assert hashed != mask_key(Job("photos", longest + "x"), "beef")


def test_the_pages_program_reads_a_mask(
    cloud: Cloud,
    bucket: str,
    make_handler: MakeHandler,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Runs the program in `docs/segmentation.md` with the test's names."""
    cloud.put(KEY, person())
    detectors = RiggedDetectors(partial(seen_with_mask, shade=0.75))
    deliver(make_handler(detectors, SEGMENTATION_BUCKET=bucket), {"key": KEY})
    page = (Path(__file__).parents[2] / "docs" / "segmentation.md").read_text("utf-8")
    (program,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names = {"landmark-worker-results": cloud.stack.table, "photo.jpg": KEY}
    for name, own in names.items():
        assert name in program
        program = program.replace(name, own)
    capsys.readouterr()

    exec(compile(program, "docs/segmentation.md", "exec"), {})  # noqa: S102, our own page

    assert capsys.readouterr().out == "100% of the picture are the person\n"


# If S3 fails


def test_a_job_whose_mask_cannot_be_stored_is_retried(
    cloud: Cloud, make_handler: MakeHandler
) -> None:
    """Without its mask, the item isn't stored; once the bucket exists, both are."""
    cloud.put(KEY, person())
    cloud.put("nobody.png", nobody())
    name = f"{cloud.stack.bucket}-late"
    found = iter([seen_nobody(), seen_with_mask(), seen_with_mask()])
    handler = make_handler(RiggedDetectors(lambda *_: next(found)), SEGMENTATION_BUCKET=name)

    assert deliver(handler, {"key": "nobody.png"}) == []
    assert deliver(handler, {"key": KEY}) == [0]
    assert cloud.statuses() == {"nobody.png": "not_detected"}

    cloud.make_bucket(name)
    assert deliver(handler, {"key": KEY}) == []
    assert stored(cloud, name) == {place_in(cloud.item(KEY)).key: mask()}


def test_direct_invocation_says_that_the_mask_could_not_be_stored(
    cloud: Cloud, make_handler: MakeHandler
) -> None:
    """It is not a 404, because the object itself exists."""
    cloud.put(KEY, person())
    handler = make_handler(RiggedDetectors(seen_with_mask), SEGMENTATION_BUCKET="no-such-bucket")

    answer = handler.handle({"key": KEY}, Context())

    assert answer["statusCode"] == 500
    assert "NoSuchBucket for the mask" in answer["body"]["message"]
    assert cloud.statuses() == {}


def put_to(url: str, read_timeout: float) -> MaskPlace:
    """Store a mask in an S3 at this address."""
    config: Config = CLIENT_CONFIG.merge(Config(read_timeout=read_timeout))
    client = boto3.client("s3", endpoint_url=url, config=config)
    return MaskStore(client, "masks").put(Job("photos", KEY), "feed", mask())


@pytest.mark.usefixtures("services")
@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (partial(Request.refuse, status=403, code="AccessDenied"), AccessDeniedError),
        (partial(Request.refuse, status=503, code="SlowDown"), ServiceError),
        (partial(Request.refuse, status=404, code="NoSuchBucket"), ServiceError),
        (Request.hang_up, ServiceError),
        (Request.hang, ServiceError),
    ],
)
def test_errors_of_s3_are_transient(
    answer: Callable[[Request], None], expected: type[TransientError]
) -> None:
    """After any error, the job is retried."""
    with s3_that(answer) as url, pytest.raises(TransientError) as caught:
        put_to(url, 0.2 if answer is Request.hang else 60)
    assert type(caught.value) is expected


@pytest.mark.usefixtures("services")
def test_unreachable_s3_is_transient() -> None:
    """Nothing listens at that address."""
    with closed_port() as url, pytest.raises(ServiceError):
        put_to(url, 0.2)


# No feedback


def test_a_mask_never_becomes_a_job(cloud: Cloud, bucket: str, make_handler: MakeHandler) -> None:
    """A job for a mask, from a notification or by name, becomes a dead letter."""
    cloud.put("mask.png", person(), bucket=bucket)
    handler = make_handler(
        RiggedDetectors(seen_with_mask), SEGMENTATION_BUCKET=bucket, ALLOWED_BUCKETS=""
    )

    by_name = {"key": "mask.png", "bucket": bucket}
    assert deliver(handler, by_name, s3_notification("mask.png", bucket=bucket)) == []

    assert cloud.statuses() == {}
    assert list(stored(cloud, bucket)) == ["mask.png"]
    letters = [letter["MessageAttributes"] for letter in cloud.dead_letters()]
    reason = f"bucket: {bucket} holds segmentation masks, not photographs"
    assert [letter["error_message"]["StringValue"] for letter in letters] == [reason] * 2
    answer = handler.handle(by_name, Context())
    assert (answer["statusCode"], answer["body"]["message"]) == (400, reason)


# Memory


def test_a_job_that_is_done_holds_no_mask(cloud: Cloud, bucket: str) -> None:
    """Results are kept until the end of the batch, but without their masks."""
    cloud.put(KEY, person())
    s3 = boto3.client("s3")
    pipeline = Pipeline(
        ObjectReader(s3, 1_000_000),
        RiggedDetectors(seen_with_mask),
        ResultsTable(cloud.stack.table, ModelOptions(segmentation=True)),
        Telemetry(),
        MaskStore(s3, bucket),
    )
    deadline = time.monotonic() + 120

    (result,) = pipeline.run([Job(cloud.stack.bucket, KEY)], deadline)
    pipeline.close()

    assert isinstance(result, Result)
    assert isinstance(result.outcome, Detection)
    assert result.outcome.mask is None
    assert result.outcome.landmarks.person_found


def pipeline_with(detectors: RiggedDetectors, cloud: Cloud) -> Pipeline:
    """Return a pipeline on the test's stack that makes no masks."""
    return Pipeline(
        ObjectReader(boto3.client("s3"), 1_000_000),
        detectors,
        ResultsTable(cloud.stack.table, ModelOptions()),
        Telemetry(),
    )


def test_a_job_that_failed_holds_no_image(cloud: Cloud) -> None:
    """The error that is stored has no traceback, whose frames would keep the image's bytes."""

    def refuse(_content: bytes, _deadline: float) -> Detection:
        raise CorruptImageError("damaged")

    cloud.put(KEY, person())
    pipeline = pipeline_with(RiggedDetectors(refuse), cloud)

    (result,) = pipeline.run([Job(cloud.stack.bucket, KEY)], time.monotonic() + 120)
    pipeline.close()

    assert isinstance(result, Result)
    assert isinstance(result.outcome, CorruptImageError)
    assert result.outcome.__traceback__ is None


def test_a_retried_job_frees_its_image_at_once(cloud: Cloud) -> None:
    """No reference cycle keeps the error, whose traceback's frames hold the image's bytes."""

    class BusyError(TransientError):
        pass

    def refuse(_content: bytes, _deadline: float) -> Detection:
        raise BusyError("no detector")

    cloud.put(KEY, person())
    pipeline = pipeline_with(RiggedDetectors(refuse), cloud)
    gc.collect()
    gc.disable()
    try:
        (error,) = pipeline.run([Job(cloud.stack.bucket, KEY)], time.monotonic() + 120)
        pipeline.close()
        assert isinstance(error, BusyError)
        kept = weakref.ref(error)
        del error
        assert kept() is None
    finally:
        gc.enable()
