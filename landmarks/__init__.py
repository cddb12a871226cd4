"""Body, face and hand landmarks of photographs: the results table as applications read it.

`from landmarks import LandmarkTable` needs boto3, NumPy and PynamoDB. Each name is loaded on first
use, so that the worker and the command, which import modules of this package, do not pay for it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from landmarks.errors import (
        AccessDeniedError,
        LandmarkError,
        ServiceError,
        SeveralResultsError,
        TableNotFoundError,
    )
    from landmarks.groups import BoundingBox, Landmarks, MaskPlace
    from landmarks.listing import Listing
    from landmarks.names import HAND_NAMES, POSE_NAMES, Landmark, NamedLandmarks
    from landmarks.result import Durations, ImageInfo, LandmarkResult, ModelInfo
    from landmarks.summary import ResultSummary
    from landmarks.table import LandmarkTable

_MODULES: Final = {
    "AccessDeniedError": "errors",
    "BoundingBox": "groups",
    "Durations": "result",
    "HAND_NAMES": "names",
    "ImageInfo": "result",
    "Landmark": "names",
    "LandmarkError": "errors",
    "LandmarkResult": "result",
    "LandmarkTable": "table",
    "Landmarks": "groups",
    "Listing": "listing",
    "MaskPlace": "groups",
    "ModelInfo": "result",
    "NamedLandmarks": "names",
    "POSE_NAMES": "names",
    "ResultSummary": "summary",
    "ServiceError": "errors",
    "SeveralResultsError": "errors",
    "TableNotFoundError": "errors",
}

__all__ = [
    "HAND_NAMES",
    "POSE_NAMES",
    "AccessDeniedError",
    "BoundingBox",
    "Durations",
    "ImageInfo",
    "Landmark",
    "LandmarkError",
    "LandmarkResult",
    "LandmarkTable",
    "Landmarks",
    "Listing",
    "MaskPlace",
    "ModelInfo",
    "NamedLandmarks",
    "ResultSummary",
    "ServiceError",
    "SeveralResultsError",
    "TableNotFoundError",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401, whatever is asked for
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
