"""`landmarks export`: the contents of the file, and when it is written."""

import gzip
import json
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from landmarks import LandmarkTable
from landmarks.cli.main import landmarks
from landmarks.errors import CorruptImageError
from landmarks.groups import GROUPS, FloatArray, Landmarks
from tests.big_table import big_table, key_of
from tests.fakes import Cloud, seen_nobody, seen_person
from tests.results import save_result
from worker.result import Detection

KEYS = ["2025/nobody.png", "2026/broken.jpg", '2026/a, "b"\n.jpg']


def run(cloud: Cloud, *arguments: str, **environment: str) -> Result:
    """Run the command with the stack's settings; keywords are environment variables."""
    return CliRunner().invoke(
        landmarks, ["export", *arguments], env={**cloud.stack.environment, **environment}
    )


def succeed(cloud: Cloud, *arguments: str, **environment: str) -> Result:
    """Run the command successfully."""
    result = run(cloud, *arguments, **environment)
    assert result.exit_code == 0, result.output
    return result


def lines_of(cloud: Cloud, *arguments: str) -> list[dict[str, Any]]:
    """Return the JSON lines on standard output, sorted by key."""
    lines = succeed(cloud, *arguments, "-o", "-").stdout.splitlines()
    return sorted(map(json.loads, lines), key=lambda line: str(line["object_key"]))


def rows_of(file: Path) -> dict[str, dict[str, Any]]:
    """Return a Parquet file's rows, by key."""
    return {row["key"]: row for row in pq.read_table(file).to_pylist()}


@pytest.fixture
def filled(cloud: Cloud) -> Cloud:
    """A table with a detected, a not detected and a failed result."""
    nobody, broken, person = KEYS
    save_result(cloud, nobody, seen_nobody())
    save_result(cloud, broken, CorruptImageError("cut short"), bucket="other")
    save_result(cloud, person)
    return cloud


def test_json_lines_are_what_the_reader_returns(filled: Cloud, tmp_path: Path) -> None:
    """There is one line per result, whatever its key, also when compressed."""
    read = {result.key: result.to_json() for result in LandmarkTable(filled.stack.table).scan()}
    plain, compressed = tmp_path / "a.jsonl", tmp_path / "a.jsonl.gz"

    succeed(filled, "-o", str(plain))
    succeed(filled, "-o", str(compressed))

    lines = [json.loads(line) for line in plain.read_text().splitlines()]
    assert {line["object_key"]: line for line in lines} == read
    unpacked = gzip.decompress(compressed.read_bytes()).splitlines()
    assert sorted(unpacked) == sorted(plain.read_bytes().splitlines())  # in no particular order


def test_parquet_has_typed_columns(filled: Cloud, tmp_path: Path) -> None:
    """Strings, times and structs are typed; absent attributes are null."""
    file = tmp_path / "a.parquet"

    succeed(filled, "-o", str(file))

    rows, schema = rows_of(file), pq.read_schema(file)
    nobody, broken, person = (rows[key] for key in KEYS)
    assert schema.field("processed_at").type == pa.timestamp("ms", "UTC")
    assert person["source_last_modified"] == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    usual = {"bytes": 4711, "orientation": 1, "truncated": False}
    assert person["image"] == {"width": 640, "height": 480, "format": "jpeg", **usual}
    assert person["duration_ms"] == {"fetch": 12, "detect": 34, "total": 56}
    assert person["pose_score"] == pytest.approx(0.987654, abs=1e-6)
    assert person["bounding_box"].keys() == {"x", "y", "width", "height"}
    assert (broken["status"], broken["error_code"], broken["bucket"]) == (
        "failed",
        "CORRUPT_IMAGE",
        "other",
    )
    assert broken["image"] == {"width": None, "height": None, "format": None, **usual}
    assert (nobody["error_code"], nobody["bounding_box"], nobody["pose_landmarks"]) == (None,) * 3


