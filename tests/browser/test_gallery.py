"""The gallery and its summary, in a real browser, from a file and without a network."""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from landmarks.drawing.colours import LEFT, RIGHT
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
from tests.fakes import seen_nobody, seen_person
from worker.model import ModelOptions, options_hash

# Each frame paints a card at least.
EVERY_CARD_IS_PAINTED = """
    let frames = arguments[0];
    return new Promise((done) => {
        const wait = () => frames-- ? requestAnimationFrame(wait) : done();
        wait();
    });
"""


@pytest.fixture(scope="module")
def large_page(services: Mapping[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of 150 results, the last one very slow."""
    large = Gallery(services, "large", tmp_path_factory.mktemp("large"))
    durations = [80 + number % 40 for number in range(149)] + [60_000]
    large.album.add_all(
        large.album.item(f"{number:03}.jpg", seen_nobody(), total_ms=ms)
        for number, ms in enumerate(durations)
    )
    return large.write("large", with_photos=False)


def card(key: str) -> str:
    """The CSS selector of a card."""
    return f".card[aria-label^='{key}']"


def pixels(tab: Tab, key: str) -> str:
    """All pixels of a card's canvas, once it shows the current layers."""
    tab.wait_for(lambda: tab.count(f"{card(key)} canvas.painted"))
    tab.script(EVERY_CARD_IS_PAINTED, len(KEYS) + 1)
    shown: str = tab.script(
        "return document.querySelector(arguments[0]).toDataURL()", f"{card(key)} canvas"
    )
    return shown


def pixel(tab: Tab, key: str, x: float, y: float) -> list[int]:
    """Red, green, blue and opacity of a card's canvas; the place is in parts of its size."""
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


def test_the_page_has_title_table_counts_and_cards(tab: Tab, page: Path, gallery: Gallery) -> None:
    """Every outcome is counted, the bar is in proportion, and failures say why."""
    tab.open(page)

    assert tab.text("h1") == "The party"
    assert f"table {gallery.cloud.stack.table}" in tab.texts("#facts li")
    assert tab.text("#total") == "6"
    assert tab.texts("#outcome-legend button") == ["Detected350%", "Nobody found117%", "Failed233%"]
    widths = [box.width for box in tab.boxes("#outcome-bar .fill")]
    assert [width / sum(widths) for width in widths] == pytest.approx([0.5, 1 / 6, 1 / 3], abs=0.01)
    assert tab.keys() == list(KEYS)
    assert tab.texts(f"{card(TEXT)} .reason > *") == ["NOT_AN_IMAGE", "31 bytes of text"]
    assert tab.texts(".missing") == ["Photo has changed"]


def test_plots_show_every_result(tab: Tab, page: Path) -> None:
    """Bars of durations and of scores, median and 95th percentile, axes, failures by code."""
    tab.open(page)
    tab.wait_for(lambda: tab.count(".plot svg .axis") >= 4)

    titles = tab.texts(".plot:nth-child(1) rect.value title")
    assert sum(int(title.split(": ")[1].split()[0]) for title in titles) == 6
    assert tab.texts(".plot:nth-child(1) .marks strong") == ["40 ms", "300 ms"]
    assert "total duration, ms" in tab.texts(".plot:nth-child(1) .axis")
    assert tab.texts(".plot:nth-child(2) .marks strong") == ["0.75", "0.99"]
    assert tab.texts(".codes .code") == ["NOT_AN_IMAGE", "TOO_SMALL"]


def test_the_bar_beyond_the_axis_says_how_far_it_goes(tab: Tab, large_page: Path) -> None:
    """The slowest result may be far outside of the plot."""
    tab.open(large_page)

    tab.wait_for(lambda: tab.count("rect.beyond"))
    assert tab.text("rect.beyond title").endswith(", up to 60,000 ms: 1 result")


def test_the_address_of_a_bucket_is_shown_once(tab: Tab, gallery: Gallery) -> None:
    """It is the title, or is below a title that was given."""
    bucket = gallery.cloud.stack.bucket
    place = f"s3://{bucket}/"

    tab.open(gallery.write("bucket", bucket, with_photos=False))
    assert tab.text("h1") == place
    assert place not in tab.texts("#facts li")

    tab.open(gallery.write("titled bucket", bucket, title="The party", limit=2))
    assert tab.text("h1") == "The party"
    assert place in tab.texts("#facts li")
    assert tab.text("#shown-words") == "Showing the newest 2 of 6"
    assert tab.keys() == [WHOLE, BODY]


def test_an_empty_table_has_a_page(tab: Tab, services: Mapping[str, Any], tmp_path: Path) -> None:
    """It says that there is nothing, and has nothing to press."""
    tab.open(Gallery(services, "empty", tmp_path).write("empty"))

    assert tab.text("#total") == "0"
    assert tab.one("#empty").text == "There are no results."
    assert tab.count("#outcome-bar button") == 0


def test_results_of_several_models_are_marked(
    tab: Tab, services: Mapping[str, Any], tmp_path: Path
) -> None:
    """With their settings: their landmarks are not comparable."""
    gallery, lite = Gallery(services, "models", tmp_path), ModelOptions(model_complexity=0)
    gallery.album.add("a.jpg")
    gallery.album.add("b.jpg", model=lite)
    tab.open(gallery.write("models", with_photos=False))

    (words,) = [words for words in tab.texts("#facts li") if "settings" in words]

    assert words.startswith("2 different settings, not comparable: MediaPipe ")
    for model in (ModelOptions(), lite):
        assert f"complexity {model.model_complexity} (1)" in words


def test_settings_that_read_alike_are_told_apart(
    tab: Tab, services: Mapping[str, Any], tmp_path: Path
) -> None:
    """By the hash: an item does not say how many people were looked for."""
    gallery, several = Gallery(services, "alike", tmp_path), ModelOptions(max_people=8)
    gallery.album.add("a.jpg")
    gallery.album.add("b.jpg", model=several)
    tab.open(gallery.write("alike", with_photos=False))

    (words,) = [words for words in tab.texts("#facts li") if "settings" in words]

    assert f"complexity 2, options {options_hash(several)} (1)" in words


def test_search_finds_keys_and_codes(tab: Tab, page: Path) -> None:
    """Every word must match, in any case. If nothing does, all can be shown again."""
    tab.open(page)
    for text, found in (
        ("party", [WHOLE, BODY, CHANGED]),
        ("PARTY jpg who", [WHOLE]),
        ("too_small", [SMALL]),
        ("<b>", []),
    ):
        tab.write("#search", text)
        assert tab.keys() == found
        assert tab.one("#empty").is_displayed() == (not found)

    tab.click("#reset")
    assert tab.keys() == list(KEYS)


def test_outcomes_filter(tab: Tab, page: Path) -> None:
    """By the bar, the legend and the toolbar, which all show what is pressed."""
    tab.open(page)
    tab.click("#outcome-bar .failed")
    assert tab.keys() == [TEXT, SMALL]
    assert tab.text("#count") == "2 of 6 results"
    assert tab.texts("#outcomes [aria-pressed=true]") == ["Failed2"]
    assert tab.count("#outcome-bar .failed[aria-pressed=true]") == 1

    tab.click("#outcome-legend [aria-pressed=true]")
    assert tab.keys() == list(KEYS)
    assert tab.texts("#outcomes [aria-pressed=true]") == ["All6"]

    tab.click("#outcomes .not_detected")
    assert tab.keys() == [NOBODY]


def test_a_pressed_error_code_is_searched_for(tab: Tab, page: Path) -> None:
    """The search has its code, the gallery its results."""
    tab.open(page)
    tab.click(".codes li:nth-child(2) button")

    assert tab.value("#search") == "TOO_SMALL"
    assert tab.keys() == [SMALL]


def test_traits_select_together(tab: Tab, page: Path) -> None:
    """Only those that occur can be chosen; pressed again, the others are back."""
    tab.open(page)
    assert tab.texts("#traits button") == ["With face1", "With hands1"]

    tab.click("#traits .face")
    tab.click("#traits .hands")
    assert tab.keys() == [WHOLE]
    tab.click("#outcomes .not_detected")
    assert tab.keys() == []
    tab.click("#reset")
    assert tab.keys() == list(KEYS)


def test_low_scores_and_truncated_files_can_be_selected(
    tab: Tab, services: Mapping[str, Any], tmp_path: Path
) -> None:
    """Scores below 0.7."""
    gallery, seen = Gallery(services, "traits", tmp_path), seen_person()
    doubtful = replace(seen, landmarks=replace(seen.landmarks, pose_score=0.69))
    gallery.album.add("low.jpg", doubtful)
    gallery.album.add("cut.jpg", replace(seen, truncated=True), minutes_ago=2)
    tab.open(gallery.write("traits"))

    tab.click("#traits .low")
    assert tab.keys() == ["low.jpg"]
    tab.click("#traits .low")
    tab.click("#traits .truncated")
    assert tab.keys() == ["cut.jpg"]


def test_a_key_has_its_name_first(tab: Tab, page: Path) -> None:
    """The browser finds the whole name. The folder is below it, and the key is the title."""
    tab.open(page)

    assert tab.script("return window.find('whole.jpg')")
    tab.script("getSelection().empty()")

    assert tab.texts("#gallery li:first-child .key") == ["whole.jpg"]
    assert tab.script("return document.querySelector('#gallery .key bdi').childNodes.length") == 1
    assert tab.texts("#gallery li:first-child .folder") == ["party/"]
    name, folder = tab.box("#gallery .key"), tab.box("#gallery .folder")
    assert folder.y >= name.y + name.height - 1
    assert tab.keys()[0] == WHOLE
    tab.open(page, WHOLE)
    assert (tab.text("#detail-key"), tab.text("#detail-folder")) == ("whole.jpg", "party/")


def test_a_file_of_one_byte_is_no_plural(
    tab: Tab, services: Mapping[str, Any], tmp_path: Path
) -> None:
    """Sizes have a unit that fits."""
    gallery = Gallery(services, "sizes", tmp_path)
    for key, size in (("one", 1), ("some", 999), ("more", 261_300), ("most", 3_000_000)):
        item = gallery.album.item(key)
        assert item.image is not None
        item.image = item.image._replace(bytes=size)
        gallery.album.add_all([item])
    page = gallery.write("sizes", with_photos=False)

    for key, words in (
        ("one", "1 byte"),
        ("some", "999 bytes"),
        ("more", "261 kB"),
        ("most", "3.0 MB"),
    ):
        tab.open(page, key)
        assert tab.texts("#about dd")[2].endswith(f", jpeg, {words}")


def test_outcomes_of_a_row_are_on_one_line(
    tab: Tab, services: Mapping[str, Any], tmp_path: Path
) -> None:
    """However long the names are."""
    gallery = Gallery(services, "names", tmp_path)
    gallery.album.add("a.jpg", minutes_ago=1)
    gallery.album.add(f"{'a long name ' * 5}.jpg", minutes_ago=2)
    tab.open(gallery.write("names", with_photos=False))

    names, outcomes = tab.boxes("#gallery .key"), tab.boxes("#gallery .facts")
    assert names[0].height < names[1].height
    assert outcomes[0].y == outcomes[1].y


def test_selecting_a_name_opens_nothing(tab: Tab, page: Path) -> None:
    """A click on the caption does."""
    tab.open(page)
    name = tab.box("#gallery .key bdi")
    middle = name.y + name.height / 2
    tab.drag((name.x + 2, middle), (name.x + name.width - 2, middle))
    assert "hole.jp" in tab.script("return getSelection().toString()")
    assert not tab.one("#detail").is_displayed()

    tab.script("getSelection().empty()")
    tab.click("#gallery .folder")
    assert tab.opened() == WHOLE


def test_without_photos_cards_say_what_was_found(tab: Tab, gallery: Gallery) -> None:
    """Landmarks on a plain ground, or that nobody was found."""
    tab.open(gallery.write("plain", with_photos=False))

    assert tab.texts(".card.not_detected .missing") == ["Nobody found"]
    assert tab.count(".card.detected .missing") == 0
    assert pixels(tab, BODY) != pixels(tab, NOBODY)


def test_sorting(tab: Tab, page: Path) -> None:
    """Results without a score come last; equal ones are sorted by date."""
    tab.open(page)
    for order, keys in (
        ("key", sorted(KEYS)),
        ("slowest", [WHOLE, BODY, CHANGED, NOBODY, SMALL, TEXT]),
        ("best", [WHOLE, BODY, CHANGED, NOBODY, TEXT, SMALL]),
        ("worst", [BODY, CHANGED, WHOLE, NOBODY, TEXT, SMALL]),
        ("newest", list(KEYS)),
    ):
        tab.click(f"#sort option[value={order}]")
        assert tab.keys() == keys


def test_layers_change_only_pictures_that_have_them(tab: Tab, page: Path) -> None:
    """Switched on again, a picture is as it was."""
    tab.open(page)
    for layer, key, other in (
        ("pose", BODY, NOBODY),
        ("guessed", BODY, WHOLE),
        ("face", WHOLE, BODY),
        ("hands", WHOLE, BODY),
    ):
        before, beside = pixels(tab, key), pixels(tab, other)
        tab.click(f"#layers .{layer}")
        assert pixels(tab, key) != before
        assert pixels(tab, other) == beside
        assert tab.count(f"#layers .{layer}[aria-pressed=false]") == 1

        tab.click(f"#layers .{layer}")
        assert pixels(tab, key) == before


def test_the_photo_is_dimmed(tab: Tab, page: Path) -> None:
    """Switched off, it keeps a sixth of its light."""
    tab.open(page)
    pixels(tab, NOBODY)
    assert pixel(tab, NOBODY, 0.5, 0.5)[3] == 255

    tab.click("#layers .photo")
    pixels(tab, NOBODY)

    assert pixel(tab, NOBODY, 0.5, 0.5)[3] == pytest.approx(255 * 0.16, abs=2)


def test_cards_have_landmarks_where_they_are(tab: Tab, page: Path, gallery: Gallery) -> None:
    """On a plain background, each visible joint has its side's colour at its pixel."""
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
    """The card looks like one without a photo."""
    text = page.read_text("utf-8")
    broken = tmp_path / "broken.html"
    broken.write_text(re.sub('data:image/webp;base64,[^"]+', "data:image/webp;base64,AAAA", text))

    tab.open(broken)

    assert pixels(tab, BODY) == pixels(tab, CHANGED)


def test_only_cards_near_the_window_have_a_picture(tab: Tab, large_page: Path) -> None:
    """The pictures of the others take no memory, before and after they are scrolled past."""
    first, last = card("000.jpg"), card("149.jpg")
    tab.open(large_page)
    tab.wait_for(lambda: tab.count(f"{first} canvas.painted"))
    assert 0 < tab.count("canvas.painted") < 100
    assert tab.count(f"{last} canvas.painted") == 0

    tab.script("window.scrollTo(0, document.documentElement.scrollHeight)")

    tab.wait_for(lambda: tab.count(f"{last} canvas.painted"))
    tab.wait_for(lambda: tab.count(f"{first} canvas.painted") == 0)
    assert tab.script("return document.querySelector(arguments[0]).width", f"{first} canvas") == 0
    assert tab.count("canvas.painted") < 100


def test_without_scripts_the_page_says_why_it_is_empty(page: Path) -> None:
    """There is a notice for browsers that don't run scripts."""
    assert "<noscript>" in page.read_text("utf-8")
