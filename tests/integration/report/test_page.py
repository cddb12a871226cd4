"""The report's page: self-contained, and safe from its own data."""

import re
from base64 import b64encode
from hashlib import sha256
from io import StringIO
from pathlib import Path

from landmarks.report import page as page_module
from landmarks.report.page import escaped_json, page_in
from tests.fakes import person
from tests.integration.report.album import Album
from tests.integration.report.conftest import Report
from tests.integration.report.pages import Page

REPORT = Path(page_module.__file__).parent


def test_elements_have_the_types_of_the_markup() -> None:
    """The type checker takes the tag of every id from page.d.ts."""
    markup = (REPORT / "page.html").read_text("utf-8")
    types = (REPORT / "page.d.ts").read_text("utf-8")
    elements = re.search(r"interface PageElements {\n(.*?)}\n", types, re.DOTALL)
    assert elements

    typed = dict(re.findall(r"^ +'?([\w-]+)'?: '(\w+)';$", elements[1], re.MULTILINE))
    written = {name: tag for tag, name in re.findall(r'<(\w+)[^>]* id="([\w-]+)"', markup)}

    assert typed == written | {"report": "script"}


def digest(text: str) -> str:
    """The hash of a content security policy."""
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def test_the_policy_allows_this_page_and_nothing_else(report: Report) -> None:
    """No network, only the style and the script that are in the file."""
    page = report()

    directives = dict(part.split(" ", 1) for part in page.policy.split("; "))

    assert directives == {
        "default-src": "'none'",
        "img-src": "data:",
        "style-src": digest(page.texts["style"]),
        "script-src": digest(page.texts["script"]),
        "base-uri": "'none'",
        "form-action": "'none'",
    }


def test_nothing_is_loaded(album: Album, report: Report) -> None:
    """The only address is the namespace of SVG, the only link within the page."""
    album.add("a.jpg", version=album.photo("a.jpg", person()))

    page = report()

    assert set(re.findall(r"\w+://[^\s'\"]*", page.text)) == {"http://www.w3.org/2000/svg"}
    assert page.addresses == ["#gallery"]
    assert "@import" not in page.text
    assert "url(" not in page.text


def test_the_script_never_turns_text_into_markup_or_code(report: Report) -> None:
    """It uses none of the functions that would."""
    script = report().texts["script"]

    for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
        assert way not in script
    assert "Function(" not in script


def test_a_title_is_text(report: Report) -> None:
    """Also in the markup."""
    page = report(title="</title><script>alert(1)</script> & more")

    assert page.texts["title"] == "</title><script>alert(1)</script> & more"
    assert page.report["title"] == page.texts["title"]


def test_escaped_json_means_nothing_to_html() -> None:
    """ASCII, without the characters of tags and entities."""
    escaped = escaped_json({"key": "<!-- </script> & \u2028 \u202e 👩"})

    assert escaped.isascii()
    assert not re.search("[<>&]", escaped)


def test_data_is_inside_the_page(tmp_path: Path) -> None:
    """Between its beginning and its end."""
    path = tmp_path / "report.html"
    with path.open("w", encoding="utf-8") as file, page_in(file, "title") as writer:
        writer.add_result({"photo": None, "landmarks": {}})
        writer.add_report({"results": []})

    assert Page(path).report == {"results": []}
    assert path.read_text("utf-8").rstrip().endswith("</html>")


def test_content_is_written_as_it_comes() -> None:
    """A result is in the file before the next one is there."""
    file = StringIO()
    with page_in(file, "title") as writer:
        before = file.tell()
        writer.add_result({"photo": "x" * 1_000_000, "landmarks": {}})
        assert file.tell() >= before + 1_000_000
        writer.add_report({})
