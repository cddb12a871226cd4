"""Items as their readers want them: arrays, or JSON."""

from typing import Any

from worker.landmarks import GROUPS, FloatArray, Landmarks
from worker.results.item import LandmarkItem


def landmarks_of(item: LandmarkItem) -> Landmarks:
    """The item's landmarks; every group None where nobody was found."""
    groups = {group.name: getattr(item, group.name) for group in GROUPS}
    return Landmarks(**groups, pose_score=item.pose_score)


def landmarks_as_json(landmarks: Landmarks) -> dict[str, Any]:
    """Each group as MediaPipe's own JSON has it, null where it was not found."""
    found = {group.name: _rows(array, group.columns) for group, array in landmarks.found()}
    return {group.name: found.get(group.name) for group in GROUPS}


def item_as_json(item: LandmarkItem) -> dict[str, Any]:
    """The whole item, with its landmarks decoded."""
    values: dict[str, Any] = item.to_simple_dict(force=True)  # groups as base64, or it refuses
    return values | {
        name: rows for name, rows in landmarks_as_json(landmarks_of(item)).items() if rows
    }


def _rows(array: FloatArray, columns: tuple[str, ...]) -> dict[str, list[dict[str, float]]]:
    return {"landmark": [dict(zip(columns, row, strict=True)) for row in array.tolist()]}
