"""Our graph gives the same landmarks as a new stock Holistic, bit for bit.

The reference is the complete stock MediaPipe in another process. It shares only the decoded pixels
with us, and nothing from `worker.detector.graph`.
"""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import closing, contextmanager
from multiprocessing import get_context
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np
import pytest

from landmarks.errors import SettingsError
from landmarks.groups import GROUPS, FloatArray, Landmarks
from tests import photos
from tests.photos import Photo
from worker.detector.decode import decode_image
from worker.detector.launch import ChildOptions
from worker.detector.pool import DetectorPool
from worker.model import WITHOUT_MASK, ModelOptions, require_model

MAX_PIXELS = 50_000_000

Groups: TypeAlias = dict[str, FloatArray | None]


# --- The reference: these functions run in another process. ---


def import_stock() -> Any:  # noqa: ANN401, MediaPipe has no types
    """Run the real `import mediapipe`, but without matplotlib, which we don't install."""
    matplotlib = ModuleType("matplotlib")
    matplotlib.pyplot = ModuleType("matplotlib.pyplot")  # type: ignore[attr-defined]
    sys.modules.update({"matplotlib": matplotlib, "matplotlib.pyplot": matplotlib.pyplot})
    import mediapipe  # noqa: PLC0415

    return mediapipe


def _stock_landmarks(options: ModelOptions, bursts: Sequence[Sequence[Photo]]) -> list[Groups]:
    """Return the landmarks of each burst's last photo, with a new instance per burst."""
    holistic = import_stock().solutions.holistic.Holistic
    found = []
    for burst in bursts:
        with holistic(
            static_image_mode=True,
            model_complexity=options.model_complexity,
            refine_face_landmarks=options.refine_face_landmarks,
            min_detection_confidence=options.min_detection_confidence,
            min_tracking_confidence=options.min_landmark_confidence,
        ) as stock:
            for photo in burst:
                pixels = decode_image(photo.content, max_pixels=MAX_PIXELS).pixels
                answer = stock.process(pixels)
        found.append({group.name: columns_of(answer, group.name) for group in GROUPS})
    return found


def columns_of(answer: Any, name: str) -> FloatArray | None:  # noqa: ANN401, MediaPipe has no types
    """Return one group of stock's answer as an array with one row per landmark."""
    points = getattr(answer, name)
    if points is None:
        return None
    rows = [(point.x, point.y, point.z, point.visibility) for point in points.landmark]
    columns = 4 if name.startswith("pose") else 3
    return np.array(rows, dtype=np.float32)[:, :columns]


def _stock_scores(images: Sequence[Photo]) -> list[float | None]:
    """Return the best score of the stock pose graph's person detector."""
    solution_base = import_stock().solutions.holistic.SolutionBase
    scores = []
    for photo in images:
        with solution_base(
            binary_graph_path="mediapipe/modules/pose_landmark/pose_landmark_cpu.binarypb",
            side_inputs={"model_complexity": 1, "use_prev_landmarks": False},
            outputs=["pose_detection"],
        ) as pose:
            pixels = decode_image(photo.content, max_pixels=MAX_PIXELS).pixels
            detection = pose.process({"image": pixels}).pose_detection
        scores.append(None if detection is None else detection.score[0])
    return scores


# --- The tests. ---


@contextmanager
def stock_process() -> Iterator[Executor]:
    """A new process that calls one of the functions above."""
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as process:
        yield process


@contextmanager
def stock_landmarks(
    options: ModelOptions, bursts: Sequence[Sequence[Photo]]
) -> Iterator[Future[list[Groups]]]:
    """Run stock on each burst while the block runs, with a new instance per burst.

    Yields the future landmarks of each burst's last photo.
    """
    with stock_process() as process:
        yield process.submit(_stock_landmarks, options, bursts)


@contextmanager
def warm_detector(options: ModelOptions) -> Iterator[Callable[[Photo], Landmarks]]:
    """Our detector, with its pool and process."""
    child = ChildOptions(options, MAX_PIXELS, timeout_seconds=60, memory_bytes=1536 << 20)
    with closing(DetectorPool(child, 1)) as pool:
        yield lambda photo: pool.detect(photo.content, time.monotonic() + 120).landmarks
        assert pool.restarts == 0  # a retry in a new process would hide the first try


