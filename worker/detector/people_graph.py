"""Landmarks of everyone in an image.

The first person comes from MediaPipe's own person detector, as with `HolisticGraph`, whose graph
runs here in parts. Everyone else comes from `PersonFinder`. One copy of each model serves all.
"""

from importlib import import_module
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from landmarks.groups import FloatArray, Landmarks
from worker.detector.graph import (
    GRAPH,
    Found,
    PointList,
    detection_options,
    import_lean,
    pose_options,
    to_array,
)
from worker.detector.people import Candidate, Region, box_of
from worker.detector.person_finder import PersonFinder, cut_out
from worker.model import ModelOptions

_POSE_MODEL_PIXELS: Final = 256

# What is farther from a person's box, as a share of its sides, is blackened: the pose model would
# take limbs of neighbours for the person's.
_BOX_MARGIN: Final = 0.1


class _Pose(NamedTuple):
    """A person's pose in the whole image.

    Attributes:
        landmarks: MediaPipe's NormalizedLandmarkList.
        world: shape (33, 4).
        points: shape (33, 3): x and y in pixels, visibility.
    """

    landmarks: PointList
    world: FloatArray | None
    points: npt.NDArray[np.float64]


class PeopleGraph:
    """Finds up to `max_people` people. Equal images give equal landmarks, in any order."""

    def __init__(self, options: ModelOptions) -> None:
        """Load the graphs.

        Raises:
            RuntimeError: MediaPipe rejects a graph, or a model is missing.
        """
        solution = import_lean()
        rect = import_module("mediapipe.framework.formats.rect_pb2").NormalizedRect
        self._whole = rect(x_center=0.5, y_center=0.5, width=1, height=1)
        self._max_people = options.max_people
        self._finder = PersonFinder(solution)
        self._detection = solution(
            graph_config=_read("pose_detection.pbtxt"),
            calculator_params=detection_options(options),
        )
        self._pose = solution(
            graph_config=_read("pose.pbtxt"),
            side_inputs={
                "model_complexity": options.model_complexity,
                "enable_segmentation": options.segmentation,
            },
            calculator_params=pose_options(options),
        )
        self._face_and_hands = solution(
            graph_config=_face_and_hands(),
            side_inputs={"refine_face_landmarks": options.refine_face_landmarks},
        )

    def process(self, pixels: npt.NDArray[np.uint8]) -> Found:
        """Find everyone's landmarks; the pose model runs at most `max_people` times.

        Args:
            pixels: shape (height, width, 3), 8-bit RGB, upright, C-contiguous.

        Raises:
            RuntimeError: a graph failed, and this instance is no longer usable.
        """
        pixels = pixels.view()
        pixels.flags.writeable = False  # so that MediaPipe doesn't copy it for each graph
        first, pose_score, mask = self._first(pixels)
        boxes = self._finder.boxes(pixels, self._max_people)
        own = box_of(first.points, boxes) if first else None
        candidates = self._finder.candidates(pixels, [box for box in boxes if box is not own])
        if first is None:
            people = self._others(pixels, candidates, [])
            return Found(people[0] if people else Landmarks(), None, tuple(people[1:]))
        itself = [one for one in candidates if one.is_person(first.points)]
        scores = [one.box.score for one in itself] + ([own.score] if own else [])
        landmarks = self._complete(pixels, first, max(scores, default=None), pose_score)
        further = [one for one in candidates if one not in itself]
        return Found(landmarks, mask, tuple(self._others(pixels, further, [first])))

    def close(self) -> None:
        """Free the models."""
        for part in (self._finder, self._detection, self._pose, self._face_and_hands):
            part.close()

    def _first(
        self, pixels: npt.NDArray[np.uint8]
    ) -> tuple[_Pose | None, float | None, FloatArray | None]:
        """Return the first person's pose, detection score and mask."""
        detected = self._detection.process(pixels)
        if detected.pose_roi is None:
            return None, None, None
        found = self._pose.process({"image": pixels, "roi": detected.pose_roi})
        # See `HolisticGraph.process`.
        mask, found.segmentation_mask = found.segmentation_mask, None
        if found.pose_landmarks is None:
            return None, None, None
        world = to_array(found.pose_world_landmarks, visibility=True)
        pose = _Pose(found.pose_landmarks, world, _points(found.pose_landmarks, pixels))
        return pose, detected.pose_detection.score[0], mask

    def _others(
        self, pixels: npt.NDArray[np.uint8], candidates: list[Candidate], known: list[_Pose]
    ) -> list[Landmarks]:
        """Return the landmarks of candidates that are people and not known yet."""
        known, others = list(known), []
        for candidate in candidates[: self._max_people - len(known)]:
            pose = self._run_pose(pixels, candidate)
            if (
                pose is not None
                and candidate.accepts(pose.points)
                and not any(candidate.same_pose(pose.points, one.points) for one in known)
            ):
                known.append(pose)
                others.append(self._complete(pixels, pose, candidate.box.score))
        return others

    def _run_pose(self, pixels: npt.NDArray[np.uint8], candidate: Candidate) -> _Pose | None:
        """Run the pose model on a candidate's region; returns None if it finds nobody there."""
        region, box = candidate.region(), candidate.box.grown(_BOX_MARGIN)
        cut = cut_out(pixels, region, _POSE_MODEL_PIXELS, box)
        found = self._pose.process({"image": cut, "roi": self._whole})
        found.segmentation_mask = None
        points = to_array(found.pose_landmarks, visibility=True)
        world = to_array(found.pose_world_landmarks, visibility=True)
        if points is None or world is None:
            return None
        _move(found.pose_landmarks, region, pixels)
        world[:, :2] = world[:, :2] @ region.turn.T
        return _Pose(found.pose_landmarks, world, _points(found.pose_landmarks, pixels))

    def _complete(
        self,
        pixels: npt.NDArray[np.uint8],
        pose: _Pose,
        person_score: float | None,
        pose_score: float | None = None,
    ) -> Landmarks:
        """Find a person's face and hands."""
        found = self._face_and_hands.process({"image": pixels, "pose_landmarks": pose.landmarks})
        return Landmarks(
            pose_landmarks=to_array(pose.landmarks, visibility=True),
            pose_world_landmarks=pose.world,
            face_landmarks=to_array(found.face_landmarks, visibility=False),
            left_hand_landmarks=to_array(found.left_hand_landmarks, visibility=False),
            right_hand_landmarks=to_array(found.right_hand_landmarks, visibility=False),
            pose_score=pose_score,
            person_score=person_score,
        )


