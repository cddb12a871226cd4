"""Remove from a folder of installed packages what the worker never runs.

`python trim_packages.py FOLDER`, in the image's build stage. What each pattern
takes away stands beside it; nothing that it names may be missing, so that a new
version of a package doesn't grow back in silence. Licences stay.
"""

import shutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

# Clients that are made: S3 and SQS by boto3, DynamoDB by PynamoDB.
_AWS_SERVICES = {"dynamodb", "s3", "sqs"}

_UNUSED = (
    # MediaPipe: other APIs and other solutions. The protobuf modules of objectron
    # stay: the stock package imports them, and so do we.
    "mediapipe/examples",
    "mediapipe/model_maker",
    "mediapipe/tasks",
    "mediapipe/modules/face_detection/face_detection_full_range_sparse.tflite",
    "mediapipe/modules/face_geometry/data",
    "mediapipe/modules/hand_landmark/hand_landmark_lite.tflite",
    "mediapipe/modules/iris_landmark",
    "mediapipe/modules/palm_detection",
    "mediapipe/modules/selfie_segmentation",
    # OpenCV: cascades of classical detectors.
    "cv2/data",
    # NumPy: for building extensions.
    "numpy/_core/include",
    "numpy/_core/lib",
    "numpy/distutils",
    "numpy/f2py",
    "numpy/random/lib",
    # boto3: the resource API's documentation.
    "boto3/examples",
    # Everybody: commands, tests, types, what pip compiled.
    "bin",
    "absl/testing",
    "**/tests",
    "**/*.pyi",
    "**/__pycache__",
)
# Python 3.12 has no distutils, and so NumPy has none for it.
_MAY_BE_MISSING = {"numpy/distutils", "**/__pycache__"}


def unused(packages: Path) -> Iterator[Path]:
    """What is to go.

    Raises:
        FileNotFoundError: a pattern finds nothing: the list is out of date.
    """
    for pattern in _UNUSED:
        found = list(packages.glob(pattern))
        if not found and pattern not in _MAY_BE_MISSING:
            raise FileNotFoundError(f"nothing to trim at {pattern}")
        yield from found
    for service in (packages / "botocore" / "data").iterdir():
        if service.is_dir() and service.name not in _AWS_SERVICES:
            yield service


def trim(paths: Iterable[Path]) -> int:
    """Remove files and folders; returns how many bytes that freed."""
    freed = 0
    for path in paths:
        if path.is_dir():
            freed += sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
            shutil.rmtree(path)
        elif path.exists():
            freed += path.stat().st_size
            path.unlink()
    return freed


if __name__ == "__main__":
    sys.stdout.write(f"trimmed {trim(list(unused(Path(sys.argv[1])))) / 1e6:.0f} MB\n")
