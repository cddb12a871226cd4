"""Photographs of several people, as the commands show, write and count them."""

import csv
import io
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from landmarks import LandmarkTable
from landmarks.cli.main import landmarks
from landmarks.errors import CorruptImageError, SettingsError
from landmarks.groups import GROUPS, Landmarks
from landmarks.item import bind_item
from tests.conftest import needs_people_models
from tests.fakes import Cloud, RiggedDetectors, nobody, seen_nobody, seen_people, seen_person
from tests.results import save_result
from worker.detector.pool import DetectorPool
from worker.model import ModelOptions, options_hash
from worker.settings import Settings

KEY = "team.jpg"
SEEN = seen_people()
PEOPLE = (SEEN.landmarks, *SEEN.others)


def run(cloud: Cloud, *arguments: str, **environment: str) -> Result:
    """Run a command with the stack's settings; keywords are environment variables."""
    result = CliRunner().invoke(
        landmarks, arguments, env={**cloud.stack.environment, "COLUMNS": "120", **environment}
    )
    assert result.exit_code == 0, result.output
    return result


@pytest.fixture
def team(cloud: Cloud) -> Cloud:
    """A table with a photograph of three people."""
    save_result(cloud, KEY, SEEN, max_people=8)
    return cloud


def words(text: str, start: str) -> list[str]:
    """Return the words of the only line that starts with these."""
    (line,) = (line for line in text.splitlines() if line.strip().startswith(start))
    return line.split()