def _read(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _face_and_hands() -> object:
    """Return the one-person graph without the pose, which becomes an input."""
    # Imported by now, see `import_lean`.
    parse = import_module("google.protobuf.text_format").Parse
    config = import_module("mediapipe.framework.calculator_pb2").CalculatorGraphConfig()
    graph = parse(GRAPH.read_text(encoding="utf-8"), config)
    graph.node.remove(next(node for node in graph.node if node.calculator == "PoseLandmarkCpu"))
    graph.input_stream.append("POSE_LANDMARKS:pose_landmarks")
    for streams, kept in (
        (graph.output_stream, ("FACE", "LEFT_HAND", "RIGHT_HAND")),
        (graph.input_side_packet, ("REFINE",)),
    ):
        streams[:] = [stream for stream in streams if stream.startswith(kept)]
    return graph


def _points(landmarks: PointList, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Return x and y in pixels and visibility of a NormalizedLandmarkList. Shape (33, 3)."""
    height, width = pixels.shape[:2]
    rows = [(point.x * width, point.y * height, point.visibility) for point in landmarks.landmark]
    return np.array(rows, dtype=np.float64)


def _move(landmarks: PointList, region: Region, pixels: npt.NDArray[np.uint8]) -> None:
    """Turn coordinates in a region into coordinates in the image."""
    height, width = pixels.shape[:2]
    inside = np.array([(point.x, point.y) for point in landmarks.landmark])
    moved = region.to_image(inside) / (width, height)
    for point, (x, y) in zip(landmarks.landmark, moved.tolist(), strict=True):
        point.x, point.y, point.z = x, y, point.z * region.side / width
