"""Body, face and hand landmarks of photographs: read a results table from an application.

`from landmarks import LandmarkTable` needs boto3, NumPy and PynamoDB. Names are imported on first
use: the worker and the command import modules of this package, and need few of them.
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
    from landmarks.groups import (
        BoundingBox,
        Durations,
        ImageInfo,
        Landmarks,
        MaskPlace,
        ModelInfo,
    )
    from landmarks.names import HAND_NAMES, POSE_NAMES, Landmark, NamedLandmarks
    from landmarks.result import LandmarkResult, ResultSummary
    from landmarks.table import LandmarkTable, Listing

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

_NAMES: Final = {
    "errors": (
        "AccessDeniedError",
        "LandmarkError",
        "ServiceError",
        "SeveralResultsError",
        "TableNotFoundError",
    ),
    "groups": ("BoundingBox", "Durations", "ImageInfo", "Landmarks", "MaskPlace", "ModelInfo"),
    "names": ("HAND_NAMES", "POSE_NAMES", "Landmark", "NamedLandmarks"),
    "result": ("LandmarkResult", "ResultSummary"),
    "table": ("LandmarkTable", "Listing"),
}


def __getattr__(name: str) -> Any:  # noqa: ANN401, any of the names
    for module, names in _NAMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
