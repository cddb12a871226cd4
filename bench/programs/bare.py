"""Bare MediaPipe: stock Holistic on decoded images, or with decoding.

A request names files to decode and `keep`, kept ones to `process`, or files to do `both` with.
"""

import os
from typing import Any

import cv2

from bench.programs.loop import answer_requests
from worker.detector.graph import import_lean


def main() -> None:
    """Answer until standard input is closed."""
    import_lean()
    from mediapipe.python.solutions.holistic import Holistic  # noqa: PLC0415, without matplotlib

    kept: dict[str, Any] = {}
    with Holistic(
        static_image_mode=True,
        model_complexity=int(os.environ["MODEL_COMPLEXITY"]),
        min_detection_confidence=0.5,
    ) as holistic:

        def answer(request: dict[str, list[str]]) -> None:
            for path in request.get("keep", []):
                kept[path] = cv2.imread(path, cv2.IMREAD_COLOR_RGB)
            for path in request.get("process", []):
                holistic.process(kept[path])
            for path in request.get("both", []):
                holistic.process(cv2.imread(path, cv2.IMREAD_COLOR_RGB))

        answer_requests(answer)


if __name__ == "__main__":
    main()
