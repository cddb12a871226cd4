"""Light and dark, small and large windows, and keys that mean harm."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.browser.gallery import BODY, TEXT, WHOLE, Gallery
from tests.browser.tab import Tab
from tests.integration.report.album import HOSTILE_KEYS

# Each text that is seen against the ground it stands on, by WCAG's formula.
LOW_CONTRASTS = """
    const parse = (colour) => colour.match(/[\\d.]+/g).map(Number);
    const light = ([r, g, b]) => [r, g, b]
        .map((part) => part / 255)
        .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
        .reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0);
    const ground = (node) => {
        for (let at = node; at; at = at.parentElement) {
            const [r, g, b, alpha = 1] = parse(getComputedStyle(at).backgroundColor);
            if (alpha > 0.8) return [r, g, b];
        }
        return null;
    };
    const seen = (node) => node.checkVisibility({ opacityProperty: true, visibilityProperty: true })
        && !node.closest(':disabled') && node.getClientRects().length > 0;
    const own = (node) => [...node.childNodes].some((child) =>
        child.nodeType === Node.TEXT_NODE && child.textContent.trim());
    const low = [];
    let looked = 0;
    for (const node of document.body.querySelectorAll('*')) {
        if (['SCRIPT', 'STYLE', 'title', 'NOSCRIPT', 'OPTION'].includes(node.tagName)) continue;
        if (!own(node) || !seen(node)) continue;
        const style = getComputedStyle(node);
        const text = node instanceof SVGElement ? style.fill : style.color;
        const [a, b] = [light(parse(text)), light(ground(node))].sort((x, y) => y - x);
        looked += 1;
        const ratio = (a + 0.05) / (b + 0.05);
        if (ratio < 4.5) low.push([node.outerHTML.slice(0, 80), ratio]);
    }
    return { low, looked };
"""


@pytest.fixture(scope="module")
def gallery(services: Mapping[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Gallery:
    """One result of each kind."""
    gallery = Gallery(services, "looks", tmp_path_factory.mktemp("looks"))
    gallery.fill()
    return gallery


@pytest.fixture(scope="module")
def page(gallery: Gallery) -> Path:
    """All of them."""
    return gallery.write("all")


@pytest.fixture(scope="module")
def hostile_page(services: Mapping[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keys that mean harm, under a heading that does."""
    gallery = Gallery(services, "hostile", tmp_path_factory.mktemp("hostile"))
    gallery.fill_hostile()
    return gallery.write("hostile", title="</title><script>window.harmed = 1</script>")


def ground(tab: Tab) -> str:
    """The colour of the page."""
    colour: str = tab.script("return getComputedStyle(document.body).backgroundColor")
    return colour


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("key", [None, WHOLE, TEXT])
def test_texts_are_readable(scheme: str, key: str | None, tab: Tab, page: Path) -> None:
    """A contrast of 4.5 everywhere: gallery, detail view, list of keys."""
    tab.set_media(scheme, still=True)
    tab.open(page, **({"key": key} if key else {}))
    if key is None:
        tab.press("?")

    found = tab.script(LOW_CONTRASTS)

    assert found["looked"] > 50
    assert found["low"] == []


def test_the_system_decides_until_somebody_does(tab: Tab, page: Path) -> None:
    """The button turns the light, and says what it would do next."""
    tab.set_media("dark")
    tab.open(page)
    dark = ground(tab)
    assert tab.text("#theme") == "Light"

    tab.click("#theme")
    light = ground(tab)
    assert light != dark
    assert tab.text("#theme") == "Dark"

    tab.open(page)
    assert ground(tab) == dark  # nothing was stored
    tab.set_media("light")
    assert ground(tab) == light


def test_motion_stops_where_it_is_unwelcome(tab: Tab, page: Path) -> None:
    """No transition takes any time."""
    code = (
        "return [...document.querySelectorAll('*')]"
        ".filter((node) => parseFloat(getComputedStyle(node).transitionDuration) > 0).length"
    )
    tab.open(page)
    assert tab.script(code) > 0

    tab.set_media("light", still=True)

    assert tab.script(code) == 0


@pytest.mark.parametrize("size", [(360, 740), (320, 568)])
def test_a_phone_scrolls_one_way_only(size: tuple[int, int], tab: Tab, page: Path) -> None:
    """Nothing is wider than the window, in the gallery and in the detail view."""
    tab.set_window(*size, phone=True)
    tab.open(page)
    assert tab.script("return document.documentElement.scrollWidth") == size[0]
    assert max(box.x + box.width for box in tab.boxes(".card")) <= size[0]

    tab.open(page, key=WHOLE)
    detail = tab.box("#detail")
    assert (detail.width, detail.height) == pytest.approx(size)
    assert tab.script("return document.getElementById('about').scrollWidth") <= size[0]
    assert tab.box("#stage").height > size[1] / 3


def test_fingers_can_do_it_all(tab: Tab, page: Path) -> None:
    """A tap opens, a tap on a point names it, two fingers zoom."""
    tab.set_window(360, 740, phone=True)
    tab.open(page)
    tab.script("document.querySelectorAll('.card')[1].scrollIntoView({ block: 'center' })")
    tab.touch([tab.boxes(".card")[1].centre])
    tab.wait_for(lambda: tab.one("#detail").is_displayed())
    assert tab.text("#detail-key") == BODY

    tab.touch([tab.box("circle[data-name='left wrist']").centre])
    time.sleep(0.3)  # the browser is done with the tap
    assert tab.one(".tip").is_displayed()
    assert tab.text(".tip strong") == "left wrist"

    before = tab.box(".large .ground")
    x, y = before.centre
    tab.touch([(x - 20, y), (x + 20, y)], [(x - 40, y), (x + 40, y)])
    tab.wait_for(lambda: tab.box(".large .ground").width > before.width * 1.8)
    assert tab.box(".large .ground").width == pytest.approx(before.width * 2, rel=0.02)


def test_hostile_keys_are_only_text(tab: Tab, hostile_page: Path) -> None:
    """Nothing of them runs, or becomes an element; what can't be seen is written out."""
    tab.open(hostile_page)

    assert tab.script("return window.harmed") is None
    assert tab.count("#gallery img, #gallery script, .masthead script") == 0
    assert tab.count(".card") == len(HOSTILE_KEYS) + 1
    assert tab.text("h1") == "</title><script>window.harmed = 1</script>"
    shown = tab.keys()
    assert "photo\\u{202e}gpj.exe" in shown
    assert "line\\u{2028}and paragraph\\u{2029}.jpg" in shown
    assert "two\\u{a}lines\\u{9}and a tab.jpg" in shown
    assert "👩\u200d👩\u200d👧 & \"double\" 'single' `back` ${x}.jpg" in shown


@pytest.mark.parametrize("key", HOSTILE_KEYS)
def test_hostile_keys_can_be_linked_and_opened(key: str, tab: Tab, hostile_page: Path) -> None:
    """The detail view shows them as text too, and its address leads back to them."""
    tab.open(hostile_page, key=key)

    assert tab.one("#detail").is_displayed()
    assert tab.script("return new URLSearchParams(location.hash.slice(1)).get('key')") == key
    assert tab.script("return window.harmed") is None
    assert tab.count("#about img, #about script") == 0
    assert tab.count("circle") == 33 + 468 + 42
