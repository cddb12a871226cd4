"""Results for the applications that use them; needs boto3, NumPy and PynamoDB, no MediaPipe.

`table.py` finds results, `result.py` is one of them, `names.py` knows what its landmarks are
called.
"""

from worker.landmarks import MaskPlace
from worker.reading.names import HAND_NAMES, POSE_NAMES, Landmark, NamedLandmarks
from worker.reading.result import ImageInfo, LandmarkResult
from worker.reading.table import LandmarkTable, SeveralResultsError, TableNotFoundError

__all__ = [
    "HAND_NAMES",
    "POSE_NAMES",
    "ImageInfo",
    "Landmark",
    "LandmarkResult",
    "LandmarkTable",
    "MaskPlace",
    "NamedLandmarks",
    "SeveralResultsError",
    "TableNotFoundError",
]
