"""The detail view: every point at its pixel, with its name, at any zoom."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from selenium.webdriver.common.keys import Keys

from landmarks.names import HAND_NAMES, POSE_NAMES
from tests.browser.gallery import (
    BODY,
    CHANGED,
    HEIGHT,
    NOBODY,
    SMALL,
    TEXT,
    TYPED,
    WHOLE,
    WIDTH,
    Gallery,
)
from tests.browser.tab import Tab
from tests.fakes import seen_person

TIMES = "\N{MULTIPLICATION SIGN}"
GROUPS = {"pose": 33, "face": 468, "left_hand": 21, "right_hand": 21}


def shown_pixels(tab: Tab, group: str) -> npt.NDArray[np.float64]:
    """Where a group's circles are, in pixels of the photo below them."""
    photo = tab.box(".large .ground")
    centres = [box.centre for box in tab.boxes(f"circle[data-group={group}]")]
    on_photo = np.array(centres) - (photo.x, photo.y)
    return on_photo * (WIDTH / photo.width, HEIGHT / photo.height)


def off_by(tab: Tab, gallery: Gallery, group: str) -> float:
    """The largest distance of a circle from its landmark, in pixels of the photo."""
    stored = gallery.album.result(WHOLE).pixels(f"{group}_landmarks")
    assert stored is not None
    return float(np.abs(shown_pixels(tab, group) - stored).max())


def circle(group: str, number: int) -> str:
    """The CSS selector of a point."""
    return f"circle[data-group={group}][data-number='{number}']"


def distance(tab: Tab, css: str) -> float:
    """How far the tip's nearer side is from a point."""
    tip, (x, _) = tab.box(".tip"), tab.box(css).centre
    return min(abs(tip.x - x), abs(tip.x + tip.width - x))


def test_every_landmark_is_a_point_at_its_pixel(tab: Tab, page: Path, gallery: Gallery) -> None:
    """Numbered and named, within half a pixel of `LandmarkResult.pixels`."""
    tab.open(page, WHOLE)

    assert {group: tab.count(f"circle[data-group={group}]") for group in GROUPS} == GROUPS
    assert max(off_by(tab, gallery, group) for group in GROUPS) < 0.5
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
    """Their last ten points."""
    refined = Gallery(services, "refined", tmp_path)
    refined.album.add("refined.jpg", seen_person(points=478))

    tab.open(refined.write("refined"), "refined.jpg")

    assert tab.count("circle[data-group=face]") == 478
    numbers = tab.script(
        "return [...document.querySelectorAll('circle[data-name=iris]')]"
        ".map((node) => Number(node.dataset.number))"
    )
    assert numbers == [*range(468, 478)]


def test_truncated_photos_say_so(tab: Tab, services: Mapping[str, Any], tmp_path: Path) -> None:
    """On their card, to screen readers, and in the details; others don't."""
    gallery = Gallery(services, "truncated", tmp_path)
    gallery.album.add("cut.jpg", replace(seen_person(), truncated=True))
    gallery.album.add("whole.jpg", minutes_ago=2)
    page = gallery.write("truncated")

    tab.open(page)
    assert tab.texts(".caption .facts > :last-child") == [
        "truncated · 0.99 · 100 ms",
        "0.99 · 100 ms",
    ]
    labels = tab.script(
        "return [...document.querySelectorAll('.card')].map((card) => card.ariaLabel)"
    )
    assert ["truncated" in label for label in labels] == [True, False]

    tab.open(page, "cut.jpg")
    facts = dict(zip(tab.texts("#about dt"), tab.texts("#about dd"), strict=True))
    assert facts["Photo"] == f"640 {TIMES} 480 px, jpeg, 5 kB, truncated"


def test_the_photo_fills_its_frame(tab: Tab, page: Path) -> None:
    """The points are measured against the photo itself, in its proportions."""
    tab.open(page, WHOLE)

    photo, ground = tab.box(".large image"), tab.box(".large .ground")
    assert photo == pytest.approx(ground, abs=0.01)
    assert photo.width / photo.height == pytest.approx(WIDTH / HEIGHT, rel=0.001)


