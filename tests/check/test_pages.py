"""README and `docs/`: links have a target, JSON and YAML can be parsed."""

import json
import re
from pathlib import Path

import pytest
from samtranslator.yaml_helper import yaml_parse

from tests.integration.docs.pages import PAGES, ROOT, anchors, blocks, links, name

CONTRIBUTING = ROOT / "CONTRIBUTING.md"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_have_a_target(page: Path) -> None:
    """The file exists, and so does the heading."""
    for link in links(page):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.is_relative_to(ROOT), link
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_json_and_yaml_can_be_parsed(page: Path) -> None:
    """A copied block is no syntax error."""
    for block in blocks(page, "json"):
        json.loads(block.text)
    for block in blocks(page, "yaml"):
        assert yaml_parse(block.text)


def test_every_page_is_linked_from_the_readme() -> None:
    """The README is the index."""
    linked = {(ROOT / link.partition("#")[0]).resolve() for link in links(ROOT / "README.md")}
    assert set(PAGES[1:]) <= linked


def test_contributing_names_files_and_commands_that_exist() -> None:
    """Paths in code, and targets of the Makefile."""
    text = CONTRIBUTING.read_text(encoding="utf-8")
    code = re.findall(r"`([^`]+)`", text.replace("\n", " "))
    paths = {
        word for words in code for word in words.split() if re.fullmatch(r"[\w.-]+/[\w./-]*", word)
    }
    installed = {path for path in paths if path.startswith((".venv", "build", "lint/node_modules"))}
    missing = {path for path in paths - installed if not (ROOT / path).exists()}
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    called = [word for words in code for word in words.split() if words.startswith("make ")]
    targets = {word for word in called if word.islower() and word != "make"}

    assert missing == {"landmarks/cli/NAME.py"}
    assert targets >= {"check", "test", "e2e", "release"}
    assert [one for one in targets if not re.search(rf"^{one}:", makefile, re.MULTILINE)] == []


@pytest.mark.parametrize("package", ["landmarks", "worker"])
def test_every_module_is_on_the_plan(package: str) -> None:
    """`docs/architecture.md` has a row for each module and folder of a package, and no others."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    section = page.split("\n## Modules")[1].split(f"\n`{package}/` is")[1].split("\n\n`")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    listed = {module for row in rows for module in re.findall(r"`([^`]+)`", row)}
    there = {
        path.name + "/" * path.is_dir()
        for path in (ROOT / package).iterdir()
        if path.name not in {"__init__.py", "__pycache__", "py.typed"}
    }
    assert listed == there
