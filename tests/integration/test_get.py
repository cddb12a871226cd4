"""`landmarks get`: one result, as text or in a file format."""

import csv
import io
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from landmarks import LandmarkTable
from landmarks.cli.main import landmarks
from landmarks.errors import CorruptImageError
from landmarks.groups import Landmarks
from landmarks.item import _READER_LIMITS
from tests.fakes import Cloud, closed_port, seen_nobody, seen_person
from tests.results import save_result
from worker.result import Detection

KEY = "fotos/été 1+1.jpg"


def run(cloud: Cloud, *arguments: str, **environment: str) -> Result:
    """Run the command with the stack's settings; keywords are environment variables."""
    return CliRunner().invoke(
        landmarks, ["get", *arguments], env={**cloud.stack.environment, **environment}
    )


def succeed(cloud: Cloud, *arguments: str) -> Result:
    """Run the command successfully."""
    result = run(cloud, *arguments)
    assert result.exit_code == 0, result.output
    return result


def rows_of(text: str) -> list[dict[str, str]]:
    """Return a CSV's rows, by the names in its header."""
    return list(csv.DictReader(io.StringIO(text)))


def test_people_see_that_a_photo_is_truncated(cloud: Cloud) -> None:
    """Behind its size; complete photos say nothing."""
    save_result(cloud, KEY, replace(seen_person(), truncated=True))
    save_result(cloud, "whole.jpg")

    assert "640 x 480 jpeg, 4,711 bytes, truncated\n" in succeed(cloud, KEY).stdout
    assert "640 x 480 jpeg, 4,711 bytes\n" in succeed(cloud, "whole.jpg").stdout


def test_people_see_the_pose_in_pixels(cloud: Cloud) -> None:
    """The outcome, the pose by name, and counts of the other groups are listed."""
    save_result(cloud, KEY)
    pose = seen_person().landmarks.pose_landmarks
    assert pose is not None
    x, y, z, visibility = pose[15].tolist()

    text = succeed(cloud, KEY).stdout

    (wrist,) = (line.split() for line in text.splitlines() if "left_wrist" in line)
    places = [f"{x * 640:.1f}", f"{y * 480:.1f}", f"{z:.3f}", f"{visibility:.2f}"]
    assert wrist == ["left_wrist", *places]
    assert "detected  score 0.99" in text
    assert "640 x 480 jpeg, 4,711 bytes" in text
    assert "56 ms: fetch 12, detect 34" in text
    assert "468 landmarks" in text
    assert "thumb_tip" not in text


def test_all_lists_hands_and_face_too(cloud: Cloud) -> None:
    """With --all, hands are listed by name and the face by number."""
    save_result(cloud, KEY)

    lines = succeed(cloud, KEY, "--all").stdout.splitlines()

    assert sum(line.startswith("  thumb_tip") for line in lines) == 2
    assert sum(line.startswith("  467 ") for line in lines) == 1


def test_a_missing_group_is_shown_as_not_found(cloud: Cloud) -> None:
    """A missing group is listed as not found."""
    pose = seen_person().landmarks.pose_landmarks
    save_result(cloud, KEY, Detection(Landmarks(pose_landmarks=pose), 640, 480, "png"))

    assert "left hand   not found" in succeed(cloud, KEY).stdout
    assert "Left hand  not found" in succeed(cloud, KEY, "--all").stdout


def test_failed_is_an_answer(cloud: Cloud) -> None:
    """The reason is shown without control characters, and the exit status is 0."""
    save_result(cloud, KEY, CorruptImageError("\x1b[31mcut short"))

    text = succeed(cloud, KEY).stdout

    assert "CORRUPT_IMAGE" in text
    assert "cut short" in text
    assert "\x1b" not in text


def test_json_is_what_the_reader_returns(cloud: Cloud) -> None:
    """Everything stored is on one line."""
    save_result(cloud, KEY)
    read = LandmarkTable(cloud.stack.table).get(KEY)
    assert read is not None

    (line,) = succeed(cloud, KEY, "--json").stdout.splitlines()

    assert json.loads(line) == read.to_json()


def test_csv_has_a_row_a_landmark(cloud: Cloud) -> None:
    """Numbers are exact, and missing values are empty."""
    save_result(cloud, KEY)
    seen = seen_person().landmarks

    rows = rows_of(succeed(cloud, KEY, "--csv").stdout)

    for group, array in seen.found():
        mine = [row for row in rows if row["group"] == group.name]
        written = np.array([[row[c] for c in group.columns] for row in mine], np.float32)
        assert written.tobytes() == array.tobytes()
        assert [row["number"] for row in mine] == [str(number) for number in range(len(array))]
    assert seen.pose_landmarks is not None
    wrist = rows[15]
    assert wrist["name"] == "left_wrist"
    x_pixels = seen.pose_landmarks[15, 0] * 640
    assert float(wrist["x_pixels"]) == pytest.approx(x_pixels, abs=0.001)
    (world,) = (
        row for row in rows if (row["group"], row["number"]) == ("pose_world_landmarks", "15")
    )
    assert (world["name"], world["x_pixels"], world["y_pixels"]) == ("left_wrist", "", "")
    (face,) = (row for row in rows if (row["group"], row["number"]) == ("face_landmarks", "0"))
    assert (face["name"], face["visibility"]) == ("", "")


