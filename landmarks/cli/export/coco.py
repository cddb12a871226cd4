"""Writes COCO keypoint annotations: COCO-WholeBody's 133 points of every person.

COCO is one JSON object with a list of images and a list of annotations, which both grow with the
table. The images go straight to the file, and the annotations meanwhile to a temporary one.
"""

import json
import shutil
from collections.abc import Sequence
from itertools import count
from tempfile import TemporaryFile
from typing import IO, Any, BinaryIO, Final

import numpy as np
import numpy.typing as npt

from landmarks.cli.export.wholebody import KEYPOINTS, SKELETON
from landmarks.groups import VISIBLE, ImageInfo
from landmarks.person import Person
from landmarks.result import LandmarkResult

_CATEGORY: Final = 1
_PIXEL_DECIMALS: Final = 3

# COCO's flags.
_OCCLUDED, _SEEN = 1, 2

# For each group: indexes into `KEYPOINTS`, and the numbers of their landmarks.
_BY_GROUP: Final = {
    group: (
        [place for place, keypoint in enumerate(KEYPOINTS) if keypoint.group == group],
        [keypoint.landmark for keypoint in KEYPOINTS if keypoint.group == group],
    )
    for group in dict.fromkeys(keypoint.group for keypoint in KEYPOINTS if keypoint.group)
}

_HEAD: Final = {
    "info": {"description": "MediaPipe Holistic landmarks as COCO-WholeBody keypoints"},
    "licenses": [],
    "categories": [
        {
            "id": _CATEGORY,
            "name": "person",
            "supercategory": "person",
            "keypoints": [keypoint.name for keypoint in KEYPOINTS],
            "skeleton": [[first + 1, second + 1] for first, second in SKELETON],
        }
    ],
}


class CocoWriter:
    """Writes one image per photograph that could be read, and one annotation per person.

    Both are numbered in the order in which they are written, starting with 1.
    """

    def __init__(self, stream: BinaryIO) -> None:
        """Begin the object."""
        self._stream = stream
        self._annotations = TemporaryFile()  # noqa: SIM115, closed by close
        self._image_ids, self._ids = count(1), count(1)
        self._stream.write(json.dumps(_HEAD)[:-1].encode() + b', "images": [')

    def write(self, results: Sequence[LandmarkResult]) -> int:
        """Write results, but those of files that could not be read."""
        readable = [result for result in results if result.image and result.image.width]
        for result in readable:
            number = next(self._image_ids)
            _add(self._stream, number, _image(result, number))
            for person in result.people:
                annotation = next(self._ids)
                _add(self._annotations, annotation, _annotation(person, annotation, number))
        return len(readable)

    def close(self) -> None:
        """Finish the file and leave the stream open."""
        self._stream.write(b'\n], "annotations": [')
        self._annotations.seek(0)
        with self._annotations:
            shutil.copyfileobj(self._annotations, self._stream)
        self._stream.write(b"\n]}\n")


def _add(stream: IO[bytes], number: int, values: dict[str, Any]) -> None:
    stream.write(f"{',' if number > 1 else ''}\n{json.dumps(values)}".encode())


def _image(result: LandmarkResult, number: int) -> dict[str, Any]:
    return {
        "id": number,
        "file_name": result.key,
        "coco_url": f"s3://{result.bucket}/{result.key}",
        "width": result.image and result.image.width,
        "height": result.image and result.image.height,
    }


def _annotation(person: Person, number: int, image: int) -> dict[str, Any]:
    keypoints = _keypoints(person)
    box = _box(person)
    score = person.person_score if person.pose_score is None else person.pose_score
    return {
        "id": number,
        "image_id": image,
        "category_id": _CATEGORY,
        "iscrowd": 0,
        "bbox": box,
        "segmentation": [],  # not optional for Datumaro
        "area": round(box[2] * box[3], _PIXEL_DECIMALS),
        "num_keypoints": int(np.count_nonzero(keypoints[:, 2])),
        "keypoints": [
            value
            for x, y, flag in keypoints.round(_PIXEL_DECIMALS).tolist()
            for value in ((x, y, int(flag)) if flag else (0, 0, 0))
        ],
        **({} if score is None else {"score": score}),
    }


def _keypoints(person: Person) -> npt.NDArray[np.float64]:
    """Return x and y in pixels and COCO's flag: shape (133, 3).

    Points that MediaPipe does not have or did not find are zeros, and so are those outside the
    image, which COCO does not allow.
    """
    points = np.zeros((len(KEYPOINTS), 3))
    for group, (places, landmarks) in _BY_GROUP.items():
        pixels, found = person.pixels(group), getattr(person, group)
        if pixels is None:
            continue
        points[places, :2] = pixels[landmarks]
        points[places, 2] = _SEEN
        if group == "pose_landmarks":  # the others have no visibility
            points[places, 2] = np.where(found[landmarks, 3] >= VISIBLE, _SEEN, _OCCLUDED)
    outside = (points[:, :2] < 0) | (points[:, :2] > _size(person.image))
    points[outside.any(axis=1)] = 0
    return points


def _box(person: Person) -> list[float]:
    """Return the stored box in pixels, as far as it is inside the image."""
    if person.bounding_box is None:
        return [0, 0, 0, 0]
    x, y, width, height = person.bounding_box
    corners = np.clip([(x, y), (x + width, y + height)], 0, 1) * _size(person.image)
    box: list[float] = (
        np.concatenate([corners[0], corners[1] - corners[0]]).round(_PIXEL_DECIMALS).tolist()
    )
    return box


def _size(image: ImageInfo | None) -> npt.NDArray[np.float64]:
    return np.array([image.width, image.height] if image else [0, 0], np.float64)
