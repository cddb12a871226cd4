"""The gallery and its summary, in a real browser, from a file and without a network."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from landmarks.drawing.canvas import LEFT, RIGHT
from tests.browser.gallery import (
    BODY,
    CHANGED,
    HEIGHT,
    KEYS,
    NOBODY,
    SMALL,
    TEXT,
    WHOLE,
    WIDTH,
    Gallery,
)
from tests.browser.tab import Tab
from tests.fakes import seen_nobody
from worker.model import ModelOptions, options_hash


@pytest.fixture(scope="module")
def gallery(services: Mapping[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Gallery:
    """One result of each kind."""
    gallery = Gallery(services, "gallery", tmp_path_factory.mktemp("gallery"))
    gallery.fill()
    return gallery


@pytest.fixture(scope="module")
def page(gallery: Gallery) -> Path:
    """All of them."""
    return gallery.write("all", title="The party")


def card(key: str) -> str:
    """The CSS selector of a card."""
    return f".card[aria-label^='{key}']"


def pixels(tab: Tab, key: str) -> str:
    """All pixels of a card's canvas."""
    tab.wait_for(lambda: tab.count(f"{card(key)} canvas.painted"))
    tab.script("return new Promise((done) => requestAnimationFrame(() => setTimeout(done, 30)))")
    shown: str = tab.script(
        "return document.querySelector(arguments[0]).toDataURL()", f"{card(key)} canvas"
    )
    return shown


def pixel(tab: Tab, key: str, x: float, y: float) -> list[int]:
    """Red, green, blue and opacity of a card's canvas at a place, in parts of its size."""
    values: list[int] = tab.script(
        "const canvas = document.querySelector(arguments[0]);"
        "const context = new OffscreenCanvas(1, 1).getContext('2d');"
        "context.drawImage(canvas, -Math.floor(arguments[1] * canvas.width),"
        " -Math.floor(arguments[2] * canvas.height));"
        "return [...context.getImageData(0, 0, 1, 1).data]",
        f"{card(key)} canvas",
        x,
        y,
    )
    return values


def test_it_loads_and_says_what_it_is_about(tab: Tab, page: Path, gallery: Gallery) -> None:
    """Heading, table, counts of every outcome; nothing is written to the console."""
    tab.open(page)

    assert tab.text("h1") == "The party"
    assert f"table {gallery.cloud.stack.table}" in tab.texts("#facts li")
    assert tab.text("#total") == "6"
    assert tab.texts("#outcome-legend button") == [
        "Detected350 %",
        "Nobody found117 %",
        "Failed233 %",
    ]
    assert tab.count(".card") == 6
    assert tab.keys() == list(KEYS)


def test_a_place_is_said_once(tab: Tab, gallery: Gallery) -> None:
    """It is the heading, or stands below one that was chosen."""
    bucket = gallery.cloud.stack.bucket
    place = f"s3://{bucket}/"

    tab.open(gallery.write("bucket", bucket))
    assert tab.text("h1") == place
    assert place not in tab.texts("#facts li")

    tab.open(gallery.write("titled bucket", bucket, title="The party"))
    assert tab.text("h1") == "The party"
    assert place in tab.texts("#facts li")


def test_the_longest_is_said(tab: Tab, services: Mapping[str, Any], tmp_path: Path) -> None:
    """What lies beyond a plot's axis says how far."""
    slow = Gallery(services, "slow", tmp_path)
    album = slow.album
    album.add_all(album.item(f"{n}.jpg", seen_nobody(), total_ms=80 + n % 40) for n in range(199))
    album.add("slow.jpg", seen_nobody(), total_ms=60_000)

    tab.open(slow.write("slow", limit=1))

    assert tab.text("rect.beyond title").endswith(", up to 60,000 ms: 1 result")


def test_the_outcome_bar_is_in_proportion(tab: Tab, page: Path) -> None:
    """Three, one and two sixths of its width, without the gaps."""
    tab.open(page)

    widths = [box.width for box in tab.boxes("#outcome-bar .fill")]

    assert [width / sum(widths) for width in widths] == pytest.approx(
        [3 / 6, 1 / 6, 2 / 6], abs=0.01
    )


