"""Results as applications read them in Python."""

import pickle
import re
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import pytest

from landmarks import LandmarkTable
from landmarks.enums import LandmarkEncoding
from landmarks.errors import (
    CorruptImageError,
    ServiceError,
    SeveralResultsError,
    TableNotFoundError,
)
from landmarks.groups import ImageInfo, MaskPlace
from landmarks.item import item_as_json
from landmarks.names import HAND_NAMES, POSE_NAMES
from landmarks.result import LandmarkResult
from tests.fakes import closed_port, seen_nobody, seen_person
from tests.integration.reading.conftest import Save
from worker.model import architecture, mediapipe_version
from worker.table import ResultsTable

KEY = "photo.jpg"


@pytest.fixture
def table(written: ResultsTable) -> LandmarkTable:
    """A reader of the test's table."""
    return LandmarkTable(written.item.Meta.table_name)


def get(table: LandmarkTable, key: str = KEY) -> LandmarkResult:
    """Return the only result of a key."""
    result = table.get(key)
    assert result is not None
    return result


def failed_result() -> LandmarkResult:
    """Return a result with only the attributes that all items have."""
    item = {name: {"S": "failed"} for name in ("object_key", "bucket", "status")}
    result = LandmarkResult.from_attributes(item)
    assert result is not None
    return result


def test_place_of_a_mask_is_read(table: LandmarkTable, save: Save) -> None:
    """The mask's bucket and key are typed and in the JSON, or absent."""
    place = MaskPlace("masks", "photos/photo.jpg/feed.png")
    save(KEY, segmentation=place)
    save("other.jpg")

    result = get(table)
    assert result.segmentation == place
    assert result.to_json()["segmentation"] == {"bucket": place.bucket, "key": place.key}
    assert get(table, "other.jpg").segmentation is None
    assert "segmentation" not in get(table, "other.jpg").to_json()


def test_person_is_read_with_arrays_names_and_pixels(table: LandmarkTable, save: Save) -> None:
    """Arrays are read-only and bit for bit what the worker saw."""
    save(KEY)
    result, seen = get(table), seen_person().landmarks

    for group, array in seen.found():
        read = getattr(result, group.name)
        assert (read.dtype, read.shape) == (np.float32, array.shape)
        assert read.tobytes() == array.tobytes()
        assert not read.flags.writeable
    assert seen.pose_landmarks is not None
    assert result.pose is not None
    assert list(result.pose["left_wrist"]) == seen.pose_landmarks[15].tolist()
    assert result.pose["LEFT_WRIST"] == result.pose["left_wrist"]
    assert result.left_hand is not None
    assert result.left_hand["thumb_tip"].visibility is None
    pixels = result.pixels("pose_landmarks")
    assert pixels is not None
    np.testing.assert_array_equal(pixels, seen.pose_landmarks[:, :2].astype(float) * [640, 480])
    assert result.pose_score == pytest.approx(0.987654321, abs=1e-6)
    assert result.job_id == "order-7"
    assert result.model is not None
    assert result.model[1:] == (2, False, 0.5, 0.5, architecture())
    assert result.model.mediapipe_version == mediapipe_version()


def test_turned_and_truncated_photo_is_read(table: LandmarkTable, save: Save) -> None:
    """Others have neither attribute: they are upright and complete."""
    save(KEY, outcome=replace(seen_person(), orientation=6, truncated=True))
    save("other.jpg")

    result, other = get(table), get(table, "other.jpg")

    assert result.image == ImageInfo(640, 480, "jpeg", 4711, orientation=6, truncated=True)
    assert result.to_json()["image"] == result.image._asdict()
    assert other.image == ImageInfo(640, 480, "jpeg", 4711, orientation=1, truncated=False)
    assert other.to_json()["image"].keys() == {"width", "height", "format", "bytes"}


@pytest.mark.parametrize("encoding", [LandmarkEncoding.MAPS])
def test_person_of_maps_is_read_alike(table: LandmarkTable, save: Save) -> None:
    """Landmarks stored as maps give the same arrays, to six decimals."""
    save(KEY)
    result, seen = get(table), seen_person().landmarks
    for group, array in seen.found():
        read = getattr(result, group.name)
        assert (read.dtype, read.shape, read.flags.writeable) == (np.float32, array.shape, False)
        np.testing.assert_allclose(read, array, rtol=2**-23, atol=5e-7)


@pytest.mark.parametrize("encoding", [LandmarkEncoding.INT16])
def test_person_of_16_bits_is_read_alike(table: LandmarkTable, save: Save) -> None:
    """Within half a step of what the worker saw; the model's usual options are filled in."""
    save(KEY)
    result, seen = get(table), seen_person().landmarks
    assert seen.pose_landmarks is not None
    assert seen.pose_world_landmarks is not None
    seen.pose_world_landmarks[:, 3] = seen.pose_landmarks[:, 3]  # as MediaPipe returns them
    for group, array in seen.found():
        read = getattr(result, group.name)
        assert (read.dtype, read.shape, read.flags.writeable) == (np.float32, array.shape, False)
        np.testing.assert_allclose(read, array, rtol=0, atol=0.5 / 4096)
    assert result.model == (mediapipe_version(), 2, False, 0.5, 0.5, architecture())
    assert result.to_json()["encoding"] == "int16"


