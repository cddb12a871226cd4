"""Which landmarks are joined by lines.

`topology.json` holds the edges of MediaPipe 0.10.21's `pose_connections`, `hands_connections`
and `face_mesh_connections`, undirected, so that results can be drawn without MediaPipe.
"""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import NamedTuple

# Pairs of landmark numbers, the smaller one first, each pair once.
Edges = tuple[tuple[int, int], ...]


class Topology(NamedTuple):
    """The lines of every group.

    Attributes:
        pose: of the 33 pose landmarks.
        hand: of the 21 hand landmarks: palm, thumb, index, middle, ring, pinky.
        face_mesh: of the first 468 face landmarks: a mesh of triangles.
        face: the features, which are lines of the mesh: oval, brows, eyes, lips.
        irises: of the ten landmarks that only refined faces have.
    """

    pose: Edges
    hand: Mapping[str, Edges]
    face_mesh: Edges
    face: Mapping[str, Edges]
    irises: Edges


@cache
def load_topology() -> Topology:
    """Read the edges."""
    content = json.loads(files(__package__).joinpath("topology.json").read_text(encoding="utf-8"))
    return Topology(
        pose=_edges(content["pose"]),
        hand={part: _edges(pairs) for part, pairs in content["hand"].items()},
        face_mesh=_edges(content["face_mesh"]),
        face={part: _edges(pairs) for part, pairs in content["face"].items()},
        irises=_edges(content["irises"]),
    )


def _edges(pairs: Sequence[tuple[int, int]]) -> Edges:
    return tuple((first, second) for first, second in pairs)
