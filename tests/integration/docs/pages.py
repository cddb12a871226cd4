"""README and `docs/`, taken apart: headings, code blocks, the commands in them."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[3]
PAGES: Final = [
    *(ROOT / f"{page}.md" for page in ("README", "CONTRIBUTING", "SECURITY")),
    *sorted((ROOT / "docs").glob("*.md")),
]

_HEADING: Final = re.compile(r"^#+ (.*)$")
_FENCE: Final = re.compile(r"^ *```(\w*)$")
_PROMPT: Final = re.compile(r"^ *\$ ")


class Block(NamedTuple):
    """A block of code.

    Attributes:
        page: where it stands, relative to the project.
        language: what the page says it is; empty without.
        text: its lines, without the indentation of the fence.
        said: what its section says before it, heading included.
    """

    page: str
    language: str
    text: str
    said: str

    @property
    def commands(self) -> list[str]:
        """What stands behind the prompts, continued lines joined."""
        return [command for command, _ in self.dialogue]

    @property
    def dialogue(self) -> list[tuple[str, str]]:
        """Each command, and what the page shows that it says."""
        found: list[tuple[str, str]] = []
        for line in self.text.replace("\\\n", " ").splitlines():
            if _PROMPT.match(line):
                found.append((" ".join(_PROMPT.sub("", line).split()), ""))
            elif found:
                command, said = found[-1]
                found[-1] = (command, f"{said}{line}\n")
        return found


def name(page: Path) -> str:
    """Of a page, as tests are called after it."""
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path, language: str) -> list[Block]:
    """The page's blocks of one language, in their order."""
    return [block for block in _blocks(page) if block.language == language]


def anchors(page: Path) -> set[str]:
    """What a link into the page may end with: headings as GitHub names them."""
    headings = [match[1] for line in _prose(page) if (match := _HEADING.match(line))]
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in headings}


def links(page: Path) -> list[str]:
    """Where the page's links and pictures lead."""
    return re.findall(r"\]\(([^)\s]+)\)", "\n".join(_prose(page)))


def _prose(page: Path) -> Iterator[str]:
    """The lines outside of code."""
    inside = False
    for line in page.read_text(encoding="utf-8").splitlines():
        if line.lstrip().startswith("```"):
            inside = not inside
        elif not inside:
            yield line


def _blocks(page: Path) -> Iterator[Block]:
    said: list[str] = []
    code: list[str] | None = None
    language = ""
    for line in page.read_text(encoding="utf-8").splitlines():
        if code is not None and line.strip() == "```":
            indented = len(line) - len(line.lstrip())
            text = "".join(f"{one[indented:]}\n" for one in code)
            yield Block(name(page), language, text, "\n".join(said))
            code = None
        elif code is not None:
            code.append(line)
        elif fence := _FENCE.match(line):
            code, language = [], fence[1]
        else:
            said = [line] if _HEADING.match(line) else [*said, line]