class TestGet:
    """`landmarks get`."""

    def test_everyone_has_a_row(self, team: Cloud) -> None:
        """With both scores, the box and what was found; landmarks are for --person or --all."""
        text = run(team, "get", KEY).stdout

        assert words(text, "people") == ["people", "3"]
        assert words(text, "0 ")[:3] == ["0", "0.99", "0.90"]
        assert words(text, "1 ")[:3] == ["1", "-", "0.89"]
        assert words(text, "2 ")[:3] == ["2", "-", "0.88"]
        assert words(text, "1 ")[-6:] == ["pose", "·", "face", "·", "both", "hands"]
        assert words(text, "2 ")[-1] == "pose"
        assert "left_wrist" not in text
        assert "use --person NUMBER or --all to list landmarks" in text

    def test_all_lists_everyones_landmarks(self, team: Cloud) -> None:
        """Below a heading for each person."""
        lines = run(team, "get", KEY, "--all").stdout.splitlines()

        headings = [line for line in lines if line.startswith("Person ")]
        assert [heading.split()[1] for heading in headings] == ["0", "1", "2"]
        wrists = [line.split() for line in lines if line.startswith("  left_wrist")]
        for pose, world, person in zip(wrists[::2], wrists[1::2], PEOPLE, strict=True):
            assert person.pose_landmarks is not None
            x, y, z, visibility = person.pose_landmarks[15].tolist()
            assert pose[1:] == [
                f"{x * 640:.1f}",
                f"{y * 480:.1f}",
                f"{z:.3f}",
                f"{visibility:.2f}",
            ]
            assert world[-1] == f"{visibility:.2f}"

    def test_one_person_is_shown_alone(self, team: Cloud) -> None:
        """As if nobody else were there, but with the person's own score."""
        text = run(team, "get", KEY, "--person", "1").stdout

        pose = PEOPLE[1].pose_landmarks
        assert pose is not None
        assert words(text, "status") == ["status", "detected", "box", "score", "0.89"]
        assert words(text, "left_wrist")[1] == f"{pose[15, 0] * 640:.1f}"
        assert "468 landmarks" in text

    def test_json_has_everyone_or_one(self, team: Cloud) -> None:
        """One of several people has the first one's place."""
        read = LandmarkTable(team.stack.table).get(KEY)
        assert read is not None

        everyone = json.loads(run(team, "get", KEY, "--json").stdout)
        third = json.loads(run(team, "get", KEY, "--json", "--person", "2").stdout)

        assert everyone == read.to_json()
        of_the_third = everyone["other_people"][1]
        assert {name: third[name] for name in of_the_third} == of_the_third
        assert {"face_landmarks", "pose_score", "other_people"} & third.keys() == set()
        assert (third["object_key"], third["people_count"]) == (KEY, 3)

    def test_csv_numbers_people(self, team: Cloud) -> None:
        """In the last column; a person chosen keeps the number."""
        rows = list(csv.DictReader(io.StringIO(run(team, "get", KEY, "--csv").stdout)))

        for number, person in enumerate(PEOPLE):
            for group, array in person.found():
                mine = [r for r in rows if (r["person"], r["group"]) == (f"{number}", group.name)]
                written = np.array([[row[c] for c in group.columns] for row in mine], np.float32)
                assert written.tobytes() == array.tobytes()
        alone = run(team, "get", KEY, "--csv", "--person", "2").stdout
        assert {row["person"] for row in csv.DictReader(io.StringIO(alone))} == {"2"}

    def test_npz_numbers_people(self, team: Cloud) -> None:
        """The first person's arrays keep their names."""
        content = run(team, "get", KEY, "--npz").stdout_bytes

        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            assert int(archive["people_count"]) == 3
            for number, person in enumerate(PEOPLE):
                suffix = f"_{number}" if number else ""
                assert float(archive[f"person_score{suffix}"]) == pytest.approx(person.person_score)
                for group, array in person.found():
                    assert archive[f"{group.name}{suffix}"].tobytes() == array.tobytes()
            assert "face_landmarks_2" not in archive

    @pytest.mark.parametrize(
        ("key", "number", "reason"),
        [
            (KEY, "3", f"{KEY}: no such person: choose from 0, 1, 2"),
            ("wall.png", "0", "wall.png: nobody was found"),
        ],
    )
    def test_nobody_else_can_be_chosen(
        self, team: Cloud, key: str, number: str, reason: str
    ) -> None:
        """The error says who is there."""
        save_result(team, "wall.png", seen_nobody(), max_people=8)

        result = CliRunner().invoke(
            landmarks, ["get", key, "--person", number], env=team.stack.environment
        )

        assert (result.exit_code, result.stderr) == (1, f"Error: {reason}\n")

    def test_foreign_people_are_an_error(self, team: Cloud) -> None:
        """An application may have written anything."""
        item = {**team.item(KEY), "other_people": {"L": [{"M": {"name": {"S": "Eileen"}}}]}}
        team.put_item(item)

        for command in (["get", KEY], ["export", "-o", "-"]):
            result = CliRunner().invoke(landmarks, command, env=team.stack.environment)
            assert (result.exit_code, result.stdout) == (1, "")
            assert str(result.exception) == "other_people[0] has no pose_landmarks"


