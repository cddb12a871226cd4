"""Photographs in, body, face and hand landmarks out.

For applications that read results: `from worker import LandmarkTable`. What stands behind that
name is loaded when it is asked for, so that the worker's own start does not pay for it.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from worker.reading import LandmarkResult, LandmarkTable

__all__ = ["LandmarkResult", "LandmarkTable"]


def __getattr__(name: str) -> Any:  # noqa: ANN401, whatever is asked for
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from worker import reading  # noqa: PLC0415, the worker itself does without it

    return getattr(reading, name)
