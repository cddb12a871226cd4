"""The detail view: every point at its pixel, with its name, however one zooms."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from selenium.webdriver.common.keys import Keys

from landmarks.names import HAND_NAMES, POSE_NAMES
from tests.browser.gallery import BODY, CHANGED, HEIGHT, SMALL, TEXT, WHOLE, WIDTH, Gallery
from tests.browser.tab import Tab
from tests.fakes import seen_person

TIMES = "\N{MULTIPLICATION SIGN}"
GROUPS = {"pose": 33, "face": 468, "left_hand": 21, "right_hand": 21}


@pytest.fixture(scope="module")
def gallery(services: Mapping[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Gallery:
    """One result of each kind."""
    gallery = Gallery(services, "detail", tmp_path_factory.mktemp("detail"))
    gallery.fill()
    return gallery


@pytest.fixture(scope="module")
def page(gallery: Gallery) -> Path:
    """All of them."""
    return gallery.write("all")


def shown_pixels(tab: Tab, group: str) -> npt.NDArray[np.float64]:
    """Where a group's circles are, in pixels of the photo that is shown below them."""
    photo = tab.box(".large .ground")
    centres = [box.centre for box in tab.boxes(f"circle[data-group={group}]")]
    on_photo = np.array(centres) - (photo.x, photo.y)
    return on_photo * (WIDTH / photo.width, HEIGHT / photo.height)


def off_by(tab: Tab, gallery: Gallery, group: str) -> float:
    """The largest distance, in pixels of the photo, of a circle from its landmark."""
    stored = gallery.album.result(WHOLE).pixels(f"{group}_landmarks")
    assert stored is not None
    return float(np.abs(shown_pixels(tab, group) - stored).max())


def circle(group: str, number: int) -> str:
    """The CSS selector of a point."""
    return f"circle[data-group={group}][data-number='{number}']"


def test_every_landmark_is_a_point(tab: Tab, page: Path) -> None:
    """33 of the pose, 468 of the face, 21 of each hand, numbered and named."""
    tab.open(page, key=WHOLE)

    assert {group: tab.count(f"circle[data-group={group}]") for group in GROUPS} == GROUPS
    names = tab.script(
        "return [...document.querySelectorAll('circle')]"
        ".map((node) => [node.dataset.group, node.dataset.name])"
    )
    assert [name for group, name in names if group == "pose"] == [
        name.replace("_", " ") for name in POSE_NAMES
    ]
    assert [name for group, name in names if group == "left_hand"] == [
        name.replace("_", " ") for name in HAND_NAMES
    ]
    face = Counter(name for group, name in names if group == "face")
    assert face == {"face mesh": 340, "face oval": 36, "eye": 32, "brow": 20, "lips": 40}


def test_refined_faces_have_irises(tab: Tab, services: Mapping[str, Any], tmp_path: Path) -> None:
    """Their last ten points, by that name."""
    refined = Gallery(services, "refined", tmp_path)
    refined.album.add("refined.jpg", seen_person(points=478))

    tab.open(refined.write("refined"), key="refined.jpg")

    assert tab.count("circle[data-group=face]") == 478
    numbers = tab.script(
        "return [...document.querySelectorAll('circle[data-name=iris]')]"
        ".map((node) => Number(node.dataset.number))"
    )
    assert numbers == [*range(468, 478)]


@pytest.mark.parametrize("group", GROUPS)
def test_points_are_at_their_pixels(group: str, tab: Tab, page: Path, gallery: Gallery) -> None:
    """As `LandmarkResult.pixels` has them, to less than half a pixel of the photo."""
    tab.open(page, key=WHOLE)

    assert off_by(tab, gallery, group) < 0.5


def test_the_photo_fills_its_frame(tab: Tab, page: Path) -> None:
    """What the points are measured against is the photo itself, in its proportions."""
    tab.open(page, key=WHOLE)

    photo, ground = tab.box(".large image"), tab.box(".large .ground")
    assert photo == pytest.approx(ground, abs=0.01)
    assert photo.width / photo.height == pytest.approx(WIDTH / HEIGHT, rel=0.001)