def test_a_part_is_said(tab: Tab, gallery: Gallery) -> None:
    """How many of how many are shown, where not all are."""
    tab.open(gallery.write("part", limit=2))

    assert tab.text("#shown-words") == "2 of 6 shown: the newest"
    assert tab.text("#total") == "6"
    assert tab.keys() == [WHOLE, BODY]


def test_an_empty_table_has_a_page(tab: Tab, services: Mapping[str, Any], tmp_path: Path) -> None:
    """It says that there is nothing, and offers nothing to press."""
    tab.open(Gallery(services, "empty", tmp_path).write("empty"))

    assert tab.text("#total") == "0"
    assert tab.one("#empty").text == "There are no results."
    assert tab.count("#outcome-bar button") == 0


def test_several_options_are_said(tab: Tab, services: Mapping[str, Any], tmp_path: Path) -> None:
    """With their hashes and models: such landmarks may not be compared."""
    gallery, lite = Gallery(services, "models", tmp_path), ModelOptions(model_complexity=0)
    gallery.album.add("a.jpg")
    gallery.album.add("b.jpg", model=lite)
    tab.open(gallery.write("models", with_photos=False))

    (words,) = [words for words in tab.texts("#facts li") if "options" in words]

    assert words.startswith("2 different options, not to be compared: ")
    for model in (ModelOptions(), lite):
        assert f"{options_hash(model)} (1, MediaPipe " in words
        assert f"complexity {model.model_complexity})" in words


def test_plots_hold_every_result(tab: Tab, page: Path) -> None:
    """Bars of durations and of scores, median and 95 %, labelled axes, and failures by code."""
    tab.open(page)
    tab.wait_for(lambda: tab.count(".plot svg .axis") >= 4)

    titles = tab.texts(".plot:nth-child(1) rect.value title")
    assert sum(int(title.split(": ")[1].split()[0]) for title in titles) == 6
    assert tab.texts(".plot:nth-child(1) .marks strong") == ["40 ms", "300 ms"]
    assert "total duration, ms" in tab.texts(".plot:nth-child(1) .axis")
    assert tab.texts(".plot:nth-child(2) .marks strong") == ["0.75", "0.99"]
    assert tab.texts(".codes .code") == ["NOT_AN_IMAGE", "TOO_SMALL"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("party", [WHOLE, BODY, CHANGED]),
        ("PARTY jpg who", [WHOLE]),
        ("too_small", [SMALL]),
        ("no such thing", []),
        ("<b>", []),
    ],
)
def test_search_finds_keys_and_codes(text: str, found: list[str], tab: Tab, page: Path) -> None:
    """Every word has to be there, in any case; nothing found is said, and can be undone."""
    tab.open(page)
    tab.write("#search", text)

    assert tab.keys() == found
    assert tab.one("#empty").is_displayed() == (not found)
    if not found:
        tab.click("#reset")
        assert tab.keys() == list(KEYS)


def test_outcomes_filter(tab: Tab, page: Path) -> None:
    """By the bar, by its legend and by the toolbar, which all show what is pressed."""
    tab.open(page)
    tab.click("#outcome-bar .failed")
    assert tab.keys() == [TEXT, SMALL]
    assert tab.text("#count") == "2 of 6 results"
    assert tab.texts("#outcomes [aria-pressed=true]") == ["Failed2"]

    tab.click("#outcome-legend [aria-pressed=true]")
    assert tab.keys() == list(KEYS)

    tab.click("#outcomes .not_detected")
    assert tab.keys() == [NOBODY]


def test_a_failure_that_is_pressed_is_searched_for(tab: Tab, page: Path) -> None:
    """Its code stands in the search, its results in the gallery."""
    tab.open(page)
    tab.click(".codes li:nth-child(2) button")

    assert tab.script("return document.getElementById('search').value") == "TOO_SMALL"
    assert tab.keys() == [SMALL]


