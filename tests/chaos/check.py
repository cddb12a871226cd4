"""The verdict: the contents of table and queues, compared with what the plan promised.

Pure and independent: it imports nothing of the worker or of the harness. The right landmarks come
from stock MediaPipe.
"""

import math
import struct
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

Item = Mapping[str, Mapping[str, Any]]
"""A DynamoDB item as the service writes it: name, type, value."""

_GROUPS: Final = frozenset(
    {
        "pose_landmarks",
        "pose_world_landmarks",
        "face_landmarks",
        "left_hand_landmarks",
        "right_hand_landmarks",
    }
)
_VISIBLE: Final = 0.5
_BOX_TOLERANCE: Final = 2e-6  # stored with six decimals


@dataclass(frozen=True, slots=True)
class ItemPromise:
    """An object, and what its item has to contain.

    Attributes:
        story: for the report.
        key: of the object.
        bucket: of the object.
        identity: ETag and version of the content whose result has to be stored.
        older: the same for the contents that it replaced.
        size_bytes: of the content.
        codes: the error codes that are right; empty if the picture is valid.
        width: of the upright picture.
        height: of the upright picture.
        groups: the landmarks of the first person as they have to be stored; empty if there is no
            person.
        picture: all contents with this name show the same people.
        people: how many people have to be stored.
        counted: whether the worker looks for several people, and stores how many it found.
    """

    story: str
    key: str
    bucket: str
    identity: tuple[str, str | None]
    older: frozenset[tuple[str, str | None]] = frozenset()
    size_bytes: int = 0
    codes: frozenset[str] = frozenset()
    width: int = 0
    height: int = 0
    groups: Mapping[str, bytes] = field(default_factory=dict)
    picture: str = ""
    people: int = 0
    counted: bool = False


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message in the dead-letter queue: its body, and its attributes as text."""

    body: str
    attributes: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is found after the run."""

    items: Sequence[Item]
    in_queue: int
    dead_letters: Sequence[DeadLetter]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Broken promises, a line each, and a few figures.

    Attributes:
        lost: a missing item or dead letter, or a message still in the queue.
        wrong: an item with wrong content, or one that no message asked for.
        stale: an item of a content that was replaced by a newer one.
        innocent: dead letters that are not planned.
        mislabelled: dead letters with another reason than planned.
        statuses: of all items.
        extra_copies: of planned dead letters: a send whose answer is lost is repeated.
        unlabelled: dead letters without a reason: moved by SQS because the worker died at the
            last attempt.
        most_attempts: the highest receive count of a message that succeeded.
    """

    lost: Sequence[str]
    wrong: Sequence[str]
    stale: Sequence[str]
    innocent: Sequence[str]
    mislabelled: Sequence[str]
    statuses: Mapping[str, int]
    extra_copies: int
    unlabelled: int
    most_attempts: int


def judge(
    promises: Iterable[ItemPromise], deaths: Mapping[str, frozenset[str]], evidence: Evidence
) -> Verdict:
    """Compare.

    Args:
        promises: one for each object that has to have an item.
        deaths: the bodies that have to be dead letters, each with its error codes.
        evidence: what is there.
    """
    items = {_place(item): item for item in evidence.items}
    lost = [f"{evidence.in_queue} messages still in the queue"] if evidence.in_queue else []
    wrong: list[str] = []
    stale: list[str] = []
    others: dict[str, Sequence[Item]] = {}
    for promise in promises:
        item = items.pop((promise.key, promise.bucket), None)
        name = f"{promise.bucket}/{promise.key}"
        if item is None:
            lost.append(f"{name}: no item")
        elif _identity(item) in promise.older:
            stale.append(f"{name}: {_identity(item)} instead of {promise.identity}")
        else:
            wrong.extend(f"{name}: {complaint}" for complaint in _complaints(promise, item))
            if promise.picture and others.setdefault(promise.picture, _others(item)) != _others(
                item
            ):
                wrong.append(f"{name}: other people than in another item of {promise.picture}")
    wrong.extend(f"{bucket}/{key}: nobody asked for this item" for key, bucket in items)
    copies = Counter(letter.body for letter in evidence.dead_letters)
    lost.extend(f"no dead letter: {_short(body)}" for body in deaths if body not in copies)
    return Verdict(
        lost=lost,
        wrong=wrong,
        stale=stale,
        innocent=[_short(body) for body in copies if body not in deaths],
        mislabelled=list(_mislabelled(deaths, evidence.dead_letters)),
        statuses=Counter(_text(item, "status") or "?" for item in evidence.items),
        extra_copies=sum(count - 1 for body, count in copies.items() if body in deaths),
        unlabelled=sum("error_code" not in dead.attributes for dead in evidence.dead_letters),
        most_attempts=max(
            (int(item["attempts"]["N"]) for item in evidence.items if "attempts" in item), default=0
        ),
    )


def _mislabelled(
    deaths: Mapping[str, frozenset[str]], letters: Iterable[DeadLetter]
) -> Iterable[str]:
    for letter in letters:
        code = letter.attributes.get("error_code")
        if code is not None and code not in deaths.get(letter.body, {code}):
            yield f"{code}: {_short(letter.body)}"


def _complaints(promise: ItemPromise, item: Item) -> Iterable[str]:
    """What is wrong with an item that is not stale."""
    if _identity(item) != promise.identity:
        yield f"of {_identity(item)} instead of {promise.identity}"
        return
    status = _text(item, "status")
    found = {name: item[name]["B"] for name in _GROUPS if name in item}
    if promise.codes:
        code = _text(item, "error_code")
        if status != "failed" or code not in promise.codes or found:
            yield f"{status} {code} instead of failed {sorted(promise.codes)}"
        return
    expected = "detected" if promise.groups else "not_detected"
    if status != expected:
        yield f"{status} ({_text(item, 'error_code')}) instead of {expected}"
        return
    yield from (
        f"{name}: other bytes than stock MediaPipe's"
        for name in sorted(_GROUPS)
        if found.get(name) != promise.groups.get(name)
    )
    yield from _other_complaints(promise, item)


def _other_complaints(promise: ItemPromise, item: Item) -> Iterable[str]:
    image = item.get("image", {}).get("M", {})
    size = tuple(int(image.get(name, {}).get("N", 0)) for name in ("width", "height", "bytes"))
    if size != (promise.width, promise.height, promise.size_bytes):
        yield f"width, height and bytes are {size}"
    if item.get("schema_version") != {"N": "1"}:
        yield f"schema version {item.get('schema_version')}"
    yield from _people_complaints(promise, item)
    if not promise.groups:
        return
    if not _is_score(item.get("pose_score")):
        yield f"pose score {item.get('pose_score')}"
    yield from _box_complaints(item)


def _people_complaints(promise: ItemPromise, item: Item) -> Iterable[str]:
    """What is wrong with the number of people, and with all but the first."""
    others = _others(item)
    stored = max(promise.people, 1) - 1
    if len(others) != stored:
        yield f"{len(others)} other people instead of {stored}"
    expected = {"N": str(promise.people)} if promise.counted else None
    if item.get("people_count") != expected:
        yield f"people count {item.get('people_count')}"
    poses = [person["pose_landmarks"]["B"] for person in (item, *others) if promise.groups]
    if len(set(poses)) < len(poses):
        yield "a person is stored twice"
    for person in others:
        if not _is_score(person.get("person_score")):
            yield f"person score {person.get('person_score')}"
        yield from _box_complaints(person)


def _box_complaints(person: Item) -> Iterable[str]:
    box = person.get("bounding_box", {}).get("M", {})
    stored = [float(box.get(name, {}).get("N", math.nan)) for name in ("x", "y", "width", "height")]
    expected = _box(person["pose_landmarks"]["B"])
    if not np.allclose(stored, expected, atol=_BOX_TOLERANCE, rtol=0):
        yield f"bounding box {stored}"


def _is_score(value: Mapping[str, Any] | None) -> bool:
    return value is not None and 0 < float(value["N"]) <= 1


def _others(item: Item) -> Sequence[Item]:
    """Everyone but the first person."""
    return [person["M"] for person in item.get("other_people", {}).get("L", [])]


def _box(pose: bytes) -> list[float]:
    """The bounding box of a pose's visible points: x, y, width, height."""
    seen = [
        (x, y) for x, y, _, visibility in struct.iter_unpack("<4f", pose) if visibility >= _VISIBLE
    ]
    xs, ys = zip(*seen, strict=True)
    return [min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)]


def _place(item: Item) -> tuple[str, str]:
    return item["object_key"]["S"], item["bucket"]["S"]


def _identity(item: Item) -> tuple[str, str | None]:
    return _text(item, "etag") or "", _text(item, "version_id")


def _text(item: Item, name: str) -> str | None:
    value: str | None = item.get(name, {}).get("S")
    return value


def _short(body: str) -> str:
    return body if len(body) <= 300 else f"{body[:300]}… ({len(body)} characters)"