class TestCounts:
    """`landmarks list`, `status` and `retry`."""

    @pytest.fixture
    def counted(self, team: Cloud) -> Cloud:
        """Also results of before, of nobody and of a failure."""
        save_result(team, "before.jpg", seen_person())
        save_result(team, "wall.png", seen_nobody(), max_people=8)
        save_result(team, "short.jpg", CorruptImageError("cut short"), max_people=8)
        return team

    def test_list_has_a_column_and_a_sum(self, counted: Cloud) -> None:
        """A result from before the setting has one person or none."""
        result = run(counted, "list", f"s3://{counted.stack.bucket}")

        found = {line.split()[-1]: line.split()[-3] for line in result.stdout.splitlines()}
        assert found == {KEY: "3", "before.jpg": "1", "wall.png": "0", "short.jpg": "-"}
        assert result.stderr.startswith("4 people in 4 results\n")

    def test_without_the_setting_there_is_no_sum(self, cloud: Cloud) -> None:
        """Everybody would be counted once."""
        save_result(cloud, KEY)

        result = run(cloud, "list", f"s3://{cloud.stack.bucket}")

        assert result.stdout.split()[-3:] == ["1", "640x480", KEY]
        assert "people" not in result.stderr

    def test_index_does_not_count_people(self, cloud: Cloud) -> None:
        """It can't gain an attribute without being recreated."""
        table = f"{cloud.stack.table}-indexed"
        bind_item(table, for_reading=True).create_table(wait=True)
        indexed = replace(cloud, stack=replace(cloud.stack, table=table))
        save_result(indexed, KEY, SEEN, max_people=8)

        result = run(indexed, "list", f"s3://{cloud.stack.bucket}")

        assert result.stdout.split()[-3:] == ["-", "640x480", KEY]
        assert "people" not in result.stderr
        assert LandmarkTable(table).get(KEY).people_count == 3  # type: ignore[union-attr]

    def test_status_has_the_sum(self, counted: Cloud) -> None:
        """Of the results processed recently."""
        assert words(run(counted, "status").stdout, "people") == ["people", "4"]
        recent = json.loads(run(counted, "status", "--json").stdout)["recent"]
        assert (recent["processed"], recent["people"]) == (4, 4)

    @pytest.mark.parametrize(
        ("setting", "selected"),
        [("8", ["before.jpg"]), ("1", [KEY, "wall.png", "short.jpg"])],
    )
    def test_changed_setting_is_found(
        self, counted: Cloud, setting: str, selected: list[str]
    ) -> None:
        """`retry --options-changed` selects what was processed with another MAX_PEOPLE."""
        result = run(
            counted,
            *("retry", f"s3://{counted.stack.bucket}", "--options-changed", "--dry-run"),
            MAX_PEOPLE=setting,
        )

        keys = {line.split()[0].rpartition("/")[2] for line in result.stdout.splitlines()}
        assert keys == set(selected)
        assert options_hash(ModelOptions(max_people=int(setting))) in result.stderr
        assert (", up to 8 people\n" in result.stderr) == (setting == "8")


class TestExport:
    """`landmarks export`."""

    def test_json_lines_are_what_get_prints(self, team: Cloud) -> None:
        """One line for a photograph, with everyone."""
        assert run(team, "export", "-o", "-").stdout == run(team, "get", KEY, "--json").stdout

    def test_landmarks_of_everyone_can_be_left_out(self, team: Cloud) -> None:
        """Boxes and scores stay."""
        (line,) = run(team, "export", "-o", "-", "--no-landmarks").stdout.splitlines()

        values = json.loads(line)
        assert not {group.name for group in GROUPS} & values.keys()
        assert [other.keys() for other in values["other_people"]] == 2 * [
            {"bounding_box", "person_score"}
        ]

    def test_parquet_has_a_row_for_each_person(self, team: Cloud, tmp_path: Path) -> None:
        """The photograph's columns repeat; a photograph of nobody has a row without number."""
        save_result(team, "before.jpg", seen_person())
        save_result(team, "wall.png", seen_nobody(), max_people=8)
        file = tmp_path / "a.parquet"

        run(team, "export", "-o", str(file))

        rows: list[dict[str, Any]] = pq.read_table(file).to_pylist()
        numbers = sorted((row["key"], row["person"], row["people_count"]) for row in rows)
        assert numbers == [
            ("before.jpg", 0, None),
            *((KEY, number, 3) for number in range(3)),
            ("wall.png", None, 0),
        ]
        for row in (row for row in rows if row["key"] == KEY):
            seen = PEOPLE[row["person"]]
            assert (row["status"], row["image"]["width"]) == ("detected", 640)
            assert row["person_score"] == pytest.approx(seen.person_score)
            assert row["pose_score"] == pytest.approx(seen.pose_score)
            self.check_landmarks(row, seen)

    @staticmethod
    def check_landmarks(row: dict[str, Any], seen: Landmarks) -> None:
        """Compare the groups and the box of a row."""
        box = seen.bounding_box()
        assert box is not None
        assert row["bounding_box"] == pytest.approx(box._asdict(), abs=1e-6)
        for group in GROUPS:
            array = getattr(seen, group.name)
            if array is None:
                assert row[group.name] is None
            else:
                read = [[point[c] for c in group.columns] for point in row[group.name]]
                assert np.array(read, np.float32).tobytes() == array.tobytes()