@pytest.mark.parametrize(
    ("order", "keys"),
    [
        ("newest", list(KEYS)),
        ("key", sorted(KEYS)),
        ("slowest", [WHOLE, BODY, CHANGED, NOBODY, SMALL, TEXT]),
        ("best", [WHOLE, BODY, CHANGED, NOBODY, TEXT, SMALL]),
        ("worst", [BODY, CHANGED, WHOLE, NOBODY, TEXT, SMALL]),
    ],
)
def test_sorting(order: str, keys: list[str], tab: Tab, page: Path) -> None:
    """What has no score comes last; equal ones, the newest first."""
    tab.open(page)
    tab.script(
        "const sort = document.getElementById('sort'); sort.value = arguments[0];"
        "sort.dispatchEvent(new Event('change'))",
        order,
    )

    assert tab.keys() == keys


@pytest.mark.parametrize(
    ("layer", "key", "other"),
    [
        ("pose", BODY, NOBODY),
        ("guessed", BODY, WHOLE),
        ("face", WHOLE, BODY),
        ("hands", WHOLE, BODY),
    ],
)
def test_layers_change_the_pictures_they_are_in(
    layer: str, key: str, other: str, tab: Tab, page: Path
) -> None:
    """A layer that is off is drawn nowhere; on again, all is as before."""
    tab.open(page)
    before, beside = pixels(tab, key), pixels(tab, other)

    tab.click(f"#layers .{layer}")
    assert pixels(tab, key) != before
    assert pixels(tab, other) == beside
    assert tab.one(f"#layers .{layer}").get_attribute("aria-pressed") == "false"

    tab.click(f"#layers .{layer}")
    assert pixels(tab, key) == before


def test_the_photo_is_dimmed(tab: Tab, page: Path) -> None:
    """Of a photo that is off, a sixth of its light is left."""
    tab.open(page)
    pixels(tab, NOBODY)
    assert pixel(tab, NOBODY, 0.5, 0.5)[3] == 255

    tab.click("#layers .photo")
    pixels(tab, NOBODY)

    assert pixel(tab, NOBODY, 0.5, 0.5)[3] == pytest.approx(255 * 0.16, abs=2)


def test_cards_have_landmarks_where_they_are(tab: Tab, page: Path, gallery: Gallery) -> None:
    """On a plain ground, each visible joint has its side's colour at its own pixel."""
    tab.open(page)
    pixels(tab, CHANGED)
    joints = gallery.album.result(CHANGED).pixels("pose_landmarks")
    assert joints is not None

    for joint in (11, 12, 13, 14, 15, 16):
        x, y = joints[joint] / (WIDTH, HEIGHT)
        colour = pixel(tab, CHANGED, x, y)
        assert colour[:3] == pytest.approx(LEFT if joint % 2 else RIGHT, abs=40)


def test_a_photo_that_the_browser_refuses_leaves_the_landmarks(
    tab: Tab, page: Path, tmp_path: Path
) -> None:
    """The card looks like one that has no photo."""
    text = page.read_text("utf-8")
    broken = tmp_path / "broken.html"
    broken.write_text(re.sub('data:image/webp;base64,[^"]+', "data:image/webp;base64,AAAA", text))

    tab.open(broken)

    assert pixels(tab, BODY) == pixels(tab, CHANGED)


def test_a_failed_one_says_why(tab: Tab, page: Path) -> None:
    """Code and message are on its card."""
    tab.open(page)

    assert tab.texts(f"{card(TEXT)} .reason > *") == ["NOT_AN_IMAGE", "31 bytes of text"]


def test_a_photo_that_is_missing_is_said(tab: Tab, page: Path) -> None:
    """The card says why, and has the landmarks all the same."""
    tab.open(page)

    assert tab.texts(".missing") == ["Photo has changed"]


def test_without_scripts_there_is_a_word(page: Path) -> None:
    """Whoever has switched scripts off learns why the page is empty."""
    assert "<noscript>" in page.read_text("utf-8")