def test_zoomed_points_stay_on_the_photo(tab: Tab, page: Path, gallery: Gallery) -> None:
    """By wheel, buttons and drag. The place under the pointer stays, and Fit shows all again."""
    tab.open(page, WHOLE)
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

    assert tab.text("#zoom-reset") == "Fit"
    tab.click("#zoom-reset")
    assert tab.box(".large .ground") == pytest.approx(before, abs=0.01)


def test_keys_zoom_about_the_chosen_point_or_the_pointer(tab: Tab, page: Path) -> None:
    """Both stay where they are on the screen."""
    tab.open(page, WHOLE)
    wrist = circle("pose", 15)
    before = tab.box(wrist).centre
    tab.point_at(*before)
    tab.press("+", "+")
    assert tab.box(wrist).centre == pytest.approx(before, abs=0.5)

    tab.press("0")
    photo = tab.box(".large .ground")
    x, y = photo.x + 3, photo.y + 3  # a corner without points
    tab.point_at(x, y)
    tab.press("+")
    zoomed = tab.box(".large .ground")
    assert zoomed.width == pytest.approx(photo.width * 1.5, rel=0.01)
    assert (x - zoomed.x, y - zoomed.y) == pytest.approx((4.5, 4.5), abs=0.5)


def test_a_clicked_point_is_the_centre_for_the_buttons(tab: Tab, page: Path) -> None:
    """It stays named beside the picture, until a click beside it."""
    tab.open(page, WHOLE)
    wrist = circle("pose", 15)
    before = tab.box(wrist).centre
    tab.drag(before, before)
    tab.click("#zoom-in")
    tab.click("#zoom-in")
    assert tab.text(".tip strong") == "left wrist"
    assert tab.one(".tip").is_displayed()
    assert tab.box(wrist).centre == pytest.approx(before, abs=0.5)

    tab.click("#zoom-reset")
    photo = tab.box(".large .ground")
    corner = (photo.x + 3, photo.y + 3)
    tab.drag(corner, corner)
    tab.click("#zoom-in")
    assert not tab.one(".tip").is_displayed()


def test_the_picture_stays_where_it_is_under_the_pointer(tab: Tab, page: Path) -> None:
    """Also when the nearest point is just outside of the window."""
    tab.open(page, BODY)
    for _ in range(8):
        tab.click("#zoom-in")
    stage, point = tab.box("#stage"), tab.box(circle("pose", 16)).centre
    x, y = stage.x + stage.width - 3, stage.y + stage.height / 2
    middle = stage.centre
    tab.drag(middle, (middle[0] + x + 6 - point[0], middle[1] + y - point[1]))
    outside = tab.box(circle("pose", 16)).centre
    assert outside == pytest.approx((x + 6, y), abs=0.5)

    tab.point_at(x, y)

    assert tab.box(circle("pose", 16)).centre == pytest.approx(outside, abs=0.5)


def test_the_table_lists_the_landmarks_of_the_picture(
    tab: Tab, page: Path, gallery: Gallery
) -> None:
    """With pixels, z and visibility; a row chooses its point."""
    tab.open(page, WHOLE)
    assert tab.count("#rows tr") == 0
    tab.click("#table summary")
    tab.wait_for(lambda: tab.count("#rows tr") == sum(GROUPS.values()))

    stored = gallery.album.result(WHOLE)
    pixels, values = stored.pixels("pose_landmarks"), stored.landmarks.pose_landmarks
    assert pixels is not None
    assert values is not None
    assert tab.texts("#rows tr:nth-child(16) > *") == [
        "left wrist",
        *(f"{value:.1f}" for value in pixels[15]),
        f"{values[15][2]:.3f}",
        "0.90",
    ]
    tab.click("#rows tr:nth-child(16)")
    assert tab.text(".tip strong") == "left wrist"

    tab.press("2")
    assert tab.count("#rows tr") == sum(GROUPS.values()) - GROUPS["face"]


