"""Runs MediaPipe; no other module imports it.

`holistic.pbtxt` is a stateless graph that processes one image at a time. Runs in the child process.
"""

import importlib.util
import sys
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from landmarks.groups import FloatArray, Landmarks
from worker.model import ModelOptions, require_model

GRAPH = Path(__file__).with_name("holistic.pbtxt")

# Names of options after MediaPipe expands the graph's subgraphs.
_POSE = "poselandmarkcpu__"
_DETECTION_THRESHOLD = "posedetectioncpu__TensorsToDetectionsCalculator.min_score_thresh"
_LANDMARK_THRESHOLD = (
    "poselandmarkbyroicpu__tensorstoposelandmarksandsegmentation__ThresholdingCalculator.threshold"
)
# The path of the pose model: one node for each complexity, numbered from 1.
_MODEL_PATH = (
    "poselandmarkbyroicpu__poselandmarkmodelloader__switchcontainer__"
    "ConstantSidePacketCalculator_{}.packet"
)

# Packages of which we only need submodules. Their own code imports matplotlib and all solutions,
# which takes half a second.
_HOLLOW_PACKAGES = ("mediapipe", "mediapipe.python", "mediapipe.python.solutions")

# Imported to register their protobuf extensions, because protobuf silently drops options of unknown
# ones. These are exactly the extensions that the stock package registers. It doesn't import
# `refine_landmarks_from_heatmap_calculator_pb2`, which changes the landmarks.
_OPTIONS_MODULES = (
    "mediapipe.python.solutions.holistic",
    "mediapipe.calculators.util.landmarks_refinement_calculator_pb2",
)


def _hollow_out(name: str) -> None:
    """Add a package to `sys.modules` without running its code."""
    spec = importlib.util.find_spec(name)
    if spec is None:
        raise ModuleNotFoundError(f"{name} is not installed", name=name)
    sys.modules[name] = importlib.util.module_from_spec(spec)


def import_lean() -> type[Any]:
    """Import MediaPipe's `SolutionBase` without the whole package: 0.13 s instead of 0.6 s."""
    for name in _HOLLOW_PACKAGES:
        if name not in sys.modules:
            _hollow_out(name)
    for name in _OPTIONS_MODULES:
        import_module(name)
    solution_base: type[Any] = import_module("mediapipe.python.solution_base").SolutionBase
    return solution_base


class PointList(Protocol):
    """MediaPipe's (Normalized)LandmarkList."""

    landmark: Any


def to_array(points: PointList | None, *, visibility: bool) -> FloatArray | None:
    """Return one row per landmark: x, y, z and, for the pose, visibility."""
    if points is None:
        return None
    columns = attrgetter("x", "y", "z", "visibility") if visibility else attrgetter("x", "y", "z")
    return np.array([columns(point) for point in points.landmark], dtype=np.float32)


class Found(NamedTuple):
    """The graph's output for one image.

    Attributes:
        landmarks: landmarks of the most prominent person.
        mask: shape (height, width), float32 from 0 (background) to 1 (the person). None if
            MediaPipe's person detector found nobody or segmentation is off.
        others: landmarks of further people, the best first.
    """

    landmarks: Landmarks
    mask: FloatArray | None
    others: tuple[Landmarks, ...] = ()


def _model_packet(options: ModelOptions) -> Any:  # noqa: ANN401, MediaPipe has no types
    """Return the pose model's path, relative to MediaPipe's parent folder, as a side packet."""
    packets = import_module("mediapipe.calculators.core.constant_side_packet_calculator_pb2")
    path = f"mediapipe/modules/pose_landmark/{require_model(options).name}"
    return packets.ConstantSidePacketCalculatorOptions.ConstantSidePacket(string_value=path)


def detection_options(options: ModelOptions) -> dict[str, Any]:
    """Return options of the person detector's calculators."""
    return {_DETECTION_THRESHOLD: options.min_detection_confidence}


def pose_options(options: ModelOptions) -> dict[str, Any]:
    """Return options of the pose model's calculators."""
    return {
        _LANDMARK_THRESHOLD: options.min_landmark_confidence,
        _MODEL_PATH.format(options.model_complexity + 1): [_model_packet(options)],
    }


class HolisticGraph:
    """One instance of the graph. Equal images give equal landmarks, in any order."""

    def __init__(self, options: ModelOptions) -> None:
        """Load the graph; the models are loaded with the first image.

        Raises:
            RuntimeError: MediaPipe rejects the graph, or a model is missing.
            SettingsError: the pose model is missing.
        """
        self._solution = import_lean()(
            graph_config=GRAPH.read_text(encoding="utf-8"),
            side_inputs={
                "model_complexity": options.model_complexity,
                "refine_face_landmarks": options.refine_face_landmarks,
                "enable_segmentation": options.segmentation,
                "no": False,
            },
            calculator_params={
                f"{_POSE}{name}": value
                for name, value in (detection_options(options) | pose_options(options)).items()
            },
        )

    def process(self, pixels: npt.NDArray[np.uint8]) -> Found:
        """Find the landmarks of the most prominent person.

        Args:
            pixels: shape (height, width, 3), 8-bit RGB, upright, C-contiguous.

        Raises:
            RuntimeError: the graph failed, and this instance is no longer usable.
        """
        read_only = pixels.view()
        read_only.flags.writeable = (
            False  # MediaPipe copies what could change: 4 % at 12 megapixels
        )
        found = self._solution.process(read_only)
        landmarks = Landmarks(
            pose_landmarks=to_array(found.pose_landmarks, visibility=True),
            pose_world_landmarks=to_array(found.pose_world_landmarks, visibility=True),
            face_landmarks=to_array(found.face_landmarks, visibility=False),
            left_hand_landmarks=to_array(found.left_hand_landmarks, visibility=False),
            right_hand_landmarks=to_array(found.right_hand_landmarks, visibility=False),
            pose_score=None if found.pose_landmarks is None else found.pose_detection.score[0],
        )
        mask: FloatArray | None = found.segmentation_mask
        # The result is in a reference cycle and lives until it is garbage collected, so masks of
        # 4 bytes per pixel would pile up. MediaPipe itself keeps the last one.
        found.segmentation_mask = None
        return Found(landmarks, mask)

    def close(self) -> None:
        """Free the models. Without this, an instance leaks 200 MB."""
        self._solution.close()