def test_zoomed_points_stay_on_the_photo(tab: Tab, page: Path, gallery: Gallery) -> None:
    """By wheel, buttons and drag; the place under the pointer stays, and 0 shows all again."""
    tab.open(page, key=WHOLE)
    before = tab.box(".large .ground")
    x, y = before.centre[0] + 60, before.centre[1] - 40

    tab.turn_wheel(x, y, -500)
    tab.wait_for(lambda: tab.box(".large .ground").width > 1.5 * before.width)
    zoomed = tab.box(".large .ground")
    assert (x - zoomed.x) / zoomed.width == pytest.approx((x - before.x) / before.width, abs=0.001)
    assert off_by(tab, gallery, "pose") < 0.5

    tab.click("#zoom-in")
    wider = tab.box(".large .ground")
    assert wider.width == pytest.approx(zoomed.width * 1.5, rel=0.01)

    tab.drag((x, y), (x - 80, y - 50))
    moved = tab.box(".large .ground")
    assert (moved.x - wider.x, moved.y - wider.y) == pytest.approx((-80, -50), abs=0.5)
    assert off_by(tab, gallery, "left_hand") < 0.5

    tab.press("0")
    assert tab.box(".large .ground") == pytest.approx(before, abs=0.01)


def test_points_keep_their_size_on_the_screen(tab: Tab, page: Path) -> None:
    """Zoomed twelvefold they are at most three times as large: what lies below is seen."""
    tab.open(page, key=WHOLE)
    before = tab.box(circle("pose", 15)).width
    for _ in range(6):
        tab.click("#zoom-in")

    assert before < tab.box(circle("pose", 15)).width < 3 * before


@pytest.mark.parametrize(
    ("group", "number", "words"),
    [
        ("pose", 15, "left wrist"),
        ("face", 7, "eye"),
        ("face", 456, "face mesh"),
        ("right_hand", 4, "thumb tip"),
    ],
)
def test_a_point_says_what_it_is(
    group: str, number: int, words: str, tab: Tab, page: Path, gallery: Gallery
) -> None:
    """Name, pixels, z, and visibility of the pose, beside the pointer."""
    tab.open(page, key=WHOLE)
    tab.point_at(*tab.box(circle(group, number)).centre)
    stored = gallery.album.result(WHOLE)
    places = stored.pixels(f"{group}_landmarks")
    row = getattr(stored, f"{group}_landmarks")[number]
    assert places is not None

    tab.wait_for(lambda: tab.one(".tip").is_displayed())
    lines = tab.texts(".tip > *")
    assert lines[0] == words
    assert lines[1].endswith(f" {number}")
    assert lines[2] == f"x {places[number, 0]:.1f}, y {places[number, 1]:.1f} px"
    assert lines[3] == f"z {row[2]:.3f}"
    assert lines[4:] == (["visibility 0.90"] if group == "pose" else [])
    tip, stage = tab.box(".tip"), tab.box("#stage")
    assert stage.x <= tip.x
    assert tip.x + tip.width <= stage.x + stage.width


def test_what_a_point_says_stays_beside_it(tab: Tab, page: Path) -> None:
    """While one zooms and drags; out of sight it is not shown."""
    tab.open(page, key=WHOLE)
    tab.point_at(*tab.box(circle("pose", 15)).centre)
    tab.wait_for(lambda: tab.one(".tip").is_displayed())
    beside = distance(tab, circle("pose", 15))

    tab.press("+")
    assert distance(tab, circle("pose", 15)) == pytest.approx(beside, abs=8)

    for _ in range(6):
        tab.press("+")
    stage, point = tab.box("#stage"), tab.box(circle("pose", 15)).centre
    inside = (
        stage.x < point[0] < stage.x + stage.width and stage.y < point[1] < stage.y + stage.height
    )
    assert tab.one(".tip").is_displayed() == inside


def distance(tab: Tab, css: str) -> float:
    """How far the tip's nearer side is from a point."""
    tip, (x, _) = tab.box(".tip"), tab.box(css).centre
    return min(abs(tip.x - x), abs(tip.x + tip.width - x))


def test_layers_take_points_away(tab: Tab, page: Path) -> None:
    """In the detail view as in the gallery, and the buttons of both agree."""
    tab.open(page, key=WHOLE)
    tab.click("#about .layer.face")

    assert tab.count("circle[data-group=face]") == 0
    assert tab.count("circle[data-group=pose]") == 33
    assert tab.one("#layers .face").get_attribute("aria-pressed") == "false"

    tab.press("3")
    assert tab.count("circle[data-group$=hand]") == 0
    tab.press("1")
    assert tab.count("circle") == 0
    assert tab.count(".lines path") == 0