@pytest.mark.parametrize("form", ["parquet", "jsonl"])
def test_turned_and_truncated_photos_say_so(cloud: Cloud, tmp_path: Path, form: str) -> None:
    """In both formats."""
    turned = replace(seen_person(), format="heif", orientation=6, truncated=True)
    save_result(cloud, "turned.heic", turned)

    file = tmp_path / f"a.{form}"
    succeed(cloud, "-o", str(file))

    row = rows_of(file)["turned.heic"] if form == "parquet" else json.loads(file.read_text())
    assert row["image"] == {
        "width": 640,
        "height": 480,
        "format": "heif",
        "bytes": 4711,
        "orientation": 6,
        "truncated": True,
    }


def edges(rows: int, columns: int) -> FloatArray:
    """Return numbers that a conversion would change: negative zero, extremes, one third."""
    limits = np.finfo(np.float32)
    numbers = [-0.0, limits.smallest_subnormal, limits.max, limits.min, 1 / 3]
    return np.resize(np.array(numbers, np.float32), (rows, columns))


@pytest.mark.parametrize("form", ["parquet", "jsonl"])
def test_landmarks_are_the_tables_to_the_last_bit(cloud: Cloud, tmp_path: Path, form: str) -> None:
    """Landmarks are exact for all groups, even next to a result without the group."""
    outcomes = {
        "person": seen_person(),
        "refined": seen_person(points=478),
        "nobody": seen_nobody(),
        "edges": Detection(
            Landmarks(pose_landmarks=edges(33, 4), left_hand_landmarks=edges(21, 3)), 64, 64, "png"
        ),
    }
    for key, outcome in outcomes.items():
        save_result(cloud, key, outcome)
    file = tmp_path / f"a.{form}"

    succeed(cloud, "-o", str(file))

    for key, outcome in outcomes.items():
        for group in GROUPS:
            array = getattr(outcome.landmarks, group.name)
            landmarks = read_group(file, key, group.name)
            if array is None:
                assert landmarks is None
            else:
                numbers = [[landmark[c] for c in group.columns] for landmark in landmarks or []]
                assert np.array(numbers, np.float32).tobytes() == array.tobytes()


def read_group(file: Path, key: str, group: str) -> list[dict[str, float]] | None:
    """Return a group of a result as lists and dictionaries, from either format."""
    found: list[dict[str, float]] | None
    if file.suffix == ".parquet":
        found = rows_of(file)[key][group]
        return found
    lines = map(json.loads, file.read_text().splitlines())
    (line,) = (line for line in lines if line["object_key"] == key)
    found = line[group]["landmark"] if group in line else None
    return found


def test_results_are_selected(filled: Cloud) -> None:
    """Status, bucket and prefix filter results; items read are those of the whole table."""
    bucket = filled.stack.bucket
    nobody, broken, person = KEYS

    def keys(*arguments: str) -> list[str]:
        return [line["object_key"] for line in lines_of(filled, *arguments)]

    assert keys("--status", "failed") == [broken]
    assert keys(f"s3://{bucket}") == [nobody, person]
    for place in ("2026/", "2026", "202*", "2026/a*", person):
        expected = [nobody, person] if place == "202*" else [person]
        assert keys(f"s3://{bucket}/{place}") == expected
    words = succeed(filled, "s3://other", "-o", "-").stderr
    assert words.startswith("1 result, ")
    assert "3 items of the table read" in words


@pytest.mark.parametrize("form", ["parquet", "jsonl"])
def test_no_landmarks_leaves_them_out(filled: Cloud, tmp_path: Path, form: str) -> None:
    """Everything else is kept."""
    file = tmp_path / f"a.{form}"

    succeed(filled, "--no-landmarks", "-o", str(file))

    if form == "parquet":
        names = set(pq.read_schema(file).names)
    else:
        names = {name for line in file.read_text().splitlines() for name in json.loads(line)}
    assert not names & {group.name for group in GROUPS}
    assert {"status", "pose_score", "image", "error_code"} <= names


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "no results in table "),
        (["s3://bucket/2026/", "--status", "failed"], "no results with status failed in s3://b"),
        (["s3://bucket/a"], "For all keys that begin with this: 's3://bucket/a*'"),
    ],
)
def test_nothing_found_writes_nothing(
    cloud: Cloud, tmp_path: Path, arguments: list[str], words: str
) -> None:
    """One line says what was looked for; items without `status` are not results."""
    cloud.put_item({"object_key": {"S": "theirs"}, "bucket": {"S": "photos"}})
    file = tmp_path / "a.parquet"
    file.write_text("mine")

    result = run(cloud, *arguments, "--force", "-o", str(file))

    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert words in line
    assert [(path, path.read_text()) for path in tmp_path.iterdir()] == [(file, "mine")]