def test_json_is_that_of_the_get_command(tab: Tab, page: Path, gallery: Gallery) -> None:
    """As far as the page knows it, to copy and to download."""
    tab.open(page, WHOLE)
    tab.catch_copies()
    tab.script(
        "URL.createObjectURL = (blob) => { window.saved = blob; return 'data:,'; };"
        "HTMLAnchorElement.prototype.click = function () { window.file = this.download; };"
    )
    tab.click("#table summary")
    tab.click("#copy-json")
    tab.wait_for_text("#copy-json", "Copied")
    copied = tab.copied()
    written = gallery.album.result(WHOLE).to_json()

    shown = json.loads(copied)
    known = ("object_key", "bucket", "status", "etag", "processed_at", "pose_score")
    names = (*known, *(f"{group}_landmarks" for group in GROUPS))
    assert shown == {name: written[name] for name in names}

    tab.click("#download")
    assert tab.script("return window.file") == "whole.jpg.json"
    assert tab.script("return window.saved.size") == len(copied.encode())


def test_nobody_found_says_why_and_what_to_try(tab: Tab, page: Path) -> None:
    """And has no controls that would do nothing."""
    tab.open(page, NOBODY)

    assert tab.text("#advice") == (
        "The person detector saw nobody with a score of at least 0.5. Photos of whole people, "
        "upright and large, work best. To find more, try MAX_PEOPLE=16, which also finds small "
        "people, or a lower MIN_DETECTION_CONFIDENCE."
    )
    for css in ("#detail-layers", "#detail-sides", "#table"):
        assert not tab.one(css).is_displayed()

    tab.show(WHOLE)
    assert not tab.one("#advice").is_displayed()
    assert tab.texts("#detail-sides > span") == ["Left", "Right"]


def test_points_keep_their_size_on_the_screen(tab: Tab, page: Path) -> None:
    """Zoomed in twelvefold, they are at most three times as large."""
    tab.open(page, WHOLE)
    before = tab.box(circle("pose", 15)).width
    for _ in range(6):
        tab.click("#zoom-in")

    assert before < tab.box(circle("pose", 15)).width < 3 * before


def test_a_point_says_what_it_is(tab: Tab, page: Path, gallery: Gallery) -> None:
    """Name, pixels, z, and visibility of the pose, beside the pointer and in the picture."""
    tab.open(page, WHOLE)
    stored = gallery.album.result(WHOLE)
    for group, number, words in (
        ("pose", 15, "left wrist"),
        ("face", 7, "eye"),
        ("face", 456, "face mesh"),
        ("right_hand", 4, "thumb tip"),
    ):
        places = stored.pixels(f"{group}_landmarks")
        assert places is not None
        tab.point_at(*tab.box(circle(group, number)).centre)
        tab.wait_for_text(".tip strong", words)

        z = getattr(stored, f"{group}_landmarks")[number][2]
        _, name, *facts = tab.texts(".tip > *")
        assert name.endswith(f" {number}")
        assert facts == [
            f"x {places[number, 0]:.1f}, y {places[number, 1]:.1f} px",
            f"z {z:.3f}",
            *(["visibility 0.90"] if group == "pose" else []),
        ]
        tip, stage = tab.box(".tip"), tab.box("#stage")
        assert stage.x <= tip.x
        assert tip.x + tip.width <= stage.x + stage.width


def test_the_tip_stays_beside_its_point(tab: Tab, page: Path) -> None:
    """While zooming; when the point leaves the picture, the tip is hidden."""
    tab.open(page, WHOLE)
    tab.point_at(*tab.box(circle("pose", 15)).centre)
    tab.wait_for(lambda: tab.one(".tip").is_displayed())
    beside = distance(tab, circle("pose", 15))

    tab.press("+")
    assert distance(tab, circle("pose", 15)) == pytest.approx(beside, abs=8)

    tab.press(*"++++++")
    stage, (x, y) = tab.box("#stage"), tab.box(circle("pose", 15)).centre
    inside = stage.x < x < stage.x + stage.width and stage.y < y < stage.y + stage.height
    assert tab.one(".tip").is_displayed() == inside


