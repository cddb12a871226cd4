"""The lines that connect landmarks.

`topology.json` contains the undirected edges of MediaPipe 0.10.21's `pose_connections`,
`hands_connections` and `face_mesh_connections`, so results can be drawn without MediaPipe.
"""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import NamedTuple

# Unique pairs of landmark numbers, the smaller number first.
Edges = tuple[tuple[int, int], ...]


class Topology(NamedTuple):
    """The edges of each group.

    Attributes:
        pose: edges between the 33 pose landmarks.
        hand: edges between the 21 hand landmarks, by part: palm, thumb, index, middle, ring, pinky.
        face_mesh: a triangle mesh of the first 468 face landmarks.
        face: the edges of the mesh that outline a feature: oval, brows, eyes, lips.
        irises: edges between the ten landmarks that only refined faces have.
    """

    pose: Edges
    hand: Mapping[str, Edges]
    face_mesh: Edges
    face: Mapping[str, Edges]
    irises: Edges


@cache
def load_topology() -> Topology:
    """Load the edges from `topology.json`."""
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
