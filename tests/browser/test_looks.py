"""Light and dark, small and large windows, and keys that try to run scripts."""

from pathlib import Path

import pytest

from tests.browser.gallery import BODY, TEXT, TYPED, WHOLE
from tests.browser.tab import Tab
from tests.integration.report.album import HOSTILE_KEYS

# The contrast of each visible text with its background, by WCAG's formula.
LOW_CONTRASTS = """
    const parse = (colour) => colour.match(/[\\d.]+/g).map(Number);
    const light = ([r, g, b]) => [r, g, b]
        .map((part) => part / 255)
        .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
        .reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0);
    const ground = (node) => {
        if (node.closest('.tag')) return parse(getComputedStyle(node.previousElementSibling).fill);
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


def background(tab: Tab) -> str:
    """The colour of the page."""
    colour: str = tab.script("return getComputedStyle(document.body).backgroundColor")
    return colour


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_are_readable(scheme: str, tab: Tab, page: Path) -> None:
    """A contrast of 4.5 everywhere: gallery, shortcuts, detail view, failures."""
    tab.set_media(scheme, still=True)
    tab.open(page)
    for key in (None, WHOLE, TEXT):
        if key is None:
            tab.press("?")
        else:
            tab.show(key)
        found = tab.script(LOW_CONTRASTS)
        assert found["looked"] > 50
        assert found["low"] == []
        if key is None:
            tab.click("#shortcuts button")


def test_the_button_overrides_the_system(tab: Tab, page: Path) -> None:
    """It says what it switches to, and is forgotten when the page is closed."""
    tab.set_media("dark")
    tab.open(page)
    dark = background(tab)
    assert tab.text("#theme") == "Light"

    tab.click("#theme")
    light = background(tab)
    assert light != dark
    assert tab.text("#theme") == "Dark"

    tab.open(page)
    assert background(tab) == dark
    tab.set_media("light")
    assert background(tab) == light


def test_reduced_motion_is_respected(tab: Tab, page: Path) -> None:
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

    tab.show(WHOLE)
    detail = tab.box("#detail")
    assert (detail.width, detail.height) == pytest.approx(size)
    assert tab.script("return document.getElementById('about').scrollWidth") <= size[0]
    assert tab.box("#stage").height > size[1] / 3


def test_a_phone_folds_the_filters(tab: Tab, page: Path) -> None:
    """Search, button and count stand in one row; there are no hints at keys."""
    tab.set_window(390, 740, phone=True)
    tab.open(page)
    row = [tab.box(css) for css in ("#search", "#fold", "#count")]
    assert max(box.y for box in row) < min(box.y + box.height for box in row)
    assert not tab.one("#layers").is_displayed()
    assert not any(
        tab.script("return [...document.querySelectorAll('kbd')].map(k => k.checkVisibility())")
    )

    tab.click("#fold")
    assert tab.one("#layers").is_displayed()
    assert tab.one("#fold").get_attribute("aria-expanded") == "true"


def test_back_closes_the_detail_view(tab: Tab, page: Path) -> None:
    """From any result, and Forward opens it again."""
    tab.set_window(390, 740, phone=True)
    tab.open(page)
    tab.click(".card")
    tab.script("document.getElementById('next').click()")
    assert tab.opened() == BODY

    tab.script("history.back()")
    tab.wait_for(lambda: not tab.one("#detail").is_displayed())
    assert tab.address() == {}
    tab.script("history.forward()")
    tab.wait_for(lambda: tab.one("#detail").is_displayed())
    assert tab.opened() == BODY

    tab.script("document.getElementById('close').click()")
    tab.wait_for(lambda: tab.address() == {})
    assert not tab.one("#detail").is_displayed()


def test_the_toolbar_stays_where_it_is(tab: Tab, page: Path) -> None:
    """However few results are selected, and whatever the count says."""
    tab.set_window(1280, 600)
    tab.open(page)
    tab.script("document.getElementById('gallery').scrollIntoView()")
    parts = ("#toolbar", "#search", "#outcomes", "#traits", "#layers", "#count")
    before = [tab.box(css) for css in parts]

    for css in ("#outcomes .failed", "#outcomes .all", "#traits .face"):
        tab.click(css)
        assert [tab.box(part) for part in parts] == before


def test_printed_reports_have_all_plots(tab: Tab, page: Path) -> None:
    """Side by side on the paper's width, also from a narrow window."""
    tab.set_window(360, 740)
    tab.open(page)
    tab.print_media(on=True)
    try:
        width = tab.script("return document.documentElement.clientWidth")
        boxes = tab.boxes(".plot")
        assert len(boxes) == 3
        assert all(box.x >= 0 and box.x + box.width <= width for box in boxes)
    finally:
        tab.print_media(on=False)


def test_touch_opens_names_and_zooms(tab: Tab, page: Path) -> None:
    """A tap opens a card, a tap on a point names it, two fingers zoom."""
    tab.set_window(360, 740, phone=True)
    tab.open(page)
    tab.script("document.querySelectorAll('.card')[1].scrollIntoView({ block: 'center' })")
    tab.touch([tab.boxes(".card")[1].centre])
    tab.wait_for(lambda: tab.one("#detail").is_displayed())
    assert tab.opened() == BODY

    tab.touch([tab.box("circle[data-name='left wrist']").centre])
    tab.wait_for_text(".tip strong", "left wrist")
    assert tab.one(".tip").is_displayed()

    before = tab.box(".large .ground")
    x, y = before.centre
    tab.touch([(x - 20, y), (x + 20, y)], [(x - 40, y), (x + 40, y)])
    tab.wait_for(lambda: tab.box(".large .ground").width > before.width * 1.8)
    assert tab.box(".large .ground").width == pytest.approx(before.width * 2, rel=0.02)


def test_hostile_keys_are_only_text(tab: Tab, hostile_page: Path) -> None:
    """Nothing in them runs or becomes an element; invisible characters are written out."""
    tab.open(hostile_page)

    assert tab.script("return window.harmed") is None
    assert tab.count("#gallery img, #gallery script, .masthead script") == 0
    assert tab.text("h1") == "</title><script>window.harmed = 1</script>"
    shown = tab.keys()
    assert len(shown) == len(HOSTILE_KEYS) + 2
    assert TYPED in shown
    assert "photo\\u{202e}gpj.exe" in shown
    assert "line\\u{2028}and paragraph\\u{2029}.jpg" in shown
    assert "two\\u{a}lines\\u{9}and a tab.jpg" in shown
    assert "👩\u200d👩\u200d👧 & \"double\" 'single' `back` ${x}.jpg" in shown


def test_hostile_keys_can_be_linked_and_opened(tab: Tab, hostile_page: Path) -> None:
    """The detail view shows them as text too, and its address leads back to them."""
    tab.open(hostile_page)
    for key in HOSTILE_KEYS:
        tab.show(key)
        assert tab.count("#about img, #about script") == 0
        assert tab.count("circle") == 33 + 468 + 42
    assert tab.script("return window.harmed") is None
