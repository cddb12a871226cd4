"""The lists of landmarks in docs/table.md are MediaPipe's."""

import itertools
import re

from landmarks.names import HAND_NAMES, POSE_NAMES
from tests.integration.docs.pages import ROOT, blocks
from tests.unit.test_topology import constants, edges

NAMES, OUTLINES = (block.text for block in blocks(ROOT / "docs" / "table.md", "")[:2])


def outlines() -> dict[str, list[list[int]]]:
    """The chains of points of each feature; a row that ends in a comma continues in the next."""
    found: dict[str, list[list[int]]] = {}
    name = ""
    for row in re.sub(r",\s+", ",", OUTLINES).splitlines():
        *words, points = row.partition(" around ")[0].split()
        name = words[0] if words else name
        found.setdefault(name, []).append([int(point) for point in re.findall(r"\d+", points)])
    return found


def ring(points: list[int]) -> list[tuple[int, int]]:
    """The edges of a closed line."""
    return list(itertools.pairwise([*points, points[0]]))


def test_names_are_in_mediapipes_order() -> None:
    """Numbered by the first of each row."""
    pose, hand = NAMES.split("\nhand")
    for text, names in ((pose.removeprefix("pose"), POSE_NAMES), (hand, HAND_NAMES)):
        listed: list[str] = []
        for number, row in re.findall(r"(\d+) (\S+)", text):
            assert len(listed) == int(number)
            listed += row.strip(",").split(",")
        assert tuple(listed) == names


def test_outlines_are_mediapipes() -> None:
    """Each is a ring, or for a brow two lines."""
    face = constants("face_mesh")
    found = outlines()
    lips = ring(*found.pop("lips")) + ring(*found.pop("inside"))
    assert edges(lips) == edges(face["FACEMESH_LIPS"])
    for name, chains in found.items():
        brow = name.endswith("_brow")
        lines = [
            edge
            for points in chains
            for edge in (itertools.pairwise(points) if brow else ring(points))
        ]
        constant = name.replace("brow", "eyebrow").replace("oval", "face_oval")
        assert edges(lines) == edges(face[f"FACEMESH_{constant.upper()}"])
    assert found.keys() == {
        "oval",
        *(f"{side}_{part}" for side in ("left", "right") for part in ("eye", "brow", "iris")),
    }


def test_centres_of_the_irises_are_the_points_that_no_line_reaches() -> None:
    """Of a refined face's ten further points, eight are on the irises' outlines."""
    outlined = {point for edge in constants("face_mesh")["FACEMESH_IRISES"] for point in edge}
    centres = {int(number) for number in re.findall(r"around (\d+)", OUTLINES)}
    assert centres == set(range(468, 478)) - outlined