def test_json_is_that_of_the_item(table: LandmarkTable, save: Save, written: ResultsTable) -> None:
    """The JSON is that of the item, even after the result was pickled."""
    save(KEY)
    result = get(table)
    received = pickle.loads(pickle.dumps(result))  # noqa: S301, our own data
    assert received == result
    assert received.to_json() == item_as_json(written.item.get(KEY, "photos"))


def test_without_a_person_there_are_no_landmarks(table: LandmarkTable, save: Save) -> None:
    """A failed result says why and has no size in pixels."""
    save("nobody", outcome=seen_nobody())
    save("failed", outcome=CorruptImageError("cut short"))

    nobody, failed = get(table, "nobody"), get(table, "failed")

    assert (nobody.status, nobody.pose, nobody.pixels("face_landmarks")) == (
        "not_detected",
        None,
        None,
    )
    assert (failed.status, failed.error_code, failed.error_message) == (
        "failed",
        "CORRUPT_IMAGE",
        "cut short",
    )
    assert failed.image is not None
    assert (failed.image.width, failed.image.bytes) == (None, 4711)


def test_get_names_the_buckets_to_choose_from(table: LandmarkTable, save: Save) -> None:
    """A missing result is None; several results raise an error with the buckets."""
    assert table.get(KEY) is None
    save(KEY, "b")
    save(KEY, "a")

    with pytest.raises(SeveralResultsError) as raised:
        table.get(KEY)

    assert raised.value.buckets == ("a", "b")
    chosen = table.get(KEY, "b", consistent=True)
    assert chosen is not None
    assert chosen.bucket == "b"
    assert table.get(KEY, "c") is None


@pytest.mark.parametrize("segments", [1, 3])
def test_scan_finds_each_result_once(table: LandmarkTable, save: Save, segments: int) -> None:
    """A scan yields each matching result once."""
    for number in range(9):
        outcome = CorruptImageError("cut short") if number % 3 == 0 else seen_nobody()
        save(f"{'old' if number < 5 else 'new'}/{number}", "ab"[number % 2], outcome)

    def found(status: str | None = None, bucket: str | None = None, prefix: str = "") -> list[str]:
        results = table.scan(segments=segments, status=status, bucket=bucket, prefix=prefix)
        return sorted(result.key[-1] for result in results)

    assert found() == list("012345678")
    assert found(status="failed") == list("036")
    assert found(bucket="a", prefix="new/") == list("68")


def test_an_applications_own_item_is_no_result(table: LandmarkTable, written: ResultsTable) -> None:
    """An item without `status` is not found."""
    item = {"object_key": {"S": KEY}, "bucket": {"S": "photos"}, "note": {"S": "mine"}}
    boto3.client("dynamodb").put_item(TableName=written.item.Meta.table_name, Item=item)
    assert table.get(KEY) is None
    assert list(table.scan()) == []


@pytest.mark.usefixtures("written")
def test_errors_are_named() -> None:
    """A wrong table and an unreachable DynamoDB raise their own errors."""
    with pytest.raises(TableNotFoundError):
        LandmarkTable("no-such-table").get(KEY)
    with closed_port() as address:
        table = LandmarkTable("any", endpoint_url=address)
        table._item.Meta.max_retry_attempts = 0
        with pytest.raises(ServiceError):
            list(table.scan(segments=2))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda table: table.scan(status="detcted"),
            "status='detcted': expected one of detected, not_detected, failed",
        ),
        (lambda table: table.scan(segments=0), "segments=0: expected 1 to 1,000,000"),
        (
            lambda table: table.list("photos", status="done"),
            "status='done': expected one of detected, not_detected, failed",
        ),
        (
            lambda table: table.list("photos", error_code="NOT_AN_IMGE"),
            "error_code='NOT_AN_IMGE': expected one of CORRUPT_IMAGE, ",
        ),
        (lambda table: table.list("photos", limit=-1), "limit=-1: expected 0 or more"),
        (
            lambda _: failed_result().pixels("pose_world_landmarks"),
            "group='pose_world_landmarks': expected one of pose_landmarks,",
        ),
    ],
)
def test_wrong_arguments_are_refused_at_once(
    call: Callable[[LandmarkTable], object], message: str
) -> None:
    """Invalid arguments raise immediately and list the allowed values."""
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        call(LandmarkTable("any"))


def test_names_are_mediapipes() -> None:
    """Names match MediaPipe's enumerations, read from its files because importing is slow."""
    package = find_spec("mediapipe")
    assert package is not None
    assert package.origin is not None
    folder = Path(package.origin).parent / "python" / "solutions"
    for file, name, ours in (
        ("pose", "PoseLandmark", POSE_NAMES),
        ("hands", "HandLandmark", HAND_NAMES),
    ):
        source = (folder / f"{file}.py").read_text()
        code = source[source.index(f"class {name}") :].partition("\n\n\n")[0]
        scope: dict[str, Any] = {}
        exec(f"import enum\n{code}", scope)  # noqa: S102, MediaPipe's
        assert tuple(member.name.lower() for member in scope[name]) == ours
        assert [member.value for member in scope[name]] == list(range(len(ours)))
