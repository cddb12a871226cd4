"""The report's data: counts, order, limits, distributions."""

from dataclasses import replace
from datetime import timedelta

import numpy as np

from landmarks.errors import NotAnImageError, TooSmallError
from tests.fakes import Cloud, seen_nobody, seen_people, seen_person
from tests.integration.report.album import HOSTILE_KEYS, NOW, Album
from tests.integration.report.conftest import Report
from worker.model import ModelOptions, options_hash
from worker.result import Detection


def with_score(score: float) -> Detection:
    """A person with this score."""
    seen = seen_person()
    return replace(seen, landmarks=replace(seen.landmarks, pose_score=score))


def test_everything_is_counted_and_the_newest_are_shown(album: Album, report: Report) -> None:
    """Newest first, in any order of DynamoDB; results of one date by key."""
    for number in range(7):
        album.add(f"{number}.jpg", minutes_ago=10 - number)
    album.add("b.jpg", seen_nobody(), minutes_ago=0)
    album.add("a.jpg", NotAnImageError("text"), minutes_ago=0)

    page = report(limit=4)

    assert page.keys == ["a.jpg", "b.jpg", "6.jpg", "5.jpg"]
    assert page.results_held == 4
    summary = page.report["summary"]
    assert summary["total"] == 9
    assert summary["outcomes"] == {"detected": 7, "not_detected": 1, "failed": 1}
    assert summary["first"] == "2026-03-04T04:56:07.000Z"
    assert summary["last"] == "2026-03-04T05:06:07.000Z"


def test_the_newest_of_many_are_kept(album: Album, report: Report) -> None:
    """Results that are dropped while the table is read are never among them."""
    album.add_all(album.item(f"{number:03}.jpg", minutes_ago=number) for number in range(40))

    assert report(limit=3).keys == ["000.jpg", "001.jpg", "002.jpg"]


def test_a_selection_by_place_status_and_age(cloud: Cloud, album: Album, report: Report) -> None:
    """Each of them filters, the summary too."""
    cloud.make_bucket("elsewhere-images")
    album.add("2026/new.jpg")
    album.add("2026/old.jpg", minutes_ago=120)
    album.add("2026/nobody.jpg", seen_nobody())
    album.add("2025/new.jpg")
    album.add("2026/there.jpg", bucket="elsewhere-images")

    page = report(
        bucket=cloud.stack.bucket,
        prefix="2026/",
        status="detected",
        since=NOW - timedelta(hours=1),
    )

    assert page.keys == ["2026/new.jpg"]
    assert page.report["summary"]["total"] == 1
    assert page.report["title"] == f"s3://{cloud.stack.bucket}/2026/"
    assert page.report["selection"]["since"] == "2026-03-04T04:06:07.000Z"


def test_an_empty_table_has_a_page(cloud: Cloud, report: Report) -> None:
    """Its title is the table's name."""
    page = report()

    assert page.report["summary"]["total"] == 0
    assert page.report["summary"]["durations"] is None
    assert page.report["title"] == cloud.stack.table


def test_a_result_is_complete(album: Album, report: Report) -> None:
    """Everything the detail view lists is there."""
    album.add("a/b.jpg", seen_person(), total_ms=107)

    (record,) = report(with_photos=False).report["results"]

    assert record == {
        "key": "a/b.jpg",
        "bucket": album.cloud.stack.bucket,
        "status": "detected",
        "code": None,
        "message": None,
        "width": 640,
        "height": 480,
        "format": "jpeg",
        "bytes": 4711,
        "truncated": False,
        "face": True,
        "hands": True,
        "ms": {"fetch": 5, "detect": 102, "total": 107},
        "score": 0.987654,
        "people": None,
        "person_score": None,
        "etag": "feed",
        "version": None,
        "processed": "2026-03-04T05:05:07.000Z",
        "modified": "2026-03-04T05:06:07.000Z",
        "job": "order-7",
        "options": options_hash(ModelOptions()),
        "photo": "left_out",
    }


def test_landmarks_are_exact(album: Album, report: Report) -> None:
    """Bit for bit the table's, for each group that is drawn; world landmarks are not."""
    album.add("a.jpg", seen_person(points=478))

    page, stored = report(with_photos=False), album.result("a.jpg").landmarks

    for group in ("pose", "face", "left_hand", "right_hand"):
        np.testing.assert_array_equal(
            page.landmarks(0, group), getattr(stored, f"{group}_landmarks")
        )
    assert set(page.content(0)["landmarks"]) == {"pose", "face", "left_hand", "right_hand"}


def test_everyones_landmarks_are_exact(album: Album, report: Report) -> None:
    """In the result's order, each with the score; one person alone has no list of others."""
    several = ModelOptions(max_people=16)
    album.add("a.jpg", seen_people(3), model=several)
    album.add("b.jpg", seen_people(1), model=several, minutes_ago=2)

    page, people = report(with_photos=False), album.result("a.jpg").people

    others = page.content(0)["others"]
    assert [other["score"] for other in others] == [person.person_score for person in people[1:]]
    for number, (other, person) in enumerate(zip(others, people[1:], strict=True), start=1):
        assert set(other["landmarks"]) == {
            group.name.removesuffix("_landmarks")
            for group, _ in person.landmarks.found()
            if group.name != "pose_world_landmarks"
        }
        np.testing.assert_array_equal(page.landmarks(0, "pose", number), person.pose_landmarks)
    assert page.report["results"][0]["people"] == 3
    assert page.report["results"][0]["person_score"] == people[0].person_score
    assert "others" not in page.content(1)


