"""The detector's graphs for one person and for several, on decoded images.

A request names files to decode and `keep`, and kept ones to find the most prominent person in
(`one`), everyone (`everyone`), or nobody (`nobody`: black images of the same size). The answer is
how many people each image has, and whether MediaPipe's own detector saw the first.
"""

import os
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from bench.programs.loop import answer_requests
from worker.detector.decode import decode_image
from worker.detector.graph import Found, HolisticGraph
from worker.detector.people_graph import PeopleGraph
from worker.model import ModelOptions

_MAX_PEOPLE: Final = 16
_MAX_PIXELS: Final = 50_000_000


def main() -> None:
    """Answer until standard input is closed."""
    options = ModelOptions(model_complexity=int(os.environ["MODEL_COMPLEXITY"]))
    kept: dict[str, Any] = {}
    with (
        closing(HolisticGraph(options)) as one,
        closing(PeopleGraph(replace(options, max_people=_MAX_PEOPLE))) as everyone,
    ):

        def answer(request: dict[str, list[str]]) -> list[tuple[int, bool]]:
            for path in request.get("keep", []):
                kept[path] = decode_image(Path(path).read_bytes(), max_pixels=_MAX_PIXELS).pixels
            for path in request.get("nobody", []):
                one.process(np.zeros_like(kept[path]))
            for path in request.get("one", []):
                one.process(kept[path])
            found = [everyone.process(kept[path]) for path in request.get("everyone", [])]
            return [(_count(each), each.landmarks.pose_score is not None) for each in found]

        answer_requests(answer)


def _count(found: Found) -> int:
    return int(found.landmarks.person_found) + len(found.others)


if __name__ == "__main__":
    main()