def test_layers_remove_points(tab: Tab, page: Path) -> None:
    """The buttons in the detail view and in the gallery agree, and keys do the same."""
    tab.open(page, WHOLE)
    tab.click("#about .layer.face")
    assert tab.count("circle[data-group=face]") == 0
    assert tab.count("circle[data-group=pose]") == 33
    assert tab.count("#layers .face[aria-pressed=false]") == 1

    tab.press("3")
    assert tab.count("circle[data-group$=hand]") == 0
    tab.press("1")
    assert tab.count("circle, .lines path") == 0


def test_guessed_points_can_be_left_out(tab: Tab, page: Path) -> None:
    """Those with a visibility below a half."""
    tab.open(page, BODY)
    assert tab.count("circle.guessed") == 8

    tab.click("#about .layer.guessed")

    assert tab.count("circle") == 25


def test_everything_known_is_listed(tab: Tab, page: Path, gallery: Gallery) -> None:
    """Enough to find the result again in bucket, table and log."""
    tab.open(page, WHOLE)
    facts = dict(zip(tab.texts("#about dt"), tab.texts("#about dd"), strict=True))
    stored = gallery.album.result(WHOLE)

    assert tab.opened() == WHOLE
    assert tab.text("#detail-status") == "Detected"
    assert tab.text("#detail-place") == "1 of 6"
    assert facts == {
        "Found": "Pose: 33 points, Face: 468 points, Left hand: 21 points, Right hand: 21 points",
        "Score": "0.988",
        "Photo": f"640 {TIMES} 480 px, jpeg, 5 kB",
        "Time": "300 ms (fetch 5 ms, detect 295 ms)",
        "Processed": "2026-03-04 05:05:07 UTC",
        "Uploaded": "2026-03-04 05:06:07 UTC",
        "Bucket": gallery.cloud.stack.bucket,
        "ETag": stored.etag,
        "Job": "order-7",
        "Settings": "MediaPipe 0.10.21, complexity 2",
    }


def test_a_failure_shows_its_reason(tab: Tab, page: Path) -> None:
    """In place of the picture; there is nothing to zoom."""
    tab.open(page, TEXT)

    assert tab.texts("#stage .reason > *")[:2] == ["NOT_AN_IMAGE", "31 bytes of text"]
    assert not tab.one("#zoom-in").is_displayed()
    tab.click("#next")
    assert tab.opened() == SMALL


def test_zooming_needs_no_picture(tab: Tab, page: Path) -> None:
    """A failure has none: by the standard there is no matrix then, though Chromium has one."""
    tab.open(page, TEXT)
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
    """On a plain background, with a note why."""
    tab.open(page, CHANGED)

    assert "has changed since" in tab.text("#stage .note")
    assert tab.count(".large image") == 0
    assert tab.count("circle") == 33


def test_the_address_names_the_open_result(tab: Tab, page: Path, gallery: Gallery) -> None:
    """Such an address opens the result; one of no result searches for its key."""
    tab.open(page)
    tab.click(".card")
    assert tab.address() == {"key": WHOLE, "bucket": gallery.cloud.stack.bucket}
    tab.click("#close")
    tab.wait_for(lambda: tab.address() == {})

    tab.open(page, "no such key")
    assert not tab.one("#detail").is_displayed()
    assert tab.one("#empty").is_displayed()
    assert tab.value("#search") == "no such key"


def test_an_address_may_be_typed_by_hand(tab: Tab, hostile_page: Path) -> None:
    """A plus is a plus, and a percent sign that escapes nothing is itself."""
    tab.open(hostile_page)
    tab.script("location.hash = arguments[0]", f"#key={TYPED}")

    tab.wait_for(lambda: tab.one("#detail").is_displayed())
    assert tab.opened() == TYPED


def test_the_key_is_copied(tab: Tab, page: Path) -> None:
    """The button says that it was, until another result is shown."""
    tab.open(page, TEXT)
    tab.catch_copies()
    tab.press("c")
    tab.wait_for_text("#copy", "Copied")
    assert tab.copied() == TEXT

    tab.press(Keys.ARROW_LEFT)
    assert tab.text("#copy") == "Copy key"
