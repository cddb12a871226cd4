"""The worker with `LANDMARK_ENCODING=maps`, and switching between encodings."""

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


def test_switching_the_encoding_detects_nothing_again(
    cloud: Cloud, make_handler: MakeHandler
) -> None:
    """In both directions, stored results stay valid and are rewritten only by force."""
    cloud.put("photo.jpg", nobody())
    seen = seen_person().landmarks.pose_landmarks
    assert seen is not None
    deliver(make_handler(RiggedDetectors(everything)), JOB)

    for encoding, before, after in (("maps", {"B"}, {"L"}), ("binary", {"L"}, {"B"})):
        idle = make_handler(RiggedDetectors(never), LANDMARK_ENCODING=encoding)
        assert deliver(idle, JOB) == []
        assert forms(cloud.item("photo.jpg")) == before
        np.testing.assert_allclose(answer(idle), seen, rtol=2**-23, atol=5e-7)

        busy = make_handler(RiggedDetectors(everything), LANDMARK_ENCODING=encoding)
        assert deliver(busy, JOB | {"force": True}) == []
        assert forms(cloud.item("photo.jpg")) == after
