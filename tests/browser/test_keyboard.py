"""The page without a mouse."""

from pathlib import Path

import pytest
from selenium.webdriver.common.keys import Keys

from tests.browser.gallery import BODY, CHANGED, KEYS, NOBODY, SMALL, TEXT, WHOLE
from tests.browser.tab import Tab


def focused_key(tab: Tab) -> str | None:
    """The key of the card that has the focus."""
    key: str | None = tab.script(
        "return document.activeElement.closest('li')?.querySelector('.key')?.title"
    )
    return key


def test_tab_stops_at_every_control_and_at_one_card(tab: Tab, page: Path) -> None:
    """Each of them once, with an outline that shows where the focus is."""
    tab.open(page)
    visited: list[str] = []
    while not (visited and visited[-1].startswith("card")):
        tab.press(Keys.TAB)
        visited.append(tab.focused())
        style, width = tab.script(
            "const style = getComputedStyle(document.activeElement);"
            "return [style.outlineStyle, parseFloat(style.outlineWidth)]"
        )
        assert style != "none", visited[-1]
        assert width >= 2
        assert len(visited) < 30

    assert visited[:3] == ["skip", "show-shortcuts", "theme"]
    for name in ("search", "sort", "layer pose", "layer guessed", "all", "failed"):
        assert visited.count(name) == 1
    assert "plots" not in visited
    tab.press(Keys.TAB)
    assert not tab.focused().startswith("card")


def test_plots_can_be_reached_where_they_scroll(tab: Tab, page: Path) -> None:
    """In a narrow window they are side by side, and arrow keys move them."""
    tab.set_window(360, 900)
    tab.open(page)
    tab.wait_for(lambda: tab.one("#plots").get_attribute("tabindex") == "0")
    visited = []
    for _ in range(10):
        tab.press(Keys.TAB)
        visited.append(tab.focused())

    assert "plots" in visited


def test_from_search_to_a_point_and_back(tab: Tab, page: Path) -> None:
    """Finding one photo and looking at its landmarks takes only keys."""
    tab.open(page)
    tab.press("/", *"party", Keys.ENTER)
    assert tab.keys() == [WHOLE, BODY, CHANGED]
    assert focused_key(tab) == WHOLE

    tab.press(Keys.ARROW_RIGHT, Keys.ENTER)
    assert tab.opened() == BODY
    tab.press(Keys.ARROW_RIGHT)
    assert tab.opened() == CHANGED
    tab.press(Keys.ARROW_RIGHT)  # the last one
    assert tab.opened() == CHANGED
    tab.press(Keys.ARROW_DOWN, Keys.ARROW_DOWN)
    assert tab.text(".tip strong") == "left eye inner"
    tab.press("+")
    assert tab.count(".large.zoomed") == 1

    tab.press(Keys.ESCAPE)
    assert not tab.one("#detail").is_displayed()
    tab.wait_for(lambda: focused_key(tab) == CHANGED)
    tab.press("/", Keys.ESCAPE)
    assert tab.keys() == list(KEYS)


@pytest.mark.parametrize("key", [Keys.ARROW_DOWN, Keys.TAB])
def test_the_skip_link_leads_to_the_first_card(key: str, tab: Tab, page: Path) -> None:
    """Past the summary and the toolbar, by an arrow key or by Tab."""
    tab.open(page)
    tab.press(Keys.TAB, Keys.ENTER, key)

    assert focused_key(tab) == KEYS[0]


def test_a_filtered_card_is_no_second_tab_stop(tab: Tab, page: Path) -> None:
    """Tab stops at one card after the gallery has changed, too."""
    tab.open(page)
    tab.write("#search", SMALL)
    tab.wait_for(lambda: tab.keys() == [SMALL])
    tab.press(Keys.ESCAPE)

    assert tab.keys() == list(KEYS)
    assert tab.count(".card[tabindex='0']") == 1


def test_arrows_move_through_the_grid(tab: Tab, page: Path) -> None:
    """Along rows and columns, to the ends, and not beyond."""
    tab.open(page)
    columns = tab.script(
        "return getComputedStyle(document.getElementById('gallery'))"
        ".gridTemplateColumns.split(' ').length"
    )
    tab.press("/", Keys.ENTER)
    tab.press(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert focused_key(tab) == NOBODY
    tab.press(Keys.ARROW_LEFT, Keys.ARROW_LEFT, Keys.ARROW_LEFT, Keys.ARROW_DOWN)
    assert focused_key(tab) == KEYS[min(columns, 5)]
    tab.press(Keys.END)
    assert focused_key(tab) == KEYS[-1]
    tab.press(Keys.HOME)
    assert focused_key(tab) == KEYS[0]


def test_shortcuts_are_letters_in_the_search(tab: Tab, page: Path) -> None:
    """Typing a key toggles nothing."""
    tab.open(page)
    tab.press("/", *"12/?d")

    assert tab.value("#search") == "12/?d"
    assert tab.count("#layers [aria-pressed=false]") == 0
    assert not tab.one("#shortcuts").is_displayed()


def test_the_question_mark_lists_the_shortcuts(tab: Tab, page: Path) -> None:
    """In a dialog that Esc closes, also over the detail view."""
    tab.open(page, TEXT)
    tab.press("?")
    assert tab.one("#shortcuts").is_displayed()
    assert {"/", "Enter", "1", "?"} <= set(tab.texts("#shortcuts kbd"))

    tab.press(Keys.ESCAPE)
    assert not tab.one("#shortcuts").is_displayed()
    assert tab.one("#detail").is_displayed()


def test_screen_readers_get_words(tab: Tab, page: Path) -> None:
    """Cards say key, outcome, score and duration; every control has a name."""
    tab.open(page, WHOLE)

    labels = tab.script(
        "return [...document.querySelectorAll('.card')].map((node) => node.ariaLabel)"
    )
    assert labels[0] == f"{WHOLE}, Detected, score 0.99, 300 ms"
    assert labels[3] == f"{TEXT}, Failed, NOT_AN_IMAGE, 20 ms"
    nameless = tab.script(
        "return [...document.querySelectorAll('button, input, select')]"
        ".filter((node) => !(node.textContent.trim() || node.ariaLabel || node.labels?.length"
        " || node.title)).map((node) => node.outerHTML)"
    )
    assert nameless == []
