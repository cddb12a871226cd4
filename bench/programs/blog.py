"""The blog's handler that this project started from, re-created from its description.

It downloads the image to a file, creates a Holistic with segmentation for every call, and returns
landmarks as JSON.
"""

import json
import os
import tempfile
from pathlib import Path
from typing import Any

import boto3
import cv2
import mediapipe as mp
from google.protobuf.json_format import MessageToDict

from bench.programs.loop import answer_requests

_GROUPS = (
    "pose_landmarks",
    "pose_world_landmarks",
    "face_landmarks",
    "left_hand_landmarks",
    "right_hand_landmarks",
)

s3 = boto3.client("s3")


def lambda_handler(event: dict[str, str], _: object) -> dict[str, Any]:
    """Landmarks of one image in S3."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "image"))
        s3.download_file(event["bucket"], event["key"], path)
        image = cv2.cvtColor(cv2.imread(path), cv2.COLOR_BGR2RGB)  # type: ignore[arg-type]
    with mp.solutions.holistic.Holistic(
        static_image_mode=True,
        model_complexity=int(os.environ["MODEL_COMPLEXITY"]),
        enable_segmentation=True,
        min_detection_confidence=0.5,
    ) as holistic:
        results = holistic.process(image)
    groups = {name: getattr(results, name) for name in _GROUPS}
    data = {name: group and MessageToDict(group) for name, group in groups.items()}
    return {"statusCode": 200, "body": json.dumps({"message": None, "data": data})}


if __name__ == "__main__":
    answer_requests(lambda event: lambda_handler(event, None)["statusCode"])
