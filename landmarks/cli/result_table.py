"""Results as a table in the terminal."""

from typing import Final

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from landmarks.cli.terminal import STATUS_COLOURS, counted
from landmarks.person import PersonView
from landmarks.result import LandmarkResult

_NOTHING: Final = "-"


def result_table(heading: str) -> Table:
    """Return an empty table.

    Args:
        heading: heading of the first column, which identifies the result. The other columns are
            for `result_cells`.
    """
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    table.add_column(heading, overflow="fold")
    table.add_column("status", no_wrap=True)
    table.add_column("found", no_wrap=True)
    table.add_column("score", justify="right", no_wrap=True)
    table.add_column("ms", justify="right", no_wrap=True)
    return table


def result_cells(result: LandmarkResult) -> tuple[Text, ...]:
    """Return the cells of one result, from the second column on."""
    colour = STATUS_COLOURS[result.status]
    score, took = result.pose_score, result.duration_ms
    return (
        Text(result.status, colour),
        Text(result.error_code, colour) if result.error_code else Text(_found(result)),
        Text(_NOTHING if score is None else f"{score:.2f}"),
        Text(_NOTHING if took is None else f"{took.total:,}"),
    )


def _found(result: LandmarkResult) -> str:
    people = result.people
    if not people[1:]:
        return found_groups(result)
    faces = sum(person.face_landmarks is not None for person in people)
    hands = sum(
        hand is not None
        for person in people
        for hand in (person.left_hand_landmarks, person.right_hand_landmarks)
    )
    counts = (f"{len(people)} people", counted(faces, "face"), counted(hands, "hand"))
    return " · ".join(counts)


def found_groups(person: PersonView) -> str:
    """Return which groups of a person were found, in words."""
    left = person.left_hand_landmarks is not None
    right = person.right_hand_landmarks is not None
    groups = {
        "pose": person.pose_landmarks is not None,
        "face": person.face_landmarks is not None,
        "both hands": left and right,
        "left hand": left and not right,
        "right hand": right and not left,
    }
    return " · ".join(name for name, found in groups.items() if found) or _NOTHING
