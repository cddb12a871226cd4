"""The code in `docs/reading.md` reads the stored numbers."""

import re
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from click.testing import CliRunner

from landmarks.cli.export.wholebody import KEYPOINTS
from landmarks.cli.main import landmarks
from landmarks.errors import NotAnImageError
from landmarks.groups import FloatArray
from tests.fakes import Cloud, person, seen_nobody, seen_person
from tests.results import save_result
from worker.result import Detection

PAGE = (Path(__file__).parents[2] / "docs" / "reading.md").read_text("utf-8")
KEY = "new/astronaut.jpg"


def blocks(language: str) -> list[str]:
    """Return the page's code in this language."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_the_page_lists_the_faces_keypoints() -> None:
    """The numbers of the 68 landmarks, in COCO's order."""
    (row,) = (line for line in PAGE.splitlines() if line.startswith("| `face-0` to `face-67` |"))
    of_face = [each.landmark for each in KEYPOINTS if each.group == "face_landmarks"]
    assert [int(number) for number in re.findall(r"(?<= )\d+", row)] == of_face


@pytest.fixture
def folder(cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder and a table in which to run the page's code."""
    version = cloud.put(KEY, person())
    save_result(cloud, KEY, Detection(seen_person().landmarks, 512, 512, "jpeg"), version=version)
    save_result(cloud, "new/list.jpg", NotAnImageError("4 bytes"))
    save_result(cloud, "rocket.jpg", seen_nobody())
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "astronaut.jpg").write_bytes(person())
    for name, value in cloud.stack.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def pose(folder: Path) -> FloatArray:
    """The stored pose of the photograph with a person, after an export."""
    assert CliRunner().invoke(landmarks, ["export", "-o", "results.parquet"]).exit_code == 0
    assert (folder / "results.parquet").exists()
    stored = seen_person().landmarks.pose_landmarks
    assert stored is not None
    return stored


def run(library: str) -> dict[str, Any]:
    """Run the page's Python with this library, and return its variables."""
    (code,) = (block for block in blocks("python") if f"import {library}" in block)
    scope: dict[str, Any] = {}
    exec(code, scope)  # noqa: S102, our own page
    return scope


def test_the_pages_python_reads_the_file(
    pose: FloatArray, capsys: pytest.CaptureFixture[str]
) -> None:
    """It prints the left wrist and returns the poses found."""
    poses = run("pyarrow.parquet")["poses"]

    assert poses.tobytes() == pose.tobytes()
    assert poses.dtype == np.float32
    key, *numbers = capsys.readouterr().out.split()
    assert (key, np.array(numbers, np.float32).tolist()) == (KEY, pose[15, [0, 1, 3]].tolist())


@pytest.mark.usefixtures("folder")
def test_the_pages_sql_reads_the_file(pose: FloatArray) -> None:
    """DuckDB finds the left wrist's x of detected people."""
    (query,) = blocks("sql")

    assert duckdb.execute(query).fetchall() == [(KEY, 0, pose[15, 0])]


def test_the_pages_pandas_reads_the_file(pose: FloatArray) -> None:
    """There is one row per landmark and one column per number."""
    frame = run("pandas")["pose"]

    assert list(frame.columns) == ["x", "y", "z", "visibility"]
    assert frame.to_numpy(np.float32).tobytes() == pose.tobytes()
