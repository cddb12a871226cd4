"""Results for the applications that use them; needs boto3, NumPy and PynamoDB, no MediaPipe.

`table.py` finds results, `result.py` is one of them, `summary.py` one without its landmarks,
`item.py` the item that they are read from; `names.py` knows what landmarks are called.
"""

from worker.landmarks import MaskPlace
from worker.reading.facts import Durations, ImageInfo, ModelInfo
from worker.reading.faults import SeveralResultsError, TableNotFoundError
from worker.reading.listing import Listing
from worker.reading.names import HAND_NAMES, POSE_NAMES, Landmark, NamedLandmarks
from worker.reading.result import LandmarkResult
from worker.reading.summary import ResultSummary
from worker.reading.table import LandmarkTable

__all__ = [
    "HAND_NAMES",
    "POSE_NAMES",
    "Durations",
    "ImageInfo",
    "Landmark",
    "LandmarkResult",
    "LandmarkTable",
    "Listing",
    "MaskPlace",
    "ModelInfo",
    "NamedLandmarks",
    "ResultSummary",
    "SeveralResultsError",
    "TableNotFoundError",
]