def test_npz_needs_no_pickle(cloud: Cloud) -> None:
    """The archive has one array per group and the image's size."""
    save_result(cloud, KEY)

    content = succeed(cloud, KEY, "--npz").stdout_bytes

    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        for group, array in seen_person().landmarks.found():
            assert archive[group.name].dtype == np.float32
            assert archive[group.name].tobytes() == array.tobytes()
        assert (int(archive["width"]), int(archive["height"])) == (640, 480)
        assert str(archive["key"]) == KEY


@pytest.mark.parametrize("suffix", [".json", ".csv", ".npz", ".txt"])
def test_the_suffix_chooses_the_format(cloud: Cloud, tmp_path: Path, suffix: str) -> None:
    """The suffix selects the format, and nothing else is left."""
    save_result(cloud, KEY, seen_nobody())
    file = tmp_path / f"a{suffix}"

    succeed(cloud, KEY, "-o", str(file))

    beginning = {".json": b"{", ".csv": b"group,", ".npz": b"PK", ".txt": KEY.encode()}[suffix]
    assert file.read_bytes().startswith(beginning)
    assert list(tmp_path.iterdir()) == [file]


def test_without_landmarks_csv_is_only_a_header(cloud: Cloud) -> None:
    """The reason goes to standard error, so the table has no rows."""
    save_result(cloud, KEY, CorruptImageError("cut short"))

    result = succeed(cloud, KEY, "--csv")

    assert rows_of(result.stdout) == []
    assert result.stderr == "no landmarks: failed (CORRUPT_IMAGE)\n"


def test_npz_is_refused_on_a_terminal(cloud: Cloud) -> None:
    """Binary output on a terminal is an error with advice."""
    save_result(cloud, KEY)
    terminal, its_end = os.openpty()

    ran = subprocess.run(
        [sys.executable, "-m", "landmarks", "get", KEY, "--npz"],
        env={**os.environ, **cloud.stack.environment},
        stdout=its_end,
        stderr=subprocess.PIPE,
        check=False,
        text=True,
    )

    os.close(its_end)
    os.close(terminal)
    assert ran.returncode == 2
    assert "use -o FILE" in ran.stderr


def test_guesses_are_faint(cloud: Cloud) -> None:
    """Rows of low-visibility landmarks are dimmed."""
    pose = np.full((33, 4), 0.5, np.float32)
    pose[15, 3] = 0.49
    save_result(cloud, KEY, Detection(Landmarks(pose_landmarks=pose), 640, 480, "png"))

    lines = run(cloud, KEY, FORCE_COLOR="1", TERM="xterm").stdout.splitlines()

    (guessed,) = (line for line in lines if "left_wrist" in line)
    (seen,) = (line for line in lines if "right_wrist" in line)
    assert guessed.startswith("\x1b[2m")
    assert "\x1b" not in seen


def test_several_buckets_are_named(cloud: Cloud) -> None:
    """--bucket or an address selects one of several buckets."""
    save_result(cloud, KEY, bucket="one")
    save_result(cloud, KEY, seen_nobody(), bucket="two")

    refused = run(cloud, KEY)

    assert refused.exit_code == 1
    assert "--bucket: one, two" in refused.stderr
    assert json.loads(succeed(cloud, KEY, "--bucket", "two", "--json").stdout)["bucket"] == "two"
    assert json.loads(succeed(cloud, f"s3://one/{KEY}", "--json").stdout)["bucket"] == "one"


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("s3://photos/a b.jpg", "landmarks enqueue 's3://photos/a b.jpg'"),
        ("a.jpg", "-images/a.jpg"),
        ("fotos/%C3%A9t%C3%A9+1%2B1.jpg", f"there is one for '{KEY}'"),
        ("fotos/%C3%A9t%C3%A9%201%2B1.jpg", f"there is one for '{KEY}'"),
        (f"s3://photos/{KEY}", "there is one in camera"),
    ],
)
def test_a_missing_result_says_what_to_do(cloud: Cloud, key: str, words: str) -> None:
    """The error suggests enqueueing it, decoding the key or another bucket."""
    save_result(cloud, KEY, bucket="camera")

    result = run(cloud, key)

    assert result.exit_code == 1
    assert words in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("s3://one/a", "--bucket", "two"), "different buckets"),
        (("s3://one",), "KEY is empty"),
        (("",), "KEY is empty"),
        (("s3:///a",), "not an address"),
    ],
)
def test_a_bad_key_is_a_usage_error(cloud: Cloud, arguments: tuple[str, ...], words: str) -> None:
    """The exit status is 2."""
    result = run(cloud, *arguments)

    assert result.exit_code == 2
    assert words in result.stderr


def test_the_table_has_to_exist(cloud: Cloud) -> None:
    """A missing table is an error in one line, with advice."""
    for environment, status, words in (
        ({"RESULTS_TABLE": ""}, 2, "--table is missing"),
        ({"RESULTS_TABLE": "gone"}, 1, "no such table at http"),
    ):
        result = run(cloud, KEY, **environment)
        assert (result.exit_code, words in result.stderr) == (status, True)


def test_a_dynamodb_out_of_reach_is_one_line(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what to check."""
    monkeypatch.setitem(_READER_LIMITS, "max_retry_attempts", 0)
    with closed_port() as nowhere:
        result = run(cloud, KEY, AWS_ENDPOINT_URL_DYNAMODB=nowhere)

    assert result.exit_code == 1
    assert "check AWS_ENDPOINT_URL" in result.stderr
    assert len(result.stderr.splitlines()) == 1
