"""Photos of several people, in the gallery and in the detail view."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from landmarks.drawing.colours import LEFT, OTHERS, RIGHT
from landmarks.groups import Landmarks
from tests.browser.gallery import HEIGHT, WIDTH, Gallery
from tests.browser.tab import Tab
from tests.browser.test_gallery import card, pixel, pixels
from tests.browser.test_looks import LOW_CONTRASTS
from tests.fakes import seen_nobody, seen_people
from worker.model import ModelOptions
from worker.result import Detection

# Newest first.
CROWD, PAIR, DOUBTED, ALONE, EMPTY = (
    "crowd.jpg",
    "pair.jpg",
    "doubted.jpg",
    "alone.jpg",
    "empty.jpg",
)
SEVERAL = ModelOptions(max_people=16)
TOGGLE_BOXES, NEXT, PREVIOUS = "6", "n", "p"


def person(number: int, score: float | None, side: float = 0.2) -> Landmarks:
    """Return a pose in its own part of the photo, with joints that are far apart."""
    joints = np.arange(33)
    pose = np.full((33, 4), 0.9, np.float32)
    pose[:, 0] = 0.02 + number % 4 / 4 + joints % 6 / 5 * side
    pose[:, 1] = 0.02 + number // 4 / 4 + joints // 6 / 5 * side
    return Landmarks(pose_landmarks=pose, person_score=score)


def crowd(count: int) -> Detection:
    """Return a detection of small people beside and below each other."""
    first, *others = (person(number, 0.95 - number / 20) for number in range(count))
    return Detection(replace(first, pose_score=0.9), WIDTH, HEIGHT, "jpeg", others=tuple(others))


@pytest.fixture(scope="module")
def people(services: Mapping[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Gallery:
    """Results of a worker that looks for several people; none has a photo."""
    gallery = Gallery(services, "people", tmp_path_factory.mktemp("people"))
    doubted = crowd(1)
    doubted = replace(doubted, landmarks=replace(doubted.landmarks, person_score=None))
    outcomes = {
        CROWD: crowd(11),
        PAIR: seen_people(2),
        DOUBTED: doubted,
        ALONE: crowd(1),
        EMPTY: seen_nobody(),
    }
    for minutes, (key, outcome) in enumerate(outcomes.items()):
        gallery.album.add(key, outcome, model=SEVERAL, minutes_ago=minutes)
    return gallery


@pytest.fixture(scope="module")
def people_page(people: Gallery) -> Path:
    """The report of all of them."""
    return people.write("people", with_photos=False)


def places(people: Gallery, key: str, number: int) -> npt.NDArray[np.float64]:
    """Return where a person's joints are, in pixels of the photo."""
    joints = people.album.result(key).people[number].pixels("pose_landmarks")
    assert joints is not None
    return joints


def pressed(tab: Tab) -> list[str]:
    """The person that is chosen in the detail view, or "all"."""
    chosen: list[str] = tab.script(
        "return [...document.querySelectorAll('#detail-people [aria-pressed=true]')]"
        ".map((node) => node.dataset.person)"
    )
    return chosen


def facts(tab: Tab) -> dict[str, str]:
    """What the detail view lists."""
    return dict(zip(tab.texts("#about dt"), tab.texts("#about dd"), strict=True))


def test_people_are_counted(tab: Tab, people_page: Path) -> None:
    """All of them, results with several, and first persons without a box."""
    tab.open(people_page)

    assert tab.text("#people-words") == "15 people · several people in 2 results · 1 unconfirmed"
    assert tab.texts("#traits button") == [
        "With face1",
        "With hands1",
        "Several people2",
        "Unconfirmed1",
    ]


def test_cards_say_how_many_and_whether_the_first_is_confirmed(tab: Tab, people_page: Path) -> None:
    """On the picture, and to screen readers; one confirmed person needs no words."""
    tab.open(people_page)

    marks = {key: tab.texts(f"{card(key)} .people") for key in (CROWD, PAIR, DOUBTED, ALONE, EMPTY)}

    assert marks == {
        CROWD: ["11 people"],
        PAIR: ["2 people"],
        DOUBTED: ["unconfirmed"],
        ALONE: [],
        EMPTY: [],
    }
    assert tab.one(card(CROWD)).get_attribute("aria-label") == (
        f"{CROWD}, Detected, 11 people, score 0.90, 100 ms"
    )
    assert "unconfirmed" in str(tab.one(card(DOUBTED)).get_attribute("aria-label"))


