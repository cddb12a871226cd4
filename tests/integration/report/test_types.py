"""The data that Python writes has the types that the page's script is checked with."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from landmarks.errors import NotAnImageError
from tests.fakes import person, seen_nobody, seen_people
from tests.integration.report.album import Album
from tests.integration.report.conftest import Report
from tests.integration.report.pages import Page
from worker.model import ModelOptions

ROOT = Path(__file__).resolve().parents[3]
COMPILER = ROOT / "lint" / "node_modules" / ".bin" / "tsc"


@pytest.fixture
def page(album: Album, report: Report) -> Page:
    """Results with everything and with next to nothing."""
    album.add("photo.jpg", version=album.photo("photo.jpg", person()))
    album.add("gone.jpg", seen_nobody(), minutes_ago=2)
    album.add("crowd.jpg", seen_people(3), model=ModelOptions(max_people=16), minutes_ago=2.5)
    album.add("text.jpg", NotAnImageError("31 bytes of text"), minutes_ago=3)
    names = {"object_key": "bare.jpg", "bucket": "photos", "status": "detected"}
    album.cloud.clients["dynamodb"].put_item(
        TableName=album.cloud.stack.table,
        Item={name: {"S": value} for name, value in names.items()},
    )
    return report()


def compile_with(folder: Path, *lines: str) -> list[str]:
    """The type checker's errors in lines of TypeScript beside the page's script."""
    (folder / "data.ts").write_text("\n".join(lines), encoding="utf-8")
    report = ROOT / "landmarks" / "report"
    project = {
        "extends": str(ROOT / "lint" / "page.json"),
        "include": [str(report / "page.d.ts"), str(report / "page.js"), "data.ts"],
    }
    (folder / "tsconfig.json").write_text(json.dumps(project), encoding="utf-8")
    command = [str(COMPILER), "--project", str(folder), "--pretty", "false"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return [line for line in done.stdout.splitlines() if ": error " in line]


@pytest.mark.skipif(
    not COMPILER.exists() and os.environ.get("CI") != "true",
    reason="no TypeScript: make test installs it where npm is",
)
def test_the_data_has_the_types_of_the_script(page: Page, tmp_path: Path) -> None:
    """Every field, no more and no less; other values, types and fields are errors."""
    record = page.report["results"][0]
    contents = [page.content(number) for number in range(page.results_held)]
    assert len(contents) == 5

    errors = compile_with(
        tmp_path,
        f"const written: ReportData = {json.dumps(page.report)};",
        f"const contents: ResultContent[] = {json.dumps(contents)};",
        f"const state: ResultRecord = {json.dumps({**record, 'photo': 'lost'})};",
        f"const score: ResultRecord = {json.dumps({**record, 'score': '0.9'})};",
        f"const more: ResultRecord = {json.dumps({**record, 'more': 1})};",
    )

    assert [error.partition(",")[0].rpartition("/")[2] for error in errors] == [
        "data.ts(3",
        "data.ts(4",
        "data.ts(5",
    ]
