"""Settings → a running worker, in the order that makes the start short.

The detectors are launched first and warm up while this process imports everything else.
"""

import os
from typing import TYPE_CHECKING

from worker.detector.confinement import hide_from_children
from worker.detector.launch import child_options, launch
from worker.settings import Settings

if TYPE_CHECKING:
    from worker.handler import Handler


def start_worker(settings: Settings) -> "Handler":
    """Start the worker; its logs go to standard output.

    Raises:
        SettingsError: the model is not installed.
    """
    hide_from_children()
    options = child_options(settings)
    children = [launch(options) for _ in range(settings.detectors)]
    # Otherwise OpenBLAS, which nothing here uses, would start a thread per processor, and they
    # would spin while the detectors start.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from worker.composition import build_handler  # noqa: PLC0415
    from worker.detector.pool import DetectorPool  # noqa: PLC0415
    from worker.telemetry import configure_logging  # noqa: PLC0415

    configure_logging()
    return build_handler(settings, DetectorPool(options, settings.detectors, children))
