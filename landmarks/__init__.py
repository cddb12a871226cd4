"""Read body, face and hand landmarks from the results table.

`from landmarks import LandmarkTable` needs only boto3, NumPy and PynamoDB. Names are imported
lazily, so the worker and the command-line tool don't pay for modules they don't use.
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
    from landmarks.person import Person
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
    "Person",
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
    "person": ("Person",),
    "result": ("LandmarkResult", "ResultSummary"),
    "table": ("LandmarkTable", "Listing"),
}


def __getattr__(name: str) -> Any:  # noqa: ANN401, classes and tuples
    for module, names in _NAMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
