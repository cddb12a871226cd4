"""The report's file: whole or not there, and nothing in it that reaches outside."""

import re
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

import pytest

from tests.fakes import person
from tests.integration.report.album import Album
from tests.integration.report.conftest import Report
from tests.integration.report.pages import Page
from worker.report.page import escaped_json, open_page


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


def test_a_page_appears_when_it_is_whole(tmp_path: Path) -> None:
    """While it is written, the earlier one stays; then there is no other file."""
    path = tmp_path / "report.html"
    path.write_text("earlier")
    with open_page(path, "title") as writer:
        writer.add_result({"photo": None, "landmarks": {}})
        assert path.read_text() == "earlier"
        writer.add_report({"results": []})

    assert Page(path).report == {"results": []}
    assert list(tmp_path.iterdir()) == [path]


def test_a_page_that_fails_leaves_nothing(tmp_path: Path) -> None:
    """Neither half a page nor a temporary file; the earlier one stays."""
    path = tmp_path / "report.html"
    path.write_text("earlier")
    with pytest.raises(RuntimeError), open_page(path, "title"):
        raise RuntimeError

    assert path.read_text() == "earlier"
    assert list(tmp_path.iterdir()) == [path]


def test_content_is_written_as_it_comes(tmp_path: Path) -> None:
    """A result is on the disk's way before the next one is there: nothing is collected."""
    path = tmp_path / "report.html"
    with open_page(path, "title") as writer:
        writer.add_result({"photo": "x" * 1_000_000, "landmarks": {}})
        (unfinished,) = tmp_path.iterdir()
        assert unfinished.stat().st_size >= 1_000_000
        writer.add_report({})
