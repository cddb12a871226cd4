"""`landmarks export` in the formats that contain nothing but landmarks: CSV and COCO."""

import csv
import json
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from pycocotools.coco import COCO

from landmarks import LandmarkTable
from landmarks.cli.main import landmarks
from landmarks.errors import CorruptImageError
from landmarks.groups import FloatArray, Landmarks
from landmarks.names import POSE_NAMES
from tests.fakes import Cloud, seen_nobody, seen_people
from tests.results import save_result
from worker.result import Detection

PEOPLE, NOBODY, BROKEN = "a/two, people.jpg", "a/nobody.png", "a/broken.jpg"
WIDTH, HEIGHT = 640, 480


def run(cloud: Cloud, *arguments: str) -> Result:
    """Run the command with the stack's settings."""
    return CliRunner().invoke(landmarks, ["export", *arguments], env=cloud.stack.environment)


def written(cloud: Cloud, *arguments: str) -> str:
    """Return what a successful export writes to standard output."""
    result = run(cloud, "-o", "-", *arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture
def filled(cloud: Cloud) -> Cloud:
    """A table with a photograph of two people, one of nobody, and one that is broken."""
    save_result(cloud, PEOPLE, seen_people(2), max_people=2)
    save_result(cloud, NOBODY, seen_nobody())
    save_result(cloud, BROKEN, CorruptImageError("cut short"))
    return cloud


def loaded(file: Path, capsys: pytest.CaptureFixture[str]) -> COCO:
    """Return the file as pycocotools reads it, without its chatter."""
    coco = COCO(str(file))
    capsys.readouterr()
    return coco


@pytest.fixture
def coco(filled: Cloud, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> COCO:
    """The table, exported and read by pycocotools."""
    result = run(filled, "--format", "coco", "-o", str(tmp_path / "people.json"))
    assert result.exit_code == 0, result.output
    return loaded(tmp_path / "people.json", capsys)


def keypoints(coco: COCO, annotation: dict[str, Any]) -> dict[str, list[float]]:
    """Return an annotation's x, y and flag by name."""
    (category,) = coco.loadCats([annotation["category_id"]])
    rows = np.array(annotation["keypoints"]).reshape(-1, 3).tolist()
    return dict(zip(category["keypoints"], rows, strict=True))


def test_a_csv_has_a_row_per_landmark_of_everyone(filled: Cloud) -> None:
    """Numbers are exact; results without landmarks have no rows."""
    rows = list(csv.DictReader(StringIO(written(filled, "--format", "csv"))))

    assert {(row["object_key"], row["bucket"]) for row in rows} == {(PEOPLE, filled.stack.bucket)}
    assert list(rows[0])[:3] == ["object_key", "bucket", "group"]
    for number, person in enumerate([seen_people(2).landmarks, *seen_people(2).others]):
        mine = [row for row in rows if row["person"] == str(number)]
        for group, array in person.found():
            of_group = [row for row in mine if row["group"] == group.name]
            assert [int(row["number"]) for row in of_group] == list(range(len(array)))
            numbers = [[row[name] for name in group.columns] for row in of_group]
            assert np.array(numbers, np.float32).tobytes() == array.tobytes()


def test_a_csv_file_says_what_it_leaves_out(filled: Cloud, tmp_path: Path) -> None:
    """The suffix selects the format."""
    words = run(filled, "-o", str(tmp_path / "a.csv")).stderr

    assert words.startswith("1 result, ")
    assert "\n2 results without landmarks left out\n" in words


@pytest.mark.parametrize("form", ["csv", "coco"])
def test_only_results_left_out_are_no_file(cloud: Cloud, tmp_path: Path, form: str) -> None:
    """The exit status is 1."""
    save_result(cloud, BROKEN, CorruptImageError("cut short"))

    result = run(cloud, "--format", form, "-o", str(tmp_path / "a"))

    assert result.exit_code == 1
    assert result.stderr.startswith("Error: only results ")
    assert list(tmp_path.iterdir()) == []


def test_coco_has_an_image_per_photo_and_an_annotation_per_person(
    filled: Cloud, coco: COCO
) -> None:
    """Nobody's photo is an image without annotations; what could not be read is left out."""
    images = {image["file_name"]: image for image in coco.loadImgs(coco.getImgIds())}

    assert images.keys() == {PEOPLE, NOBODY}
    assert images[PEOPLE]["coco_url"] == f"s3://{filled.stack.bucket}/{PEOPLE}"
    assert (images[PEOPLE]["width"], images[PEOPLE]["height"]) == (WIDTH, HEIGHT)
    counts = {name: len(coco.getAnnIds(imgIds=[each["id"]])) for name, each in images.items()}
    assert counts == {PEOPLE: 2, NOBODY: 0}


def test_coco_has_whole_bodys_names_and_lines(coco: COCO) -> None:
    """133 names in five groups; lines are numbered from 1 and stay inside a group."""
    (category,) = coco.loadCats(coco.getCatIds(catNms=["person"]))
    names = category["keypoints"]

    assert len(set(names)) == len(names) == 133
    assert names[:5] == ["nose", "left_eye", "right_eye", "left_ear", "right_ear"]
    assert names[17:23] == [
        *("left_big_toe", "left_small_toe", "left_heel"),
        *("right_big_toe", "right_small_toe", "right_heel"),
    ]
    assert (names[23], names[90]) == ("face-0", "face-67")
    assert (names[91], names[112]) == ("left_hand_root", "right_hand_root")
    lines = {(names[first - 1], names[second - 1]) for first, second in category["skeleton"]}
    assert ("left_shoulder", "left_elbow") in lines
    assert ("left_hand_root", "left_thumb1") in lines
    assert ("right_forefinger3", "right_forefinger4") in lines
    assert ("face-41", "face-36") in lines
    starts = (0, 23, 91, 112, 133)
    for first, second in category["skeleton"]:
        assert np.searchsorted(starts, first) == np.searchsorted(starts, second)


def test_coco_keypoints_are_the_landmarks_in_pixels(filled: Cloud, coco: COCO) -> None:
    """Of every group and person; big and small toes are missing."""
    result = LandmarkTable(filled.stack.table).get(PEOPLE)
    assert result is not None
    annotations = coco.loadAnns(coco.getAnnIds())

    for person, annotation in zip(result.people, annotations, strict=True):
        points = keypoints(coco, annotation)
        pose, face = person.pixels("pose_landmarks"), person.pixels("face_landmarks")
        left, right = person.pixels("left_hand_landmarks"), person.pixels("right_hand_landmarks")
        assert pose is not None
        assert face is not None
        assert left is not None
        assert right is not None
        for name, expected in {
            "right_wrist": pose[POSE_NAMES.index("right_wrist")],
            "left_heel": pose[POSE_NAMES.index("left_heel")],
            "face-8": face[152],  # chin
            "face-36": face[33],  # outer corner of the right eye
            "left_forefinger1": left[5],
            "right_pinky_finger4": right[20],
        }.items():
            assert points[name][:2] == pytest.approx(expected, abs=0.0005)
        missing = [name for name, (_, _, flag) in points.items() if not flag]
        assert missing == ["left_big_toe", "left_small_toe", "right_big_toe", "right_small_toe"]
        assert all(points[name] == [0, 0, 0] for name in missing)
        assert annotation["num_keypoints"] == 129
        score = person.person_score if person.pose_score is None else person.pose_score
        assert annotation["score"] == score


def test_coco_flags_follow_visibility_and_the_images_edge(
    cloud: Cloud, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """2 is visible, 1 a guess, and outside the image or not found is 0."""
    pose: FloatArray = np.full((33, 4), 0.5, np.float32)
    pose[POSE_NAMES.index("left_wrist"), 3] = 0.49
    pose[POSE_NAMES.index("left_knee"), :2] = (0.25, 1.01)
    pose[POSE_NAMES.index("nose"), :2] = (-0.01, 0.25)
    pose[POSE_NAMES.index("right_ear"), :2] = (1, 0)
    detection = Detection(Landmarks(pose_landmarks=pose), WIDTH, HEIGHT, "png")
    save_result(cloud, "a.png", detection)
    file = tmp_path / "a.json"

    assert run(cloud, "--format", "coco", "-o", str(file)).exit_code == 0

    coco = loaded(file, capsys)
    (annotation,) = coco.loadAnns(coco.getAnnIds())
    points = keypoints(coco, annotation)
    assert points["left_elbow"] == [320, 240, 2]
    assert points["left_wrist"] == [320, 240, 1]
    assert points["left_knee"] == points["nose"] == points["face-0"] == [0, 0, 0]
    assert points["right_ear"] == [640, 0, 2]
    assert annotation["num_keypoints"] == 17 - 2 + 2
    assert annotation["bbox"] == [0, 0, 640, 480]
    assert annotation["area"] == 640 * 480


def test_coco_needs_no_visible_landmark(cloud: Cloud) -> None:
    """Then there is no box."""
    pose: FloatArray = np.zeros((33, 4), np.float32)
    save_result(cloud, "a.png", replace(seen_nobody(), landmarks=Landmarks(pose_landmarks=pose)))

    (annotation,) = json.loads(written(cloud, "--format", "coco"))["annotations"]

    assert (annotation["bbox"], annotation["area"]) == ([0, 0, 0, 0], 0)