def test_the_format_can_be_an_option(filled: Cloud, tmp_path: Path) -> None:
    """--format works for names without a known suffix."""
    file = tmp_path / "results"

    succeed(filled, "--format", "parquet", "-o", str(file))

    assert pq.read_table(file).num_rows == 3


def test_an_existing_file_stays(filled: Cloud, tmp_path: Path) -> None:
    """A file is only replaced with --force; a symbolic link stays one."""
    (tmp_path / "a.jsonl").write_text("mine")
    link = tmp_path / "link.jsonl"
    link.symlink_to("a.jsonl")

    refused = run(filled, "-o", str(link))

    assert (refused.exit_code, link.read_text()) == (2, "mine")
    assert "--force" in refused.stderr
    succeed(filled, "-o", str(link), "--force")
    assert len((tmp_path / "a.jsonl").read_text().splitlines()) == 3
    assert link.is_symlink()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-o", "a.json"], "--format coco"),
        (["-o", "a.csv", "--no-landmarks"], "leaves nothing of csv"),
        (["-o", "-", "--format", "parquet"], "use -o FILE"),
        (["photos", "-o", "a.jsonl"], "is not an address such as"),
        (["-o", "a.jsonl", "--segments", "0"], "--segments"),
        ([], "--output"),
    ],
)
def test_wrong_options_are_usage_errors(cloud: Cloud, arguments: list[str], words: str) -> None:
    """The exit status is 2."""
    result = run(cloud, *arguments)

    assert result.exit_code == 2
    assert words in result.stderr


@pytest.mark.parametrize("form", ["parquet", "jsonl.gz"])
def test_an_error_leaves_no_file(cloud: Cloud, tmp_path: Path, form: str) -> None:
    """No partial file is left, and an existing one is kept."""
    file = tmp_path / f"a.{form}"
    file.write_text("older")

    result = run(cloud, "--force", "-o", str(file), RESULTS_TABLE="gone")

    assert result.exit_code == 1
    assert result.stderr.startswith("Error: no such table at http")
    assert len(result.stderr.splitlines()) == 1
    assert [(path, path.read_text()) for path in tmp_path.iterdir()] == [(file, "older")]


def test_without_pyarrow_the_extra_is_named(
    cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error says what to install; JSON Lines don't need pyarrow."""
    monkeypatch.delitem(sys.modules, "landmarks.cli.export.parquet", raising=False)
    monkeypatch.setitem(sys.modules, "pyarrow", None)

    result = run(cloud, "-o", str(tmp_path / "a.parquet"))

    assert result.exit_code == 1
    assert result.stderr.endswith("run pip install '.[parquet]' in this project's folder\n")
    assert len(result.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
    save_result(cloud, "a.jpg")
    succeed(cloud, "-o", str(tmp_path / "a.jsonl"))


def test_segments_give_each_result_once(cloud: Cloud, tmp_path: Path) -> None:
    """Segments of several pages give each result once."""
    file = tmp_path / "a.parquet"
    with big_table(1000) as address:
        environment = {"AWS_ENDPOINT_URL_DYNAMODB": address}
        succeed(cloud, "--segments", "3", "-o", str(file), **environment)

    keys = pq.read_table(file, columns=["key"])["key"].to_pylist()
    assert sorted(keys) == [key_of(number) for number in range(1000)]
