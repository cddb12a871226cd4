"""Everyone in a photograph: what is found with `max_people` over 1, and what it may cost."""

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from landmarks.errors import SettingsError
from landmarks.groups import GROUPS, Landmarks
from tests import photos
from tests.conftest import needs_people_models
from tests.fuzz.images import OPTIONS
from tests.photos import Photo
from worker import model
from worker.detector.decode import decode_image
from worker.detector.graph import HolisticGraph
from worker.detector.people_graph import PeopleGraph
from worker.detector.process import DetectorProcess
from worker.model import ModelOptions, options_hash, require_model
from worker.result import Detection

pytestmark = needs_people_models

MAX_PEOPLE = 8
MANY = ModelOptions(model_complexity=1, max_people=MAX_PEOPLE)


@pytest.fixture(scope="module")
def child() -> Iterator[DetectorProcess]:
    """A confined process that looks for several people."""
    with closing(DetectorProcess(replace(OPTIONS, model=MANY))) as process:
        process.wait_until_ready(time.monotonic() + 60)
        yield process


def detect(child: DetectorProcess, photo: Photo) -> Detection:
    """Return a photo's detection."""
    return child.detect(photo.content, time.monotonic() + 60)


def everyone(found: Detection) -> list[Landmarks]:
    """Return all people in a detection."""
    return [one for one in (found.landmarks, *found.others) if one.person_found]


def noses(people: list[Landmarks]) -> list[tuple[float, float]]:
    """Return where the noses are, from left to right."""
    found = [one.pose_landmarks for one in people if one.pose_landmarks is not None]
    return sorted((float(pose[0, 0]), float(pose[0, 1])) for pose in found)


def pixels_of(photo: Photo) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Decode a photo."""
    return decode_image(photo.content, max_pixels=OPTIONS.max_image_pixels).pixels


def counted(monkeypatch: pytest.MonkeyPatch, solution: Any) -> list[object]:  # noqa: ANN401, MediaPipe has no types
    """Return a list that grows with each run of a model."""
    runs: list[object] = []
    process = solution.process

    def process_counted(data: object) -> object:
        runs.append(data)
        return process(data)

    monkeypatch.setattr(solution, "process", process_counted)
    return runs


class TestPhotographs:
    """What is found."""

    def test_everybody_is_found_once(self, child: DetectorProcess) -> None:
        """Each of three people is where they were put, and all have scores and faces."""
        found = detect(child, photos.group())
        people = everyone(found)

        places = noses(people)
        assert [round(x * 1536) for x, _ in places] == pytest.approx([214, 773, 1256], abs=25)
        assert found.landmarks.pose_score is not None
        assert all(one.person_score is not None and one.person_score > 0.5 for one in people)
        assert all(one.pose_score is None for one in found.others)
        assert all(one.pose_world_landmarks is not None for one in people)
        assert sum(one.face_landmarks is not None for one in people) >= 2

    def test_nobody_is_found_twice(self, child: DetectorProcess) -> None:
        """Portraits are not counted again because their legs are guessed anew."""
        people = everyone(detect(child, photos.crowd(columns=4, rows=2)))

        assert len(people) == MAX_PEOPLE
        rows = [
            sorted(x for x, y in noses(people) if (y < 0.5) == upper) for upper in (True, False)
        ]
        assert all(right - left > 0.2 for row in rows for left, right in pairwise(row))

    def test_further_people_are_sorted_by_score(self, child: DetectorProcess) -> None:
        """The best comes first."""
        scores = [one.person_score for one in detect(child, photos.group()).others]

        assert scores == sorted(scores, key=lambda score: -(score or 0))

    def test_equal_photographs_give_equal_people_in_any_order(self, child: DetectorProcess) -> None:
        """Nothing is kept from the photo before."""

        def values(found: Detection) -> list[bytes]:
            return [array.tobytes() for one in everyone(found) for _, array in one.found()]

        first = values(detect(child, photos.group()))
        detect(child, photos.crowd(columns=4, rows=2))
        assert values(detect(child, photos.group())) == first

    @pytest.mark.parametrize("photo", [photos.nobody(), photos.bundled()[2]], ids=lambda p: p.name)
    def test_nobody_is_invented(self, child: DetectorProcess, photo: Photo) -> None:
        """A gradient and a rocket have no people."""
        assert everyone(detect(child, photo)) == []


class TestFirstPerson:
    """The person at the top level."""

    @pytest.mark.parametrize(
        "options",
        [
            ModelOptions(model_complexity=1),
            ModelOptions(model_complexity=2),
            ModelOptions(model_complexity=0, refine_face_landmarks=True, segmentation=True),
            ModelOptions(
                model_complexity=1, min_detection_confidence=0.3, min_landmark_confidence=0.9
            ),
        ],
        ids=["default", "heavy", "lite, refined, mask", "thresholds"],
    )
    def test_is_the_same_bit_for_bit(self, options: ModelOptions) -> None:
        """Whom MediaPipe's detector finds is not changed by looking for others."""
        found = 0
        with (
            closing(HolisticGraph(options)) as one,
            closing(PeopleGraph(replace(options, max_people=MAX_PEOPLE))) as many,
        ):
            for photo in (*photos.every(), photos.squeezed(), photos.distant(), photos.group()):
                expected, got = (graph.process(pixels_of(photo)) for graph in (one, many))
                if expected.landmarks.person_found or got.landmarks.pose_score is not None:
                    found += 1
                    assert got.landmarks.pose_score == expected.landmarks.pose_score, photo.name
                    for group in GROUPS:
                        wanted = getattr(expected.landmarks, group.name)
                        actual = getattr(got.landmarks, group.name)
                        np.testing.assert_array_equal(actual, wanted, photo.name)
                    if options.segmentation:
                        np.testing.assert_array_equal(got.mask, expected.mask, photo.name)
        assert found >= 2


