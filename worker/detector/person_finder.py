"""Finds candidates: boxes by COCO SSD, then keypoints in each box by MoveNet Lightning."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from worker.detector.people import Box, Candidate, Region, distinct

Pixels = npt.NDArray[np.uint8]

_BOX_MODEL_PIXELS: Final = 300
_KEYPOINT_MODEL_PIXELS: Final = 192

# MoveNet was trained on squares of this size around boxes; it found fewer people with 1.1 or 1.4.
_KEYPOINT_MARGIN: Final = 1.25

# Where there are this many people, some are too small for one look at the whole image, so both
# halves are searched, too. Halves overlap, so that most people are whole in one of them.
_MANY: Final = 4
_HALF: Final = 0.6
_MAX_OVERLAP: Final = 0.5  # with a box of the whole image
_CUT_OFF: Final = 0.01  # a box so close to the cut, as a share of the half, is of half a person

# This many boxes get keypoints for each person that may be stored.
_BOXES_PER_PERSON: Final = 2


class PersonFinder:
    """The two models' graphs.

    Args:
        solution: MediaPipe's `SolutionBase`.
    """

    def __init__(self, solution: type[Any]) -> None:
        folder = Path(__file__).parent
        self._boxes, self._keypoints = (
            solution(graph_config=(folder / name).read_text(encoding="utf-8"))
            for name in ("person_boxes.pbtxt", "person_keypoints.pbtxt")
        )

    def boxes(self, pixels: Pixels, max_people: int) -> list[Box]:
        """Return boxes, the best first.

        Args:
            pixels: shape (height, width, 3), 8-bit RGB, upright.
            max_people: how many people are looked for; limits the number of boxes.
        """
        boxes = list(self._search(pixels))
        if len(boxes) >= _MANY:
            boxes += self._search_halves(pixels, boxes)
        best = sorted(boxes, key=lambda box: box.score, reverse=True)
        return best[: _BOXES_PER_PERSON * max_people]

    def candidates(self, pixels: Pixels, boxes: Iterable[Box]) -> list[Candidate]:
        """Return candidates, the best box first, each person once."""
        return distinct(Candidate(box, self._run_keypoints(pixels, box)) for box in boxes)

    def close(self) -> None:
        """Free the models."""
        self._boxes.close()
        self._keypoints.close()

    def _search(self, pixels: Pixels) -> Iterator[Box]:
        """Yield the boxes in an image."""
        size = (_BOX_MODEL_PIXELS, _BOX_MODEL_PIXELS)
        # MediaPipe would take single pixels of a large image, and find people in the noise.
        squeezed = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
        height, width = pixels.shape[:2]
        image = Box(0, 0, width, height)
        for found in self._boxes.process(squeezed).boxes or ():
            area = found.location_data.relative_bounding_box
            right, bottom = area.xmin + area.width, area.ymin + area.height
            box = Box(
                area.xmin * width,
                area.ymin * height,
                right * width,
                bottom * height,
                found.score[0],
            )
            if box.common(image).large_enough:
                yield box.common(image)

    def _search_halves(self, pixels: Pixels, known: list[Box]) -> list[Box]:
        """Return further boxes in the two ends of an image."""
        further: list[Box] = []
        for half, cut in _halves(pixels):
            view = pixels[int(half.top) : int(half.bottom), int(half.left) : int(half.right)]
            for box in self._search(view):
                moved = box.moved(half.left, half.top)
                if moved.common(cut) == moved and all(
                    moved.overlap(other) < _MAX_OVERLAP for other in (*known, *further)
                ):
                    further.append(moved)
        return further

    def _run_keypoints(self, pixels: Pixels, box: Box) -> npt.NDArray[np.float64]:
        region = Region.around(box, _KEYPOINT_MARGIN)
        found = self._keypoints.process(cut_out(pixels, region, _KEYPOINT_MODEL_PIXELS))
        y, x, score = np.array(found.keypoints, dtype=np.float64).reshape(-1, 3).T
        return np.column_stack((region.to_image(np.column_stack((x, y))), score))


def cut_out(pixels: Pixels, region: Region, size: int, box: Box | None = None) -> Pixels:
    """Return a region, upright and scaled to a size in pixels, black outside of image and box."""
    left, top = (max(int(box.left), 0), max(int(box.top), 0)) if box else (0, 0)
    right, bottom = (int(box.right) + 1, int(box.bottom) + 1) if box else (None, None)
    # OpenCV's coordinates are of the pixels' middles.
    start = region.to_image(np.full((1, 2), 0.5 / size))[0] - (left + 0.5, top + 0.5)
    matrix = np.column_stack((region.turn * region.side / size, start))
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    cut = cv2.warpAffine(pixels[top:bottom, left:right], matrix, (size, size), flags=flags)
    return np.asarray(cut, dtype=np.uint8)


def _halves(pixels: Pixels) -> Iterator[tuple[Box, Box]]:
    """Yield the two ends of an image along its longer side, and where whole people's boxes are."""
    height, width = pixels.shape[:2]
    x, y = (int(width * (1 - _HALF)), 0) if width >= height else (0, int(height * (1 - _HALF)))
    near = Box(0, 0, width - x, height - y)
    far = near.moved(x, y)
    margin_x, margin_y = _CUT_OFF * (width - x) * (x > 0), _CUT_OFF * (height - y) * (y > 0)
    yield near, near._replace(right=near.right - margin_x, bottom=near.bottom - margin_y)
    yield far, far._replace(left=far.left + margin_x, top=far.top + margin_y)