def test_guessed_points_can_be_left_out(tab: Tab, page: Path) -> None:
    """Those with a visibility below a half."""
    tab.open(page, key=BODY)
    assert tab.count("circle.guessed") == 8

    tab.click("#about .layer.guessed")

    assert tab.count("circle") == 25


def test_everything_about_it_is_listed(tab: Tab, page: Path, gallery: Gallery) -> None:
    """What one needs to find it again in bucket, table and log."""
    tab.open(page, key=WHOLE)
    facts = dict(zip(tab.texts("#about dt"), tab.texts("#about dd"), strict=True))
    stored = gallery.album.result(WHOLE)

    assert tab.text("#detail-key") == WHOLE
    assert facts["Found"] == "Pose 33, Face 468, Left hand 21, Right hand 21"
    assert facts["Score"] == "0.988"
    assert facts["Photo"] == f"640 {TIMES} 480 px, jpeg, 5 kB"
    assert facts["Took"] == "300 ms: fetch 5 ms, detect 295 ms"
    assert facts["Processed"] == "2026-03-04 05:05:07 UTC"
    assert facts["Bucket"] == gallery.cloud.stack.bucket
    assert facts["ETag"] == stored.etag
    assert facts["Job"] == "order-7"
    assert facts["Options"] == stored.options_hash


def test_a_failed_one_has_its_reason_in_large(tab: Tab, page: Path) -> None:
    """There is nothing to zoom, and nothing else is missing."""
    tab.open(page, key=TEXT)

    assert tab.texts("#stage .reason > *")[:2] == ["NOT_AN_IMAGE", "31 bytes of text"]
    assert not tab.one("#zoom-in").is_displayed()
    tab.click("#next")
    assert tab.text("#detail-key") == SMALL


def test_zooming_needs_no_picture(tab: Tab, page: Path) -> None:
    """Of one that failed none is shown: the standard has no matrix then, though Chromium has."""
    tab.open(page, key=TEXT)
    tab.script(
        "const matrix = SVGGraphicsElement.prototype.getScreenCTM;"
        "SVGGraphicsElement.prototype.getScreenCTM = function () {"
        "return this.isConnected ? matrix.call(this) : null; };"
    )
    tab.press("+", "-", "0", Keys.ARROW_UP)
    assert tab.console() == []

    tab.press(Keys.ARROW_LEFT, "+")
    assert tab.count(".large.zoomed") == 1


def test_a_changed_photo_leaves_its_landmarks(tab: Tab, page: Path) -> None:
    """On a plain ground, and it is said why."""
    tab.open(page, key=CHANGED)

    assert "has changed since" in tab.text("#stage .note")
    assert tab.count(".large image") == 0
    assert tab.count("circle") == 33


def test_the_address_names_the_result(tab: Tab, page: Path) -> None:
    """While it is open; such an address opens it, and one of no result searches for it."""
    tab.open(page)
    tab.click(".card")
    assert tab.script("return new URLSearchParams(location.hash.slice(1)).get('key')") == WHOLE
    tab.click("#close")
    tab.wait_for(lambda: tab.script("return location.hash") == "")

    tab.open(page, key="no such key")
    assert not tab.one("#detail").is_displayed()
    assert tab.one("#empty").is_displayed()
    assert tab.script("return document.getElementById('search').value") == "no such key"


def test_an_address_may_be_written_by_hand(tab: Tab, gallery: Gallery) -> None:
    """A plus is a plus, a percent sign that escapes nothing is itself."""
    key = "1+1 100% sure.jpg"
    gallery.album.add(key, minutes_ago=99)
    tab.open(gallery.write("by hand"))
    tab.script("location.hash = arguments[0]", f"#key={key}")

    tab.wait_for(lambda: tab.one("#detail").is_displayed())
    assert tab.text("#detail-key") == key


def test_the_key_is_copied_whole(tab: Tab, page: Path) -> None:
    """The button says so."""
    tab.open(page, key=TEXT)
    tab.script(
        "window.copied = null;"
        "Object.defineProperty(navigator, 'clipboard',"
        " { value: { writeText: async (text) => { window.copied = text; } } })"
    )
    tab.click("#about .badges button")

    tab.wait_for(lambda: tab.text("#about .badges button") == "Copied")
    assert tab.script("return window.copied") == TEXT
