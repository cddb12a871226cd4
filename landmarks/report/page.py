"""The page's file: markup, style and script from `assets/`, and the data between them.

Data stand in the page as JSON that no browser runs, with every character escaped that could end
it; a policy in the page allows this very style and this very script, and no network.
"""

import json
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from html import escape
from importlib.resources import files
from string import Template
from typing import Any, Final, TextIO

# In this order they are one module of JavaScript.
SCRIPTS: Final = (
    "elements.js",
    "words.js",
    "results.js",
    "selection.js",
    "layers.js",
    "strokes.js",
    "canvas.js",
    "overlay.js",
    "plots.js",
    "summary.js",
    "cards.js",
    "gallery.js",
    "viewport.js",
    "points.js",
    "about.js",
    "detail.js",
    "toolbar.js",
    "keyboard.js",
    "main.js",
)


_MARKER: Final = "<!-- data -->"


# JSON may hold these anywhere inside of its texts; HTML would see tags, comments, entities.
_ESCAPED: Final = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})


class PageWriter:
    """Writes the data into a page that has begun; nothing of it is kept."""

    def __init__(self, file: TextIO) -> None:
        """Write to `file`."""
        self._file = file
        self._results = 0

    def add_result(self, content: Mapping[str, Any]) -> None:
        """What is read when a result is looked at: its photograph and its landmarks."""
        self._add(f"result-{self._results}", content)
        self._results += 1

    def add_report(self, content: Mapping[str, Any]) -> None:
        """What is read first: summary and list of results."""
        self._add("report", content)

    def _add(self, name: str, content: Mapping[str, Any]) -> None:
        self._file.write(f'<script type="application/json" id="{name}">')
        self._file.write(escaped_json(content))
        self._file.write("</script>\n")


@contextmanager
def page_in(file: TextIO, title: str) -> Iterator[PageWriter]:
    """Write a page around what the block writes.

    Args:
        file: where to, as UTF-8.
        title: as browsers show it.

    Raises:
        OSError: it can't be written.
    """
    head, _, tail = _frame(title).partition(_MARKER)
    file.write(head)
    yield PageWriter(file)
    file.write(tail)


def escaped_json(content: object) -> str:
    """ASCII without anything that means something to HTML."""
    return json.dumps(content, separators=(",", ":"), allow_nan=False).translate(_ESCAPED)


def _frame(title: str) -> str:
    style, script = _asset("page.css"), "\n".join(map(_asset, SCRIPTS))
    policy = {
        "default-src": "'none'",
        "img-src": "data:",
        "style-src": _hash_source(style),
        "script-src": _hash_source(script),
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return Template(_asset("page.html")).substitute(
        title=escape(title),
        policy="; ".join(f"{directive} {source}" for directive, source in policy.items()),
        style=style,
        script=script,
    )


@cache
def _asset(name: str) -> str:
    return files(__package__).joinpath("assets", name).read_text(encoding="utf-8")


def _hash_source(text: str) -> str:
    digest = b64encode(sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"
