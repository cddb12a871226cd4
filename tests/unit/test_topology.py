"""The lines in drawings are MediaPipe's."""

import importlib.util
import runpy
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from landmarks.drawing.topology import Edges, load_topology


def constants(name: str) -> Mapping[str, Any]:
    """Return the constants in one of MediaPipe's files, which imports nothing."""
    package = importlib.util.find_spec("mediapipe")
    assert package
    assert package.origin
    folder = Path(package.origin).parent / "python" / "solutions"
    return runpy.run_path(str(folder / f"{name}_connections.py"))


def edges(*groups: Iterable[tuple[int, int]]) -> Edges:
    """Return MediaPipe's connections, undirected and unique."""
    pairs = {(min(pair), max(pair)) for group in groups for pair in group}
    return tuple(sorted(pairs))


def test_pose_and_hands_are_joined_as_in_mediapipe() -> None:
    """All bones match, by finger."""
    pose, hand = constants("pose"), constants("hands")
    topology = load_topology()
    assert topology.pose == edges(pose["POSE_CONNECTIONS"])
    assert list(topology.hand) == ["palm", "thumb", "index", "middle", "ring", "pinky"]
    for part, found in topology.hand.items():
        name = part if part in ("palm", "thumb") else f"{part}_finger"
        assert found == edges(hand[f"HAND_{name.upper()}_CONNECTIONS"])


def test_the_face_is_joined_as_in_mediapipe() -> None:
    """The mesh, the features and the irises match."""
    face = constants("face_mesh")
    topology = load_topology()
    assert topology.face_mesh == edges(face["FACEMESH_TESSELATION"])
    assert topology.irises == edges(face["FACEMESH_IRISES"])
    assert topology.face == {
        "oval": edges(face["FACEMESH_FACE_OVAL"]),
        "brows": edges(face["FACEMESH_LEFT_EYEBROW"], face["FACEMESH_RIGHT_EYEBROW"]),
        "eyes": edges(face["FACEMESH_LEFT_EYE"], face["FACEMESH_RIGHT_EYE"]),
        "lips": edges(face["FACEMESH_LIPS"]),
    }
