"""`python -m bench.reduction`: what MAX_IMAGE_SIDE saves, and how far it moves landmarks.

Every photo is processed at full size and reduced to several sizes. Movements are in percent of the
person's height. For comparison: the same after saving the photo again as a JPEG of quality 95.
"""

import argparse
import os
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from statistics import median
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from bench import photos
from landmarks.groups import GROUPS, VISIBLE, FloatArray, Landmarks
from worker.detector.decode import decode_image
from worker.detector.graph import HolisticGraph
from worker.detector.launch import MALLOC_VARIABLES
from worker.model import ModelOptions

_SIDES: Final = (2560, 1920, 1280)
_MAX_PIXELS: Final = 50_000_000
_QUALITY: Final = 95

# World landmarks are in metres, not places in the image.
_PLACES: Final = [group.name for group in GROUPS if group.name != "pose_world_landmarks"]


@dataclass
class Change:
    """The effect of one variant on all photos.

    Attributes:
        percent: how far landmarks moved, by group, in percent of the person's height.
        appeared: how often groups were found only in the variant, by name.
        vanished: how often groups were found only at full size, by name.
        cost: CPU time of decoding and detecting, relative to full size.
    """

    percent: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    appeared: Counter[str] = field(default_factory=Counter)
    vanished: Counter[str] = field(default_factory=Counter)
    cost: list[float] = field(default_factory=list)

    def add(self, whole: Landmarks, other: Landmarks, size: tuple[int, int]) -> None:
        """Compare the landmarks of one photo of this width and height."""
        box = whole.bounding_box()
        for name in _PLACES:
            before, after = getattr(whole, name), getattr(other, name)
            if before is None or after is None:
                self.appeared[name] += before is not after and before is None
                self.vanished[name] += before is not after and after is None
            elif box:
                seen = _seen(before)
                moved = _distances(before[seen], after[seen], size) / (box.height * size[1])
                self.percent[name] += (100 * moved).tolist()


class Looker:
    """Finds landmarks and measures CPU time."""

    def __init__(self, graph: HolisticGraph) -> None:
        self._graph = graph

    def look(
        self, content: bytes, max_side: int | None
    ) -> tuple[Landmarks, tuple[int, int], float]:
        """The landmarks, the image's width and height, and the CPU seconds."""
        start = time.process_time()
        image = decode_image(content, max_pixels=_MAX_PIXELS, max_side=max_side)
        landmarks = self._graph.process(image.pixels).landmarks
        return landmarks, (image.width, image.height), time.process_time() - start


def compare(files: Sequence[bytes], looker: Looker) -> dict[str, Change]:
    """Compare every variant with the full size; changes by variant."""
    changes: defaultdict[str, Change] = defaultdict(Change)
    for content in files:
        whole, size, seconds = looker.look(content, None)
        for name, variant, max_side in _variants(content):
            landmarks, _, reduced_seconds = looker.look(variant, max_side)
            changes[name].add(whole, landmarks, size)
            changes[name].cost.append(reduced_seconds / seconds)
    return dict(changes)


def _variants(content: bytes) -> Iterator[tuple[str, bytes, int | None]]:
    yield f"quality {_QUALITY}", _saved_again(content), None
    for side in _SIDES:
        yield f"side {side}", content, side


def _saved_again(content: bytes) -> bytes:
    file = BytesIO()
    with Image.open(BytesIO(content)) as image:
        image.save(file, "JPEG", quality=_QUALITY)
    return file.getvalue()


def _seen(landmarks: FloatArray) -> npt.NDArray[np.bool_]:
    """Which landmarks are visible: the pose model guesses the others."""
    visible = landmarks[:, 3] >= VISIBLE if landmarks.shape[1] > 3 else np.True_  # noqa: PLR2004
    return np.broadcast_to(visible, len(landmarks))


def _distances(one: FloatArray, other: FloatArray, size: tuple[int, int]) -> FloatArray:
    """Distances in pixels of the full-size image."""
    distances: FloatArray = np.linalg.norm((one[:, :2] - other[:, :2]) * size, axis=1)
    return distances


def report(changes: dict[str, Change]) -> Iterator[str]:
    """A Markdown table with a row for each variant and group."""
    yield "| | CPU | group | moved, median | 19 of 20 | appeared | vanished |"
    yield "|---|---|---|---|---|---|---|"
    for name, change in changes.items():
        for group in _PLACES:
            moved = change.percent[group]
            if moved or change.appeared[group] or change.vanished[group]:
                far = f"{median(moved):.2f} % | {np.percentile(moved, 95):.2f} %" if moved else "|"
                counts = f"{change.appeared[group]} | {change.vanished[group]}"
                label = group.removesuffix("_landmarks").replace("_", " ")
                yield f"| {name} | {median(change.cost):.2f} | {label} | {far} | {counts} |"


def main(arguments: Sequence[str] | None = None) -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.reduction", description=__doc__)
    parser.add_argument(
        "--images", type=Path, help="folder of large photos, instead of generated ones"
    )
    parser.add_argument("--enlarge", type=Path, help="folder of photos to enlarge to 12 megapixels")
    options = parser.parse_args(arguments)
    if not MALLOC_VARIABLES.items() <= os.environ.items():  # as in a detector's process
        command = [sys.executable, "-m", "bench.reduction", *(arguments or sys.argv[1:])]
        os.execve(sys.executable, command, os.environ | MALLOC_VARIABLES)  # noqa: S606, restart with malloc's settings
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    files = list(_files(options.images, options.enlarge))
    with closing(HolisticGraph(ModelOptions())) as graph:
        for line in report(compare(files, Looker(graph))):
            sys.stdout.write(f"{line}\n")
    sys.stdout.write(f"\n{len(files)} photos\n")


def _files(folder: Path | None, to_enlarge: Path | None) -> Iterator[bytes]:
    if folder:
        yield from (path.read_bytes() for path in photos.in_folder(folder))
        return
    pictures = photos.bundled()
    if to_enlarge:
        pictures += [Image.open(path).convert("RGB") for path in photos.in_folder(to_enlarge)]
    for picture in photos.enlarged(pictures):
        file = BytesIO()
        picture.save(file, "JPEG", quality=90)
        yield file.getvalue()


if __name__ == "__main__":
    main()
