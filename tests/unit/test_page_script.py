"""The script of the report's page: all of it is shipped, and typed for the markup that is there."""

import re
from html.parser import HTMLParser
from pathlib import Path

from landmarks.report.page import SCRIPTS

REPORT = Path(__file__).parents[2] / "landmarks" / "report"
ASSETS = REPORT / "assets"

# The script makes these itself.
MADE = {"copy": "button", "detail-key": "h2", "detail-place": "span", "report": "script"}


class Markup(HTMLParser):
    """Elements with an id."""

    def __init__(self) -> None:
        """Read the page's markup."""
        super().__init__()
        self.tags: dict[str, str] = {}
        self.feed((ASSETS / "page.html").read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember it."""
        name = dict(attrs).get("id")
        if name:
            self.tags[name] = tag


def test_every_script_is_in_the_page() -> None:
    """What lies beside the others is shipped, once."""
    assert sorted(SCRIPTS) == sorted(path.name for path in ASSETS.glob("*.js"))


def test_elements_are_typed_as_the_markup_has_them() -> None:
    """The type checker takes every id and its tag from here."""
    types = (REPORT / "page.d.ts").read_text("utf-8")
    elements = re.search(r"interface PageElements {\n(.*?)}\n", types, re.DOTALL)
    assert elements

    typed = dict(re.findall(r"^ +'?([\w-]+)'?: '(\w+)';$", elements[1], re.MULTILINE))

    assert typed == Markup().tags | MADE
