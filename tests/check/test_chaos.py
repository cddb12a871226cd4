"""The verdict of `make chaos`: whatever is lost, wrong or stale is found."""

import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

from tests.chaos.check import DeadLetter, Evidence, ItemPromise, Verdict, judge

_POSE = b"\0\0\0\x3f" * 4 * 33  # every point at (0.5, 0.5), visible
_GOOD = ItemPromise(
    story="plain",
    key="a.jpg",
    bucket="b",
    identity=("etag-2", "version-2"),
    older=frozenset({("etag-1", "version-1")}),
    size_bytes=10,
    width=30,
    height=20,
    groups={"pose_landmarks": _POSE, "pose_world_landmarks": _POSE},
)
_FAILED = replace(_GOOD, key="f.jpg", codes=frozenset({"CORRUPT_IMAGE"}), groups={})
_DEAD = {"malformed": "INVALID_MESSAGE"}


def _numbers(**values: float) -> dict[str, Any]:
    return {"M": {name: {"N": str(value)} for name, value in values.items()}}


def _item(promise: ItemPromise, **changes: dict[str, Any] | None) -> dict[str, dict[str, Any]]:
    """The item that keeps a promise, with some attributes changed; None removes one."""
    item: dict[str, dict[str, Any] | None] = {
        "object_key": {"S": promise.key},
        "bucket": {"S": promise.bucket},
        "etag": {"S": promise.identity[0]},
        "version_id": {"S": "version-2"},
        "status": {"S": "detected" if promise.groups else "failed"},
        "image": _numbers(width=promise.width, height=promise.height, bytes=promise.size_bytes),
        "schema_version": {"N": "1"},
        "attempts": {"N": "3"},
        **{name: {"B": content} for name, content in promise.groups.items()},
    }
    if promise.codes:
        item["error_code"] = {"S": next(iter(promise.codes))}
    else:
        item["pose_score"] = {"N": "0.9"}
        item["bounding_box"] = _numbers(x=0.5, y=0.5, width=0, height=0)
    return {name: value for name, value in (item | changes).items() if value is not None}


def _verdict(
    *items: dict[str, dict[str, Any]], in_queue: int = 0, dead: dict[str, str] = _DEAD
) -> Verdict:
    letters = [DeadLetter(body, {"error_code": code}) for body, code in dead.items()]
    deaths = {"malformed": frozenset({"INVALID_MESSAGE"})}
    return judge((_GOOD, _FAILED), deaths, Evidence(items, in_queue, letters))


_ITEMS = (_item(_GOOD), _item(_FAILED))


def test_a_kept_promise_is_no_complaint() -> None:
    """Every item is there and right, and so is the dead letter."""
    verdict = _verdict(*_ITEMS)
    assert (verdict.lost, verdict.wrong, verdict.stale, verdict.innocent) == ([], [], [], [])
    assert (verdict.mislabelled, verdict.extra_copies, verdict.most_attempts) == ([], 0, 3)


def test_what_is_lost_is_found() -> None:
    """An item, a dead letter, or a message that is still in the queue."""
    assert _verdict(*_ITEMS[1:]).lost == ["b/a.jpg: no item"]
    assert _verdict(*_ITEMS, dead={}).lost == ["no dead letter: malformed"]
    assert _verdict(*_ITEMS, in_queue=2).lost == ["2 messages still in the queue"]


@pytest.mark.parametrize(
    "wrong",
    [
        _item(_GOOD, pose_landmarks={"B": _POSE[:-1] + b"\x40"}),
        _item(_GOOD, face_landmarks={"B": bytes(12)}),
        _item(_GOOD, etag={"S": "of another object"}),
        _item(_GOOD, status={"S": "not_detected"}),
        _item(_GOOD, image=_numbers(width=20, height=30, bytes=10)),
        _item(_GOOD, bounding_box=None),
        _item(_FAILED, error_code={"S": "NOT_AN_IMAGE"}),
        _item(_FAILED, pose_landmarks={"B": _POSE}),
        _item(replace(_GOOD, key="uninvited.jpg")),
    ],
)
def test_what_is_wrong_is_found(wrong: dict[str, dict[str, Any]]) -> None:
    """One bit of one landmark is enough, and so is an item that no message asked for."""
    others = [item for item in _ITEMS if item["object_key"] != wrong["object_key"]]
    assert len(_verdict(wrong, *others).wrong) == 1


