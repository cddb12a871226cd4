"""Remove what the worker never uses from a folder of installed packages.

`python trim_packages.py FOLDER` runs in the image's build stage. A pattern that matches nothing is
an error: otherwise a new version of a package would grow unnoticed. Licences are kept.
"""

import shutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

# The services that the worker has clients of.
_AWS_SERVICES = {"dynamodb", "s3", "sqs"}

_UNUSED = (
    # MediaPipe: other APIs and solutions. The protobuf modules of objectron are imported by
    # the package.
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
    # pi-heif: its Python modules; the worker calls libheif itself.
    "pi_heif",
    # boto3: the resource API's documentation.
    "boto3/examples",
    # All packages: commands, tests, type stubs, what pip compiled.
    "bin",
    "absl/testing",
    "**/tests",
    "**/*.pyi",
    "**/__pycache__",
)
# Python 3.12 has no distutils, and so NumPy has none for it.
_MAY_BE_MISSING = {"numpy/distutils", "**/__pycache__"}


def unused(packages: Path) -> Iterator[Path]:
    """What to remove.

    Raises:
        FileNotFoundError: a pattern matches nothing.
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
    """Remove files and folders; returns the number of bytes freed."""
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
