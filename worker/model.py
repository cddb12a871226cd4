"""Which model runs, and with which options: everything that changes results.

MediaPipe's version and files are looked up without importing it: only detectors do that.
"""

import hashlib
import importlib.util
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from landmarks.errors import SettingsError

POSE_MODELS: Final = {
    0: "pose_landmark_lite.tflite",
    1: "pose_landmark_full.tflite",
    2: "pose_landmark_heavy.tflite",
}


# Raised whenever a change in worker/detector changes landmarks, so that results stored before it
# do not count as done.
_DETECTOR_REVISION: Final = 1

# Options that were added later, with their values when off. Those are left out of the hash, so
# that results from before the option existed still count as done.
_OFF: Final = {"max_image_side": None, "segmentation": False}


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """MediaPipe Holistic's options and the size of its input, named like the settings.

    Attributes:
        model_complexity: pose model: 0 (lite), 1 (full) or 2 (heavy).
        min_detection_confidence: lowest score at which the person detector counts as having found
            someone, 0 to 1.
        min_landmark_confidence: lowest score at which the pose model counts as seeing the person,
            0 to 1. MediaPipe calls it min_tracking_confidence.
        refine_face_landmarks: refine eyes and lips, and add ten iris landmarks.
        max_image_side: images with a longer side, in pixels, are scaled down to it, JPEGs while
            they are decoded. Saves memory and some time, and moves landmarks a little. Without it,
            MediaPipe gets every image at full size.
        segmentation: also compute which pixels are the person's.
    """

    model_complexity: int = 2
    min_detection_confidence: float = 0.5
    min_landmark_confidence: float = 0.5
    refine_face_landmarks: bool = False
    max_image_side: int | None = None
    segmentation: bool = False

    @property
    def face_points(self) -> int:
        """How many landmarks a face has."""
        return 478 if self.refine_face_landmarks else 468


def mediapipe_version() -> str:
    """The installed version of MediaPipe, without importing it."""
    from importlib.metadata import version  # noqa: PLC0415, the detectors start before

    return version("mediapipe")


def options_hash(options: ModelOptions) -> str:
    """Sixteen hexadecimal digits that differ where landmarks may differ."""
    chosen = dict(asdict(options).items() - _OFF.items())
    facts = {"mediapipe": mediapipe_version(), "detector": _DETECTOR_REVISION, **chosen}
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def require_model(options: ModelOptions) -> Path:
    """The path of the pose model's file.

    Raises:
        SettingsError: MediaPipe or the model is not installed; the worker downloads nothing.
    """
    spec = importlib.util.find_spec("mediapipe")
    if spec is None or spec.origin is None:
        raise SettingsError("MediaPipe is not installed: install landmark-worker[worker]")
    name = POSE_MODELS[options.model_complexity]
    path = Path(spec.origin).parent / "modules" / "pose_landmark" / name
    if not path.is_file():
        raise SettingsError(
            f"MODEL_COMPLEXITY={options.model_complexity} needs {name}, which is not installed: "
            f"run image/fetch_models.py --complexity {options.model_complexity}, "
            "or set MODEL_COMPLEXITY=1, whose model comes with MediaPipe"
        )
    return path
