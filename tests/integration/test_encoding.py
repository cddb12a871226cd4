"""The worker with `LANDMARK_ENCODING` int16 and maps, and switching between encodings."""

import numpy as np

from landmarks.groups import GROUPS
from tests.conftest import MakeHandler
from tests.fakes import (
    Cloud,
    Context,
    Item,
    RiggedDetectors,
    deliver,
    never,
    nobody,
    person,
    seen_person,
)
from worker.handler import Handler
from worker.result import Detection

JOB = {"key": "photo.jpg"}


def everything(_content: bytes, _deadline: float) -> Detection:
    """A detection with all groups."""
    return seen_person()


def forms(item: Item) -> set[str]:
    """Return DynamoDB's types of an item's groups."""
    return {kind for group in GROUPS if group.name in item for kind in item[group.name]}


def answer(handler: Handler) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Return the first landmarks of a direct invocation's answer."""
    body = handler.handle(JOB, Context())["body"]
    points = body["data"]["pose_landmarks"]["landmark"]
    return np.array([list(point.values()) for point in points])


def test_real_landmarks_are_stored_as_maps(cloud: Cloud, make_handler: MakeHandler) -> None:
    """All groups found are stored as maps, rounded to six decimals."""
    for key, encoding in (("maps", "maps"), ("bytes", "binary")):
        cloud.put(key, person())
        assert deliver(make_handler(LANDMARK_ENCODING=encoding), {"key": key}) == []

    maps, binary = cloud.item("maps"), cloud.item("bytes")
    assert (forms(maps), forms(binary)) == ({"L"}, {"B"})
    assert maps.keys() == binary.keys()
    assert maps["options_hash"] == binary["options_hash"]
    array = np.frombuffer(binary["face_landmarks"]["B"], "<f4").reshape(-1, 3)
    points = [[float(p["M"][c]["N"]) for c in "xyz"] for p in maps["face_landmarks"]["L"]]
    np.testing.assert_allclose(points, array, rtol=0, atol=5e-7)


def test_real_landmarks_are_stored_in_16_bits(cloud: Cloud, make_handler: MakeHandler) -> None:
    """Everything else that is stored is the same, but for what readers know anyway."""
    for key, encoding in (("bits", "int16"), ("bytes", "binary")):
        cloud.put(key, person())
        assert deliver(make_handler(LANDMARK_ENCODING=encoding), {"key": key}) == []

    bits, binary = cloud.item("bits"), cloud.item("bytes")
    assert bits.pop("encoding") == {"S": "int16"}
    assert binary.keys() - bits.keys() == {"prefix"}
    assert bits.keys() <= binary.keys()
    assert bits["options_hash"] == binary["options_hash"]
    known = {"refine_face_landmarks", "min_detection_confidence", "min_landmark_confidence"}
    model = binary["model"]["M"].items()
    assert bits["model"]["M"] == {name: value for name, value in model if name not in known}
    face = np.frombuffer(bits["face_landmarks"]["B"], "<i2") / 16384
    exact = np.frombuffer(binary["face_landmarks"]["B"], "<f4")
    np.testing.assert_allclose(face, exact, rtol=0, atol=0.5 / 16384)


def test_int16_items_have_what_the_index_needs(cloud: Cloud, make_handler: MakeHandler) -> None:
    """With PREFIX_INDEX their folder, which would not fit into 4 write units otherwise."""
    cloud.put("a/photo.jpg", nobody())
    handler = make_handler(RiggedDetectors(everything), LANDMARK_ENCODING="int16", PREFIX_INDEX="1")

    assert deliver(handler, {"key": "a/photo.jpg"}) == []

    assert cloud.item("a/photo.jpg")["prefix"] == {"S": f"{cloud.stack.bucket}/a/"}


def test_nobody_has_no_encoding(cloud: Cloud, make_handler: MakeHandler) -> None:
    """It tells how groups are written, of which there are none."""
    cloud.put("photo.jpg", nobody())

    assert deliver(make_handler(LANDMARK_ENCODING="int16"), JOB) == []

    assert "encoding" not in cloud.item("photo.jpg")


def test_switching_the_encoding_detects_nothing_again(
    cloud: Cloud, make_handler: MakeHandler
) -> None:
    """Stored results stay valid in every direction, and are rewritten only by force."""
    cloud.put("photo.jpg", nobody())
    seen = seen_person().landmarks.pose_landmarks
    assert seen is not None
    deliver(make_handler(RiggedDetectors(everything)), JOB)

    steps = (("maps", {"B"}, {"L"}), ("int16", {"L"}, {"B"}), ("binary", {"B"}, {"B"}))
    for encoding, before, after in steps:
        idle = make_handler(RiggedDetectors(never), LANDMARK_ENCODING=encoding)
        assert deliver(idle, JOB) == []
        assert forms(cloud.item("photo.jpg")) == before
        atol = 0.5 / 4096 if "encoding" in cloud.item("photo.jpg") else 5e-7
        np.testing.assert_allclose(answer(idle), seen, rtol=2**-23, atol=atol)

        busy = make_handler(RiggedDetectors(everything), LANDMARK_ENCODING=encoding)
        assert deliver(busy, JOB | {"force": True}) == []
        assert forms(cloud.item("photo.jpg")) == after