def test_people_filter(tab: Tab, people_page: Path) -> None:
    """Together with outcomes; pressed again, all are shown."""
    tab.open(people_page)

    tab.click("#traits .several")
    assert tab.keys() == [CROWD, PAIR]
    assert tab.text("#count") == "2 of 5 results"
    tab.click("#traits .several")
    tab.click("#traits .unconfirmed")
    assert tab.keys() == [DOUBTED]
    tab.click("#outcomes .not_detected")
    assert tab.keys() == []
    tab.click("#reset")
    assert len(tab.keys()) == 5
    tab.click("#traits .several")
    tab.click("#traits .several")
    assert len(tab.keys()) == 5


def test_cards_show_everyone(tab: Tab, people_page: Path, people: Gallery) -> None:
    """The first person in the sides' colours, everyone else in their own."""
    tab.set_window(1280, 900, phone=True)  # a dot has more than one pixel there
    tab.open(people_page)
    pixels(tab, CROWD)

    for number, colour in enumerate([LEFT, *OTHERS[:10]]):
        x, y = places(people, CROWD, number)[13] / (WIDTH, HEIGHT)
        assert pixel(tab, CROWD, x, y)[:3] == pytest.approx(colour, abs=60), number


def test_boxes_are_shown_on_request(tab: Tab, people_page: Path, people: Gallery) -> None:
    """In pictures of people, with numbers; in the detail view with scores, around the joints."""
    tab.open(people_page)
    before, beside = pixels(tab, CROWD), pixels(tab, EMPTY)
    tab.click("#layers .boxes")
    assert pixels(tab, CROWD) != before
    assert pixels(tab, EMPTY) == beside

    tab.show(CROWD)
    assert sorted(tab.texts(".tag text")) == sorted(
        f"{number + 1} {0.95 - number / 20:.2f}" for number in range(11)
    )
    box = people.album.result(CROWD).people[4].bounding_box
    assert box
    corner = f"M{box.x * WIDTH:.2f} {box.y * HEIGHT:.2f}L"
    outlines = tab.script(
        "return [...document.querySelectorAll('.lines path:last-child')]"
        ".map((node) => [node.getAttribute('d'), node.getAttribute('stroke')])"
    )
    assert [colour for path, colour in outlines if path.startswith(corner)] == [
        f"rgb({' '.join(map(str, OTHERS[3]))})"
    ]

    tab.press(TOGGLE_BOXES)
    assert tab.count(".tag") == 0


def test_every_person_has_points_at_their_pixels(
    tab: Tab, people_page: Path, people: Gallery
) -> None:
    """Each with the person's number in its words."""
    tab.open(people_page, CROWD)
    ground = tab.box(".large .ground")

    assert tab.count("circle") == 11 * 33
    for number in range(11):
        boxes = tab.boxes(f"circle[data-person='{number}']")
        shown = np.array([box.centre for box in boxes]) - (ground.x, ground.y)
        shown *= WIDTH / ground.width
        assert np.abs(shown - places(people, CROWD, number)).max() < 0.5
    label = tab.one("circle[data-person='3'][data-number='15']").get_attribute("aria-label")
    assert str(label).startswith("left wrist, Person 4, Pose 15, ")


def test_a_chosen_person_stands_out(tab: Tab, people_page: Path) -> None:
    """The others are dimmed and have no points; the points show left and right."""
    tab.open(people_page, CROWD)
    assert tab.count(".lines.dimmed") == 0
    assert pressed(tab) == ["all"]
    assert facts(tab)["Found"] == "11 people"

    tab.click("#detail-people [data-person='2']")

    assert pressed(tab) == ["2"]
    assert (tab.count(".lines"), tab.count(".lines.dimmed")) == (11, 10)
    assert tab.count(".lines:not(.dimmed) ~ .lines") == 0  # on top
    assert tab.count("circle") == tab.count("circle[data-person='2']") == 33
    for joint, colour in ((15, LEFT), (16, RIGHT)):
        fill = tab.one(f"circle[data-number='{joint}']").get_attribute("fill")
        assert fill == f"rgb({' '.join(map(str, colour))})"
    assert facts(tab)["Person"] == "3 of 11"
    assert facts(tab)["Found"] == "Pose: 33 points"
    assert facts(tab)["Box score"] == "0.850"
    assert "Score" not in facts(tab)

    tab.click("#detail-people [data-person='2']")
    assert pressed(tab) == ["all"]
    assert tab.count("circle") == 11 * 33


def test_faces_have_points_once_a_person_is_chosen(tab: Tab, people_page: Path) -> None:
    """Their lines are drawn for everyone: points would hide small faces."""
    tab.open(people_page, PAIR)
    assert tab.count("circle[data-group=face]") == 0
    assert tab.count("circle") == 2 * (33 + 21 + 21)
    lines = tab.count(".lines path")

    tab.press(NEXT)
    assert tab.count("circle[data-group=face]") == 468
    assert tab.count("circle") == 33 + 468 + 21 + 21
    assert tab.count(".lines path") == lines


