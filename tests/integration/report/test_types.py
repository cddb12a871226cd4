"""What Python writes into the page has the types that its script is checked with."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from landmarks.errors import NotAnImageError
from tests.fakes import person, seen_nobody
from tests.integration.report.album import Album
from tests.integration.report.conftest import Report
from tests.integration.report.pages import Page

LINT = Path(__file__).resolve().parents[3] / "lint"
COMPILER = LINT / "node_modules" / ".bin" / "tsc"


@pytest.fixture
def page(album: Album, report: Report) -> Page:
    """Results with everything and with next to nothing."""
    album.add("photo.jpg", version=album.photo("photo.jpg", person()))
    album.add("gone.jpg", seen_nobody(), minutes_ago=2)
    album.add("text.jpg", NotAnImageError("31 bytes of text"), minutes_ago=3)
    names = {"object_key": "bare.jpg", "bucket": "photos", "status": "detected"}
    album.cloud.clients["dynamodb"].put_item(
        TableName=album.cloud.stack.table,
        Item={name: {"S": value} for name, value in names.items()},
    )
    return report()


def complaints(folder: Path, page: Page, *, more: str = "") -> str:
    """What the type checker says of a page's data."""
    contents = [page.content(number) for number in range(page.results_held)]
    data = folder / "data.ts"
    data.write_text(
        f"const written: ReportData = {json.dumps(page.report)};\n"
        f"const contents: ResultContent[] = {json.dumps(contents)};\n{more}",
        encoding="utf-8",
    )
    project = folder / "tsconfig.json"
    files = [
        LINT.parent / "landmarks" / "**" / "*.d.ts",
        LINT.parent / "landmarks" / "**" / "*.js",
        data,
    ]
    project.write_text(
        json.dumps({"extends": str(LINT / "page.json"), "include": [str(file) for file in files]}),
        encoding="utf-8",
    )
    command = [str(COMPILER), "--project", str(project), "--pretty", "false"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


@pytest.fixture(autouse=True)
def _needs_the_compiler() -> None:
    """It comes with `make test`. Where it has to be there and is not, that is a failure."""
    if COMPILER.exists():
        return
    reason = "no TypeScript: make test brings it where npm is"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def test_the_data_are_what_the_script_expects(page: Page, tmp_path: Path) -> None:
    """Every field, none more and none less."""
    assert page.results_held == 4
    assert complaints(tmp_path, page) == ""


@pytest.mark.parametrize("change", [{"photo": "lost"}, {"score": "0.9"}, {"more": 1}])
def test_other_data_are_not(change: dict[str, object], page: Page, tmp_path: Path) -> None:
    """The comparison sees another value, another type, and one field more."""
    record = {**page.report["results"][0], **change}

    said = complaints(tmp_path, page, more=f"const other: ResultRecord = {json.dumps(record)};\n")

    assert said.count("error") == 1
    assert "data.ts(3," in said
