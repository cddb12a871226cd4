"""The right landmarks: stock MediaPipe Holistic, a fresh instance for every picture.

It runs in a process of its own (`python -m tests.chaos.truth`) without any code of the worker.
Landmarks have to agree bit for bit.
"""

import json
import subprocess
import sys
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from tempfile import NamedTemporaryFile
from types import ModuleType
from typing import Any, Final

from tests.chaos import files

# The columns of each group, by attribute name.
GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "pose_landmarks": ("x", "y", "z", "visibility"),
    "pose_world_landmarks": ("x", "y", "z", "visibility"),
    "face_landmarks": ("x", "y", "z"),
    "left_hand_landmarks": ("x", "y", "z"),
    "right_hand_landmarks": ("x", "y", "z"),
}

_TIMEOUT_SECONDS: Final = 120
_SECONDS_PER_PICTURE: Final = 5


@dataclass(frozen=True, slots=True)
class Truth:
    """The right result of one picture.

    Attributes:
        width: of the upright picture, in pixels.
        height: of the upright picture, in pixels.
        groups: the groups found: float32, little-endian, row-major.
    """

    width: int
    height: int
    groups: Mapping[str, bytes]


class TruthProcess:
    """Stock MediaPipe, running in the background."""

    def __init__(self, pictures: Iterable[str], complexity: int) -> None:
        """Start the process."""
        self._pictures = sorted(set(pictures))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.truth", str(complexity), *self._pictures],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def result(self) -> dict[str, Truth]:
        """Wait for it.

        Raises:
            RuntimeError: MediaPipe failed.
        """
        seconds = _TIMEOUT_SECONDS + _SECONDS_PER_PICTURE * len(self._pictures)
        output, _ = self._process.communicate(timeout=seconds)
        if self._process.returncode:
            raise RuntimeError(f"stock MediaPipe ended with status {self._process.returncode}")
        return {name: _read(facts) for name, facts in json.loads(output).items()}

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()


def _read(facts: Mapping[str, Any]) -> Truth:
    groups = {name: b64decode(text) for name, text in facts["groups"].items()}
    return Truth(facts["width"], facts["height"], groups)


def _import_mediapipe() -> Any:  # noqa: ANN401, it ships no types
    """The stock package, without Matplotlib, which it imports for drawing."""
    plotting = ModuleType("matplotlib")
    plotting.pyplot = ModuleType("matplotlib.pyplot")  # type: ignore[attr-defined]
    sys.modules.setdefault("matplotlib", plotting)
    sys.modules.setdefault("matplotlib.pyplot", plotting.pyplot)
    import mediapipe  # noqa: PLC0415, after the stand-in for Matplotlib

    return mediapipe


def _look(mediapipe: Any, content: bytes, complexity: int) -> dict[str, Any]:  # noqa: ANN401
    import cv2  # noqa: PLC0415, only in this process
    import numpy as np  # noqa: PLC0415

    with NamedTemporaryFile() as file:  # `imdecode` refuses JPEGs without an end
        file.write(content)
        file.flush()
        decoded = cv2.imread(file.name, cv2.IMREAD_COLOR)
    if decoded is None:
        raise ValueError("the picture cannot be decoded")
    pixels = cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB)
    holistic = mediapipe.solutions.holistic.Holistic
    with holistic(static_image_mode=True, model_complexity=complexity) as instance:
        found = instance.process(pixels)
    groups = {}
    for name, columns in GROUPS.items():
        points = getattr(found, name)
        if points is not None:
            rows = [[getattr(point, column) for column in columns] for point in points.landmark]
            groups[name] = b64encode(np.array(rows, "<f4").tobytes()).decode()
    height, width = pixels.shape[:2]
    return {"width": width, "height": height, "groups": groups}


def main(arguments: Sequence[str]) -> None:
    """Print the results for a complexity and pictures."""
    complexity, *pictures = arguments
    mediapipe = _import_mediapipe()
    facts = {name: _look(mediapipe, files.bare(name), int(complexity)) for name in pictures}
    sys.stdout.write(json.dumps(facts))


if __name__ == "__main__":
    main(sys.argv[1:])