_SECOND: dict[str, Any] = {
    "pose_landmarks": {"B": b"\0\0\x80\x3e" * 2 + b"\0\0\x80\x3f" * 2 + _POSE[16:]},
    "person_score": {"N": "0.7"},
    "bounding_box": _numbers(x=0.25, y=0.25, width=0.25, height=0.25),
}
_GROUP = replace(_GOOD, people=2, counted=True, picture="group")


def _group_item(*others: dict[str, Any], **changes: Any) -> dict[str, dict[str, Any]]:  # noqa: ANN401, any attribute
    people = {"L": [{"M": other} for other in others]}
    count = {"N": str(1 + len(others))}
    return _item(_GROUP, **{"people_count": count, "other_people": people, **changes})


def _group_verdict(*items: dict[str, dict[str, Any]]) -> list[str]:
    promises = [replace(_GROUP, key=item["object_key"]["S"]) for item in items]
    return list(judge(promises, {}, Evidence(items, 0, [])).wrong)


def test_a_kept_promise_of_two_people_is_no_complaint() -> None:
    """Both are there, and the second has a score and a box of its own."""
    assert _group_verdict(_group_item(_SECOND)) == []


@pytest.mark.parametrize(
    "wrong",
    [
        _group_item(_SECOND, people_count={"N": "3"}),
        _group_item({**_SECOND, "pose_landmarks": {"B": _POSE}}),
        _group_item({**_SECOND, "bounding_box": {"M": {}}}),
        _group_item({**_SECOND, "person_score": {"N": "1.5"}}),
        _group_item(_SECOND, _SECOND),
        _item(_GOOD, people_count={"N": "1"}),
    ],
    ids=["count", "the first again", "box", "score", "one too many", "one missing"],
)
def test_what_is_wrong_with_others_is_found(wrong: dict[str, dict[str, Any]]) -> None:
    """Their number, their identity, and each one's attributes."""
    assert _group_verdict(wrong)


def test_equal_pictures_have_equal_people() -> None:
    """Landmarks of others are compared with those in other items of the picture."""
    moved = {**_SECOND, "pose_world_landmarks": {"B": _POSE}}
    again = _group_item(moved, object_key={"S": "again.jpg"})

    assert _group_verdict(_group_item(_SECOND), again) == [
        "b/again.jpg: other people than in another item of group"
    ]


def test_without_the_setting_nobody_is_counted() -> None:
    """`people_count` and `other_people` are for a worker that looks for several."""
    counted = _item(_GOOD, people_count={"N": "1"})

    assert _verdict(counted, _ITEMS[1]).wrong == ["b/a.jpg: people count {'N': '1'}"]


def test_what_is_stale_is_found() -> None:
    """An older version instead of the newer one, even with the same landmarks."""
    old = _item(_GOOD, etag={"S": "etag-1"}, version_id={"S": "version-1"})
    assert len(_verdict(old, *_ITEMS[1:]).stale) == 1


def test_dead_letters_that_should_not_be_are_found() -> None:
    """An innocent message, and one with the wrong reason."""
    assert _verdict(*_ITEMS, dead=_DEAD | {"good": "ERROR"}).innocent == ["good"]
    assert _verdict(*_ITEMS, dead={"malformed": "ERROR"}).mislabelled == ["ERROR: malformed"]


def test_the_verdict_shares_no_code_with_the_worker() -> None:
    """A mistake of the worker cannot hide itself."""
    program = "import sys, tests.chaos.check, tests.chaos.promises, tests.chaos.world\n"
    program += "sys.exit(any(name.partition('.')[0] == 'worker' for name in sys.modules))"
    subprocess.run([sys.executable, "-c", program], check=True)
