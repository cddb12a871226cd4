"""The report's HTML file: markup, style, script, and the data between them.

The data is JSON in script elements that browsers don't run. A content security policy allows
exactly this style and this script, and no network.
"""

import json
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from html import escape
from importlib.resources import files
from string import Template
from typing import Any, Final, TextIO

_MARKER: Final = "<!-- data -->"

# HTML would see tags, comments and entities where JSON has these in its strings.
_ESCAPED: Final = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})


class PageWriter:
    """Writes a page's data to its file as it comes; nothing is kept in memory."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._results = 0

    def add_result(self, content: Mapping[str, Any]) -> None:
        """Write a result's photo and landmarks, which the page reads when it shows them."""
        self._add(f"result-{self._results}", content)
        self._results += 1

    def add_report(self, content: Mapping[str, Any]) -> None:
        """Write the summary and the list of results, which the page reads first."""
        self._add("report", content)

    def _add(self, name: str, content: Mapping[str, Any]) -> None:
        data = escaped_json(content)
        self._file.write(f'<script type="application/json" id="{name}">{data}</script>\n')


@contextmanager
def page_in(file: TextIO, title: str) -> Iterator[PageWriter]:
    """Write a page; the block writes its data.

    Args:
        file: UTF-8 text file to write to.
        title: title of the browser's window.

    Raises:
        OSError: the file can't be written.
    """
    head, _, tail = _frame(title).partition(_MARKER)
    file.write(head)
    yield PageWriter(file)
    file.write(tail)


def escaped_json(content: object) -> str:
    """JSON in ASCII, without characters that have a meaning in HTML."""
    return json.dumps(content, separators=(",", ":"), allow_nan=False).translate(_ESCAPED)


def _frame(title: str) -> str:
    folder = files(__package__)
    markup, style, script = (
        folder.joinpath(f"page.{kind}").read_text(encoding="utf-8")
        for kind in ("html", "css", "js")
    )
    policy = (
        "default-src 'none'",
        "img-src data:",
        f"style-src {_hash_source(style)}",
        f"script-src {_hash_source(script)}",
        "base-uri 'none'",
        "form-action 'none'",
    )
    return Template(markup).substitute(
        title=escape(title), policy="; ".join(policy), style=style, script=script
    )


def _hash_source(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
