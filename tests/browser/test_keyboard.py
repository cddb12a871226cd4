"""The page without a mouse."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.common.keys import Keys

from tests.browser.gallery import BODY, CHANGED, KEYS, NOBODY, SMALL, TEXT, WHOLE, Gallery
from tests.browser.tab import Tab


@pytest.fixture(scope="module")
def page(services: Mapping[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One result of each kind."""
    gallery = Gallery(services, "keyboard", tmp_path_factory.mktemp("keyboard"))
    gallery.fill()
    return gallery.write("all")


def focused_key(tab: Tab) -> str | None:
    """The key of the card that has the focus."""
    key: str | None = tab.script(
        "return document.activeElement.querySelector('.key')?.getAttribute('title')"
    )
    return key


def test_tab_reaches_everything_and_one_card(tab: Tab, page: Path) -> None:
    """Each control once; the gallery is one stop, however many cards it has."""
    tab.open(page)
    visited = []
    for _ in range(30):
        tab.press(Keys.TAB)
        visited.append(tab.focused())
        if visited[-1].startswith("card"):
            break

    assert visited[:3] == ["skip", "show-keys", "theme"]
    for name in ("search", "sort", "layer pose", "layer guessed", "all", "failed"):
        assert visited.count(name) == 1
    tab.press(Keys.TAB)
    assert not tab.focused().startswith("card")


@pytest.mark.parametrize(("width", "reached"), [(1280, False), (360, True)])
def test_plots_that_are_scrolled_can_be_reached(
    width: int, *, reached: bool, tab: Tab, page: Path
) -> None:
    """Where it is narrow they lie side by side, and arrows move them; else all are seen."""
    tab.set_window(width, 900)
    tab.open(page)
    visited = []
    for _ in range(30):
        tab.press(Keys.TAB)
        visited.append(tab.script("return document.activeElement.id"))

    assert ("plots" in visited) == reached


def test_the_focus_is_seen(tab: Tab, page: Path) -> None:
    """Whatever has it, by keys, has an outline."""
    tab.open(page)
    for _ in range(18):
        tab.press(Keys.TAB)
        outline = tab.script(
            "const style = getComputedStyle(document.activeElement);"
            "return [style.outlineStyle, parseFloat(style.outlineWidth)]"
        )
        assert outline[0] != "none", tab.focused()
        assert outline[1] >= 2


def test_from_search_to_a_point_and_back(tab: Tab, page: Path) -> None:
    """The way of somebody who looks for one photo and has only keys."""
    tab.open(page)
    tab.press("/", *"party", Keys.ENTER)
    assert tab.keys() == [WHOLE, BODY, CHANGED]
    assert focused_key(tab) == WHOLE

    tab.press(Keys.ARROW_RIGHT, Keys.ENTER)
    assert tab.text("#detail-key") == BODY
    tab.press(Keys.ARROW_RIGHT)
    assert tab.text("#detail-key") == CHANGED
    tab.press(Keys.ARROW_RIGHT)  # the last one
    assert tab.text("#detail-key") == CHANGED
    tab.press(Keys.ARROW_DOWN, Keys.ARROW_DOWN)
    assert tab.text(".tip strong") == "left eye inner"
    tab.press("+")
    assert tab.one(".large").get_attribute("class") == "large zoomed"

    tab.press(Keys.ESCAPE)
    assert not tab.one("#detail").is_displayed()
    tab.wait_for(lambda: focused_key(tab) == CHANGED)
    tab.press("/", Keys.ESCAPE)
    assert tab.keys() == list(KEYS)


def test_the_skip_link_leads_to_the_cards(tab: Tab, page: Path) -> None:
    """Past the summary and the toolbar; the first arrow is at the first card."""
    tab.open(page)
    tab.press(Keys.TAB, Keys.ENTER, Keys.ARROW_DOWN)

    assert focused_key(tab) == KEYS[0]


def test_tab_goes_from_the_skip_link_to_the_first_card(tab: Tab, page: Path) -> None:
    """The list that the link leads to has its tab stop still."""
    tab.open(page)
    tab.press(Keys.TAB, Keys.ENTER, Keys.TAB)

    assert focused_key(tab) == KEYS[0]


def test_a_card_that_was_filtered_away_is_no_second_stop(tab: Tab, page: Path) -> None:
    """Tab goes to one card, however often the gallery has changed."""
    tab.open(page)
    tab.write("#search", SMALL)
    tab.wait_for(lambda: tab.keys() == [SMALL])
    tab.press(Keys.ESCAPE)

    assert tab.keys() == list(KEYS)
    assert tab.count(".card[tabindex='0']") == 1


def test_arrows_go_through_the_grid(tab: Tab, page: Path) -> None:
    """Along rows, along columns, to the ends, and not beyond."""
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


def test_numbers_are_letters_in_the_search(tab: Tab, page: Path) -> None:
    """Whoever types a key toggles nothing."""
    tab.open(page)
    tab.press("/", *"12/?d")

    assert tab.script("return document.getElementById('search').value") == "12/?d"
    assert tab.count("#layers [aria-pressed=false]") == 0
    assert not tab.one("#keys").is_displayed()


def test_the_question_mark_lists_the_keys(tab: Tab, page: Path) -> None:
    """In a dialog that Esc closes, from the detail view too."""
    tab.open(page, key=TEXT)
    tab.press("?")
    assert tab.one("#keys").is_displayed()
    assert {"/", "Enter", "1", "?"} <= set(tab.texts("#keys kbd"))

    tab.press(Keys.ESCAPE)
    assert not tab.one("#keys").is_displayed()
    assert tab.one("#detail").is_displayed()


def test_cards_have_words(tab: Tab, page: Path) -> None:
    """For those who hear the page: key, outcome, score, duration."""
    tab.open(page)

    labels = tab.script(
        "return [...document.querySelectorAll('.card')].map((node) => node.ariaLabel)"
    )
    assert labels[0] == f"{WHOLE}, Detected, score 0.99, 300 ms"
    assert labels[3] == f"{TEXT}, Failed, NOT_AN_IMAGE, 20 ms"


def test_every_control_has_a_name(tab: Tab, page: Path) -> None:
    """Buttons and fields say what they are, by text or label."""
    tab.open(page, key=WHOLE)

    nameless = tab.script(
        "return [...document.querySelectorAll('button, input, select')]"
        ".filter((node) => !(node.textContent.trim() || node.ariaLabel || node.labels?.length"
        " || node.title)).map((node) => node.outerHTML)"
    )
    assert nameless == []
