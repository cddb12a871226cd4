"""The model's options, which determine the results.

MediaPipe's version and files are found without importing it.
"""

import hashlib
import importlib.util
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from landmarks.errors import SettingsError

POSE_MODELS: Final = {
    0: "pose_landmark_lite.tflite",
    1: "pose_landmark_full.tflite",
    2: "pose_landmark_heavy.tflite",
}

# Added to a model's name if its mask branch was removed (image/model_cut.py).
WITHOUT_MASK: Final = "_without_mask"

# Increase this when a change in worker/detector changes landmarks, so that earlier results no
# longer count as done.
_DETECTOR_REVISION: Final = 1

# On arm64, MediaPipe is an earlier release. On the same processor its landmarks were within 6e-8 of
# the later one's, so results of one count as done for the other.
_EQUIVALENT_RELEASES: Final = {"0.10.18": "0.10.21"}

# Lambda's name of a processor that the kernel calls something else.
_ARCHITECTURES: Final = {"aarch64": "arm64"}

# Options that were added later, and their values when off. These are left out of the hash, so that
# results from before the option existed still count as done.
_OFF: Final = {"max_image_side": None, "segmentation": False, "max_people": 1}

# Models for more than one person, in MediaPipe's package like its own.
PEOPLE_MODELS: Final = ("person_boxes.tflite", "person_keypoints.tflite")


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """MediaPipe Holistic's options and the size of its input, named like the settings.

    Attributes:
        model_complexity: pose model: 0 (lite), 1 (full) or 2 (heavy).
        min_detection_confidence: minimum score of the person detector for a person to count as
            found, 0 to 1.
        min_landmark_confidence: minimum score of the pose model for its landmarks to count, 0 to 1.
            MediaPipe calls it min_tracking_confidence.
        refine_face_landmarks: refine eyes and lips, and add ten iris landmarks.
        max_image_side: images with a longer side, in pixels, are scaled down to it, JPEGs during
            decoding. Saves memory and some time, and shifts landmarks slightly. Without it,
            MediaPipe gets all images at full size.
        segmentation: also compute which pixels belong to the first person.
        max_people: how many people are looked for, 1 to 16. With 1, only MediaPipe's own detector
            runs; with more, an image takes longer, and longer with each person found.
    """

    model_complexity: int = 2
    min_detection_confidence: float = 0.5
    min_landmark_confidence: float = 0.5
    refine_face_landmarks: bool = False
    max_image_side: int | None = None
    segmentation: bool = False
    max_people: int = 1

    @property
    def face_points(self) -> int:
        """The number of face landmarks."""
        return 478 if self.refine_face_landmarks else 468


def mediapipe_version() -> str:
    """Return the installed version of MediaPipe, without importing it."""
    from importlib.metadata import version  # noqa: PLC0415, slow; detectors start first

    return version("mediapipe")


def architecture() -> str:
    """Return the processor's architecture: "x86_64" or "arm64"."""
    machine = os.uname().machine
    return _ARCHITECTURES.get(machine, machine)


def options_hash(options: ModelOptions) -> str:
    """Return 16 hexadecimal digits that are the same on every processor.

    They differ if landmarks may differ by more than processors do.
    """
    chosen = dict(asdict(options).items() - _OFF.items())
    version = mediapipe_version()
    release = _EQUIVALENT_RELEASES.get(version, version)
    facts = {"mediapipe": release, "detector": _DETECTOR_REVISION, **chosen}
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def require_model(options: ModelOptions) -> Path:
    """Return the path of the pose model's file.

    Without segmentation this is the file without mask branch, which gives the same landmarks in
    less time, or else the whole one.

    Raises:
        SettingsError: MediaPipe or a model is not installed. The worker downloads nothing.
    """
    spec = importlib.util.find_spec("mediapipe")
    if spec is None or spec.origin is None:
        raise SettingsError(
            "MediaPipe is not installed: run pip install '.[worker]' in this project's folder"
        )
    modules = Path(spec.origin).parent / "modules"
    if options.max_people > 1:
        _require_people_models(modules / "people", options.max_people)
    name = POSE_MODELS[options.model_complexity]
    whole = modules / "pose_landmark" / name
    cut = whole.with_stem(whole.stem + WITHOUT_MASK)
    if cut.is_file() and not options.segmentation:
        return cut
    if whole.is_file():
        return whole
    if cut.is_file():
        raise SettingsError(
            f"SEGMENTATION_BUCKET needs {name}, but this image has {cut.name}, which makes no "
            "masks: build an image with `make image SEGMENTATION_BUCKET=…`, or `sam build` with "
            "the parameter SegmentationBucket"
        )
    raise SettingsError(
        f"MODEL_COMPLEXITY={options.model_complexity} needs {name}, which is not installed: "
        f"run image/fetch_models.py --complexity {options.model_complexity}, "
        "or set MODEL_COMPLEXITY=1, whose model comes with MediaPipe"
    )


def _require_people_models(folder: Path, max_people: int) -> None:
    missing = next((name for name in PEOPLE_MODELS if not (folder / name).is_file()), None)
    if missing:
        raise SettingsError(
            f"MAX_PEOPLE={max_people} needs {missing}, which is not installed: "
            "run image/fetch_models.py --people, build the image with "
            f"--build-arg MAX_PEOPLE={max_people}, or deploy with MaxPeople={max_people}"
        )