def test_people_are_listed_with_their_scores(tab: Tab, people_page: Path) -> None:
    """In the result's order, each with the colour it is drawn in."""
    tab.open(people_page, CROWD)

    assert tab.texts("#detail-people button") == [
        "Everyone",
        *(f"{number + 1}{0.95 - number / 20:.2f}" for number in range(11)),
    ]
    swatches = tab.script(
        "return [...document.querySelectorAll('#detail-people .swatch')]"
        ".map((node) => node.style.background.match(/rgb\\([^)]*\\)/)[0])"
    )
    assert swatches == [f"rgb{colour}" for colour in (LEFT, *OTHERS[:10])]


def test_the_json_has_everyone(tab: Tab, people_page: Path, people: Gallery) -> None:
    """In the form of `landmarks get --json`, also while one person is chosen."""
    tab.open(people_page, PAIR)
    tab.catch_copies()
    tab.click("#table summary")
    tab.press(NEXT)
    tab.click("#copy-json")
    tab.wait_for_text("#copy-json", "Copied")

    shown, stored = json.loads(tab.copied()), people.album.result(PAIR).to_json()
    assert len(stored["other_people"]) == 1
    for ours, theirs in ((shown, stored), (shown["other_people"][0], stored["other_people"][0])):
        assert ours["person_score"] == pytest.approx(theirs["person_score"])
        for name in ("pose_landmarks", "face_landmarks", "left_hand_landmarks"):
            assert ours[name] == theirs[name]
    assert shown["people_count"] == stored["people_count"] == 2


def test_keys_move_from_person_to_person(tab: Tab, people_page: Path) -> None:
    """Around in a circle, with everyone between the last and the first."""
    tab.open(people_page, PAIR)
    seen = []
    for key in (NEXT, NEXT, NEXT, PREVIOUS, PREVIOUS):
        tab.press(key)
        seen += pressed(tab)

    assert seen == ["0", "1", "all", "1", "0"]
    assert facts(tab)["Score"] == "0.988"
    tab.show(CROWD)
    assert pressed(tab) == ["all"]


def test_small_people_have_small_points(
    tab: Tab, services: Mapping[str, Any], tmp_path: Path
) -> None:
    """So that their lines can still be seen."""
    gallery = Gallery(services, "sizes", tmp_path)
    sizes = replace(crowd(1), others=(person(1, 0.5, side=0.7),))
    gallery.album.add("sizes.jpg", sizes, model=SEVERAL)
    tab.open(gallery.write("sizes", with_photos=False), "sizes.jpg")

    small, large = (tab.box(f"circle[data-person='{n}'][data-number='15']").width for n in (0, 1))

    assert small < 0.7 * large


def test_an_unconfirmed_person_is_marked(tab: Tab, people_page: Path) -> None:
    """In the detail view, too; one alone has no list to choose from."""
    tab.open(people_page, DOUBTED)
    assert tab.one("#detail-unconfirmed").is_displayed()
    assert not tab.one("#detail-people").is_displayed()

    tab.show(ALONE)
    assert not tab.one("#detail-unconfirmed").is_displayed()
    assert facts(tab)["Box score"] == "0.950"
    tab.press(NEXT)
    assert tab.count(".lines.dimmed") == 0
    assert tab.count("circle") == 33


def test_reports_of_one_person_each_have_nothing_of_it(tab: Tab, page: Path) -> None:
    """Neither filters nor boxes nor words about people."""
    tab.open(page)

    assert tab.count("#traits .several, #traits .unconfirmed") == 0
    assert tab.text("#people-words") == ""
    assert tab.count(".layer.boxes, .card .people") == 0
    assert "n" not in tab.texts("#shortcuts kbd")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_team_fits_on_a_phone(scheme: str, tab: Tab, people_page: Path) -> None:
    """Eleven people with boxes: nothing is too wide, every text can be read."""
    tab.set_window(390, 844, phone=True)
    tab.set_media(scheme, still=True)
    tab.open(people_page)
    assert tab.script("return document.documentElement.scrollWidth") == 390
    tab.press(TOGGLE_BOXES)
    tab.show(CROWD)
    for keys in ("", NEXT):
        tab.press(*keys)
        assert tab.script("return document.getElementById('about').scrollWidth") <= 390
        for box in tab.boxes("#detail-people button"):
            assert box.x >= 0
            assert box.x + box.width <= 390
        assert tab.script(LOW_CONTRASTS)["low"] == []
