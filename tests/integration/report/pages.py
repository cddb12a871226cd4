"""A report's file, parsed as a browser would."""

import json
import re
from base64 import b64decode
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image


class Page(HTMLParser):
    """The contents of the file."""

    def __init__(self, path: Path) -> None:
        super().__init__(convert_charrefs=True)
        self.text = path.read_text("utf-8")
        self.policy = ""
        self.addresses: list[str] = []
        self.tags: list[str] = []
        self.texts: dict[str, str] = {}
        self._open = ""
        self.feed(self.text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect policy, links and the start of texts."""
        attributes = dict(attrs)
        self.tags.append(tag)
        self.addresses += [
            str(value) for name, value in attrs if name in {"href", "src", "action", "data"}
        ]
        if attributes.get("http-equiv") == "Content-Security-Policy":
            self.policy = str(attributes["content"])
        if tag in {"script", "style", "title"}:
            self._open = str(attributes.get("id", tag))
            self.texts.setdefault(self._open, "")

    def handle_endtag(self, tag: str) -> None:
        """End a text."""
        if tag in {"script", "style", "title"}:
            self._open = ""

    def handle_data(self, data: str) -> None:
        """Collect texts."""
        if self._open:
            self.texts[self._open] += data

    @property
    def report(self) -> dict[str, Any]:
        """The data that the script reads first."""
        content: dict[str, Any] = json.loads(self.texts["report"])
        return content

    @property
    def keys(self) -> list[str]:
        """The keys of the results, in order."""
        return [record["key"] for record in self.report["results"]]

    @property
    def photos(self) -> dict[str, str]:
        """The state of the photos, by key."""
        return {record["key"]: record["photo"] for record in self.report["results"]}

    @property
    def results_held(self) -> int:
        """The number of results whose content is in the file."""
        return len([name for name in self.texts if re.fullmatch("result-[0-9]+", name)])

    def content(self, number: int) -> dict[str, Any]:
        """Photo and landmarks of a result."""
        content: dict[str, Any] = json.loads(self.texts[f"result-{number}"])
        return content

    def picture(self, number: int) -> Image.Image:
        """The embedded photo."""
        kind, _, data = self.content(number)["photo"].partition(";base64,")
        assert kind == "data:image/webp"
        return Image.open(BytesIO(b64decode(data)))

    def landmarks(self, number: int, group: str, person: int = 0) -> npt.NDArray[np.float32]:
        """A group's landmarks, one per row, by default of the first person."""
        content = self.content(number)
        groups = content["others"][person - 1]["landmarks"] if person else content["landmarks"]
        columns = self.report["drawing"]["columns"][group]
        return np.frombuffer(b64decode(groups[group]), "<f4").reshape(-1, columns)
