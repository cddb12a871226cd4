"""Which landmarks are joined by lines in a drawing: MediaPipe's own constants, as plain tuples.

Read file by file: importing the package would load its native library for a few numbers.
"""

import importlib.util
import runpy
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from worker.errors import SettingsError

# Pairs of landmark numbers, the smaller one first, each pair once.
Edges = tuple[tuple[int, int], ...]


class Topology(NamedTuple):
    """The lines of every group.

    Attributes:
        pose: of the 33 pose landmarks.
        hand: of the 21 hand landmarks: palm, thumb, index, middle, ring, pinky.
        face_mesh: of the first 468 face landmarks: a net of triangles.
        face: lines of the net that draw a face: oval, brows, eyes, lips.
        irises: of the ten face landmarks that only refined faces have.
    """

    pose: Edges
    hand: Mapping[str, Edges]
    face_mesh: Edges
    face: Mapping[str, Edges]
    irises: Edges


def load_topology() -> Topology:
    """Read the constants of the installed MediaPipe.

    Raises:
        SettingsError: MediaPipe is not installed.
    """
    pose, hand, face = map(_constants, ("pose", "hands", "face_mesh"))
    fingers = ("thumb", "index_finger", "middle_finger", "ring_finger", "pinky_finger")
    return Topology(
        pose=_edges(pose["POSE_CONNECTIONS"]),
        hand={
            part.removesuffix("_finger"): _edges(hand[f"HAND_{part.upper()}_CONNECTIONS"])
            for part in ("palm", *fingers)
        },
        face_mesh=_edges(face["FACEMESH_TESSELATION"]),
        face={
            "oval": _edges(face["FACEMESH_FACE_OVAL"]),
            "brows": _edges(face["FACEMESH_LEFT_EYEBROW"], face["FACEMESH_RIGHT_EYEBROW"]),
            "eyes": _edges(face["FACEMESH_LEFT_EYE"], face["FACEMESH_RIGHT_EYE"]),
            "lips": _edges(face["FACEMESH_LIPS"]),
        },
        irises=_edges(face["FACEMESH_IRISES"]),
    )


def _edges(*groups: Iterable[tuple[int, int]]) -> Edges:
    pairs = {(min(pair), max(pair)) for group in groups for pair in group}
    return tuple(sorted(pairs))


def _constants(name: str) -> Mapping[str, Any]:
    """The names in one of MediaPipe's files of constants, which import nothing."""
    package = importlib.util.find_spec("mediapipe")
    if package is None or package.origin is None:
        raise SettingsError("MediaPipe is not installed: install landmark-worker[worker]")
    folder = Path(package.origin).parent / "python" / "solutions"
    return runpy.run_path(str(folder / f"{name}_connections.py"))