class TestLimits:
    """What a hostile photograph can cost."""

    def test_many_boxes_cost_no_more_than_the_setting(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The pose model runs once for each person that may be found, keypoints twice."""
        with closing(PeopleGraph(replace(MANY, max_people=4))) as graph:
            poses = counted(monkeypatch, graph._pose)
            keypoints = counted(monkeypatch, graph._finder._keypoints)
            found = graph.process(pixels_of(photos.crowd(columns=8, rows=5)))

        assert len(found.others) <= 3
        assert 0 < len(poses) <= 4
        assert 0 < len(keypoints) <= 8

    def test_a_large_photograph_fits_into_the_process(self, child: DetectorProcess) -> None:
        """50 megapixels full of people are answered by a process with limited memory."""
        crowd = photos.enlarged(photos.group(), 11_500)

        assert len(everyone(detect(child, crowd))) == 3


class TestModels:
    """The two further models."""

    def test_a_missing_one_stops_the_start(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """One line names the model and the ways to get it; a single person needs none."""
        monkeypatch.setattr(model, "PEOPLE_MODELS", ("absent.tflite",))
        require_model(replace(MANY, max_people=1))

        with pytest.raises(SettingsError) as caught:
            require_model(MANY)

        text = str(caught.value)
        assert text.startswith("MAX_PEOPLE=8 needs absent.tflite, which is not installed: ")
        assert "fetch_models.py --people" in text
        assert "MaxPeople=8" in text
        assert "\n" not in text

    def test_they_are_where_the_worker_looks(self) -> None:
        """`make test` has installed them."""
        folder = Path(require_model(MANY)).parents[1] / "people"

        assert all((folder / name).is_file() for name in model.PEOPLE_MODELS)


def test_the_setting_is_part_of_the_hash_when_it_matters() -> None:
    """Results from before the setting still count as done."""
    assert options_hash(replace(MANY, max_people=1)) == options_hash(
        ModelOptions(model_complexity=1)
    )
    assert len({options_hash(replace(MANY, max_people=n)) for n in (1, 2, 16)}) == 3