def differences(ours: Landmarks, stock: Groups) -> list[str]:
    """Return the groups that differ in any bit, or that only one side found."""
    return [
        group.name
        for group in GROUPS
        if _bits(getattr(ours, group.name)) != _bits(stock[group.name])
    ]


def _bits(array: FloatArray | None) -> tuple[Any, ...] | None:
    return None if array is None else (array.shape, array.dtype.str, array.tobytes())


def compare(
    options: ModelOptions, images: Sequence[Photo]
) -> tuple[dict[str, list[str]], set[str]]:
    """Return the groups that differ, by photo, and the photos in which we found someone."""
    bursts = [[photo] for photo in images]
    with stock_landmarks(options, bursts) as stock, warm_detector(options) as detect:
        ours = [detect(photo) for photo in images]
        references = stock.result()
    different = {
        photo.name: names
        for photo, own, reference in zip(images, ours, references, strict=True)
        if (names := differences(own, reference))
    }
    found = {photo.name for photo, own in zip(images, ours, strict=True) if own.person_found}
    return different, found


@pytest.mark.parametrize("refine_face_landmarks", [False, True], ids=["plain", "refined"])
@pytest.mark.parametrize("model_complexity", [0, 1, 2])
def test_landmarks_are_those_of_a_fresh_stock_holistic(
    model_complexity: int,
    refine_face_landmarks: bool,  # noqa: FBT001, passed by name
) -> None:
    """All groups are the same to the last bit, or missing on both sides."""
    options = ModelOptions(model_complexity, refine_face_landmarks=refine_face_landmarks)
    try:
        model = require_model(options)
    except SettingsError as error:
        if model_complexity == 0:  # no default needs this model
            pytest.skip(str(error))
        raise
    assert model.stem.endswith(WITHOUT_MASK), "run image/fetch_models.py"
    different, found = compare(options, photos.every())
    assert different == {}
    assert {"astronaut.png", "camera.png"} <= found


def test_the_bundled_photos_show_every_group() -> None:
    """The bundled photos alone cover all groups, including hands."""
    with warm_detector(ModelOptions(model_complexity=2)) as detect:
        found = [detect(photo) for photo in photos.bundled()]
    shown = {group.name for landmarks in found for group, _ in landmarks.found()}
    assert shown == {group.name for group in GROUPS}
    assert not all(landmarks.person_found for landmarks in found)


@pytest.mark.parametrize(
    ("detection", "landmark", "expected"),
    [
        (0.5, 0.5, {"astronaut.png", "both hands"}),
        (0.85, 0.5, {"both hands"}),
        (0.5, 0.96, {"astronaut.png"}),
        (0.3, 0.5, {"astronaut.png", "both hands", "squeezed"}),
        (0.1, 0.1, {"astronaut.png", "both hands", "squeezed", "distant"}),
    ],
)
def test_both_confidences_decide_as_they_do_in_stock(
    detection: float, landmark: float, expected: set[str]
) -> None:
    """Each threshold hides or shows the same people on both sides."""
    options = ModelOptions(1, detection, landmark)
    images = [photos.astronaut(), photos.both_hands(), photos.squeezed(), photos.distant()]
    different, found = compare(options, images)
    assert different == {}
    assert found == expected


def test_the_score_is_that_of_the_stock_person_detector() -> None:
    """A pose has its detection's score; without a pose there is none."""
    images = photos.every()
    with stock_process() as process, warm_detector(ModelOptions(1)) as detect:
        stock = process.submit(_stock_scores, images)
        ours = [detect(photo) for photo in images]
        scores = stock.result()
    expected = [
        score if landmarks.person_found else None
        for score, landmarks in zip(scores, ours, strict=True)
    ]
    assert [landmarks.pose_score for landmarks in ours] == expected
    assert all(score is None or 0.5 <= score <= 1 for score in expected)
