"""The expressions in docs/table.md that read one group, in Python and JavaScript."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from landmarks.encoding import ATTRIBUTES, decode
from landmarks.enums import LandmarkEncoding
from landmarks.groups import GROUPS
from tests.fakes import seen_person
from tests.integration.reading.node import ROOT

_HAND = next(group for group in GROUPS if group.name == "left_hand_landmarks")
_RUN_SECONDS = 600  # ends a hung test

# Programs that print a group, read from standard input as `b`, one number in each line.
PROGRAMS = {
    "Python": """
import sys
import numpy as np

b = sys.stdin.buffer.read()
for number in (EXPRESSION).ravel():
    print(repr(float(number)))
""",
    "JavaScript": """
const b = require("fs").readFileSync(0);
for (const number of EXPRESSION) console.log(number);
""",
}
COMMANDS = {
    "Python": (sys.executable, "reader.py"),
    "JavaScript": ("node", "reader.cjs"),
}


def expression(language: str, encoding: LandmarkEncoding) -> str:
    """Return the code in the page: float32's comes first."""
    page = (ROOT / "docs" / "table.md").read_text("utf-8")
    paragraph = page.split("\nBytes `b` of a hand")[1].split("\n\n")[0]
    codes: list[str] = [code for code in re.findall(r"`([^`]+)`", paragraph) if "(" in code]
    ours = [code for code in codes if code.startswith("np.") == (language == "Python")]
    return ours[(LandmarkEncoding.BINARY, LandmarkEncoding.INT16).index(encoding)]


@pytest.mark.parametrize("encoding", [LandmarkEncoding.BINARY, LandmarkEncoding.INT16])
@pytest.mark.parametrize("language", PROGRAMS)
def test_documented_expressions_read_the_numbers_that_we_read(
    language: str, encoding: LandmarkEncoding, tmp_path: Path
) -> None:
    """To the last bit. A language without its tools is skipped."""
    program, *arguments = COMMANDS[language]
    if shutil.which(program) is None:
        pytest.skip(f"{language} is not installed")
    code = PROGRAMS[language].replace("EXPRESSION", expression(language, encoding))
    (tmp_path / arguments[-1]).write_text(code)
    hand = seen_person().landmarks.left_hand_landmarks
    assert hand is not None
    content = ATTRIBUTES[encoding](_HAND).serialize(hand)

    printed = subprocess.run(
        [program, *arguments],
        cwd=tmp_path,
        input=content,
        capture_output=True,
        timeout=_RUN_SECONDS,
        check=True,
    ).stdout

    named = None if encoding is LandmarkEncoding.BINARY else str(encoding)
    ours = decode({_HAND.name: content}, named)[_HAND.name]
    read = np.array([float(line) for line in printed.split()])
    assert read.tolist() == ours.astype(float).ravel().tolist()