def test_people_are_counted(album: Album, report: Report) -> None:
    """Also those of results that no box detector saw; only first persons can be unconfirmed."""
    several = ModelOptions(max_people=16)
    unconfirmed = seen_people(2)
    unconfirmed = replace(unconfirmed, landmarks=replace(unconfirmed.landmarks, person_score=None))
    album.add("one.jpg")
    album.add("nobody.jpg", seen_nobody())
    assert report(with_photos=False).report["summary"]["people"] is None

    album.add("three.jpg", seen_people(3), model=several)
    album.add("two.jpg", unconfirmed, model=several)
    album.add("nobody there.jpg", seen_nobody(), model=several)
    album.add("text.jpg", NotAnImageError("text"), model=several)

    assert report(with_photos=False).report["summary"]["people"] == {
        "total": 6,
        "several": 2,
        "unconfirmed": 1,
    }


def test_a_failure_has_its_reason(album: Album, report: Report) -> None:
    """Code and message; the codes are counted, the most frequent first."""
    album.add("a.txt", NotAnImageError('31 bytes starting with "Milk"'))
    album.add("b.png", TooSmallError("32 x 32"))
    album.add("c.txt", NotAnImageError("0 bytes"))

    page = report()

    record = next(record for record in page.report["results"] if record["key"] == "a.txt")
    assert (record["status"], record["code"]) == ("failed", "NOT_AN_IMAGE")
    assert record["message"] == '31 bytes starting with "Milk"'
    assert page.report["summary"]["codes"] == [["NOT_AN_IMAGE", 2], ["TOO_SMALL", 1]]
    assert set(page.photos.values()) == {"refused"}


def test_durations_have_median_and_95_percent_by_nearest_rank(album: Album, report: Report) -> None:
    """Of 1 to 100 ms they are 50 and 95, and every duration is in a bar."""
    album.add_all(album.item(f"{ms}.jpg", seen_nobody(), total_ms=ms) for ms in range(1, 101))

    durations = report(limit=1).report["summary"]["durations"]

    assert (durations["median"], durations["p95"], durations["max"]) == (50, 95, 100)
    assert sum(durations["counts"]) + durations["beyond"] == 100
    assert (durations["start"], durations["step"]) == (0, 5)
    assert durations["counts"][:3] == [4, 5, 5]  # 1 to 4, 5 to 9, 10 to 14


def test_one_slow_result_does_not_stretch_the_axis(album: Album, report: Report) -> None:
    """The slowest hundredth is one bar beyond the axis."""
    album.add_all(album.item(f"{n}.jpg", seen_nobody(), total_ms=80 + n % 40) for n in range(100))
    album.add("slow.jpg", seen_nobody(), total_ms=60_000)

    durations = report(limit=1).report["summary"]["durations"]

    assert durations["beyond"] == 1
    assert durations["start"] + durations["step"] * len(durations["counts"]) < 130
    assert durations["max"] == 60_000


def test_scores_are_counted_by_twentieths(album: Album, report: Report) -> None:
    """A bar includes its lower end; a score of 1 is in the last one."""
    for score in (0.5, 0.549, 0.85, 0.899, 1.0):
        album.add(f"{score}.jpg", with_score(score))

    scores = report().report["summary"]["scores"]

    assert (scores["start"], scores["step"], scores["beyond"]) == (0.5, 0.05, 0)
    assert scores["counts"] == [2, 0, 0, 0, 0, 0, 0, 2, 0, 1]
    assert scores["median"] == 0.85


def test_options_are_counted(album: Album, report: Report) -> None:
    """Each hash has its model and its number of results, the most frequent first."""
    plain, refined = ModelOptions(), ModelOptions(refine_face_landmarks=True, model_complexity=1)
    album.add("a.jpg")
    album.add("b.jpg")
    album.add("c.jpg", model=refined)

    first, second = report().report["summary"]["options"]

    assert (first["hash"], first["count"]) == (options_hash(plain), 2)
    assert (second["hash"], second["count"]) == (options_hash(refined), 1)
    assert first["model"]["model_complexity"] == 2
    assert second["model"]["refine_face_landmarks"] is True


def test_hostile_keys_are_text(album: Album, report: Report) -> None:
    """They are unchanged, and add no tag and no script to the page."""
    tags = report(with_photos=False).tags
    album.add_all(album.item(key) for key in HOSTILE_KEYS)

    page = report(with_photos=False)

    assert sorted(page.keys) == sorted(HOSTILE_KEYS)
    assert len(page.tags) == len(tags) + len(HOSTILE_KEYS)  # their content
    assert page.texts["report"].isascii()