@needs_people_models
class TestDetect:
    """`landmarks detect --max-people`."""

    @pytest.fixture(autouse=True)
    def rigged(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Two files in the current folder, and detectors that see three people if asked to."""

        def start(options: Any, _size: int) -> DetectorPool:  # noqa: ANN401, the child's
            people = options.model.max_people
            found = SEEN if people > 1 else seen_person()
            pool = RiggedDetectors(lambda *_: found)
            monkeypatch.setattr(pool, "wait_until_ready", lambda: None, raising=False)
            return pool

        monkeypatch.setattr("landmarks.local.detection.DetectorPool", start)
        monkeypatch.setattr("landmarks.local.detection.hide_from_children", lambda: None)
        monkeypatch.chdir(tmp_path)
        for name in ("a.png", "b.png"):
            (tmp_path / name).write_bytes(nobody())

    def detect(self, *arguments: str, **environment: str) -> Result:
        """Run the command."""
        result = CliRunner().invoke(
            landmarks, ["detect", *arguments], env={"COLUMNS": "120", **environment}
        )
        assert result.exit_code == 0, result.output
        return result

    def test_option_and_variable_are_the_same(self) -> None:
        """The option wins."""
        by_option = self.detect("a.png", "--json", "--max-people", "8")
        by_variable = self.detect("a.png", "--json", MAX_PEOPLE="8")
        neither = self.detect("a.png", "--json", "--max-people", "1", MAX_PEOPLE="8")

        several, same, one = (
            json.loads(result.stdout) for result in (by_option, by_variable, neither)
        )
        assert several["options_hash"] == same["options_hash"] != one["options_hash"]
        assert (several["people_count"], len(several["other_people"])) == (3, 2)
        assert not {"people_count", "other_people"} & one.keys()

    def test_everyone_is_printed(self) -> None:
        """As text for one photo and for several, and in each format."""
        assert words(self.detect("a.png", "--max-people", "3").stdout, "people")[1] == "3"
        table = self.detect("a.png", "b.png", "--max-people", "3").stdout
        assert "3 people · 2 faces · 4 hands" in table
        rows = self.detect("a.png", "b.png", "--csv", "--max-people", "3").stdout
        assert {(row["file"], row["person"]) for row in csv.DictReader(io.StringIO(rows))} == {
            (file, person) for file in ("a.png", "b.png") for person in "012"
        }
        archive = self.detect("a.png", "--npz", "--max-people", "3").stdout_bytes
        with np.load(io.BytesIO(archive)) as arrays:
            assert "pose_landmarks_2" in arrays

    @pytest.mark.parametrize("count", ["0", "17", "many"])
    def test_wrong_numbers_are_refused(self, count: str) -> None:
        """Wrong usage, before anything is read."""
        result = CliRunner().invoke(landmarks, ["detect", "a.png", "--max-people", count])
        assert result.exit_code == 2
        assert "--max-people" in result.stderr


@pytest.mark.parametrize("command", ["demo", "local"])
def test_worker_is_started_with_the_setting(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """--max-people is MAX_PEOPLE of the worker, which inherits the command's environment."""
    asked: list[int] = []

    def check() -> None:
        environment = {**os.environ, "RESULTS_TABLE": "any"}
        asked.append(Settings.from_environment(environment).model.max_people)
        raise SettingsError("that was all")

    monkeypatch.setattr(f"landmarks.cli.{command}.checked_settings", check)

    for arguments in (["--max-people", "8"], []):
        assert CliRunner().invoke(landmarks, [command, *arguments]).exit_code == 1

    assert asked == [8, 1]
    assert "MAX_PEOPLE" not in os.environ
