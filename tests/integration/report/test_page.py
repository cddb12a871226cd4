"""The report's page: all data in it, and nothing in it that reaches outside."""

import re
from base64 import b64encode
from hashlib import sha256
from io import StringIO
from pathlib import Path

from landmarks.report.page import escaped_json, page_in
from tests.fakes import person
from tests.integration.report.album import Album
from tests.integration.report.conftest import Report
from tests.integration.report.pages import Page


def digest(text: str) -> str:
    """As a content security policy writes it."""
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def test_the_policy_allows_this_page_and_nothing_else(report: Report) -> None:
    """No network; the very style and the very script that are in the file."""
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


def test_nothing_in_the_page_is_elsewhere(album: Album, report: Report) -> None:
    """No address but the namespace of SVG, and links within the page."""
    album.add("a.jpg", version=album.photo("a.jpg", person()))

    page = report()

    assert set(re.findall(r"\w+://[^\s'\"]*", page.text)) == {"http://www.w3.org/2000/svg"}
    assert page.addresses == ["#gallery"]
    assert "@import" not in page.text
    assert "url(" not in page.text


def test_the_script_makes_no_markup_of_text(report: Report) -> None:
    """What browsers would parse is never given to them, nor run."""
    script = report().texts["script"]

    for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
        assert way not in script
    assert "Function(" not in script


def test_a_title_is_text(report: Report) -> None:
    """In the markup as well."""
    page = report(title="</title><script>alert(1)</script> & more")

    assert page.texts["title"] == "</title><script>alert(1)</script> & more"
    assert page.report["title"] == page.texts["title"]


def test_escaped_json_means_nothing_to_html() -> None:
    """ASCII, and none of the characters that begin something."""
    escaped = escaped_json({"key": "<!-- </script> & \u2028 \u202e 👩"})

    assert escaped.isascii()
    assert not re.search("[<>&]", escaped)


def test_data_stand_inside_of_the_page(tmp_path: Path) -> None:
    """What is written comes between the page's beginning and its end."""
    path = tmp_path / "report.html"
    with path.open("w", encoding="utf-8") as file, page_in(file, "title") as writer:
        writer.add_result({"photo": None, "landmarks": {}})
        writer.add_report({"results": []})

    assert Page(path).report == {"results": []}
    assert path.read_text("utf-8").rstrip().endswith("</html>")


def test_content_is_written_as_it_comes() -> None:
    """A result is on its way before the next one is there: nothing is collected."""
    file = StringIO()
    with page_in(file, "title") as writer:
        before = file.tell()
        writer.add_result({"photo": "x" * 1_000_000, "landmarks": {}})
        assert file.tell() >= before + 1_000_000
        writer.add_report({})
