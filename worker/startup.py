"""Environment → a running worker, in the order that makes the start short.

The detectors come first, and warm up in their own processes while this one
imports the AWS side.
"""

from typing import TYPE_CHECKING

from worker.detector.confinement import hide_from_children
from worker.detector.pool import start_detectors
from worker.settings import Settings

if TYPE_CHECKING:
    from worker.handler import Handler


def start_worker(settings: Settings) -> "Handler":
    """The worker that the settings describe, its logs on standard output.

    Raises:
        SettingsError: the model that the settings name is not installed.
    """
    hide_from_children()
    detectors = start_detectors(settings)
    from worker.composition import build_handler  # noqa: PLC0415, after the detectors
    from worker.telemetry import configure_logging  # noqa: PLC0415, after the detectors

    configure_logging()
    return build_handler(settings, detectors)
