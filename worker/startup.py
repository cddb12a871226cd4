"""Starts the worker, in an order that makes the start fast.

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
    """Start the worker, with logs on standard output.

    Raises:
        SettingsError: the model is not installed.
    """
    hide_from_children()
    options = child_options(settings)
    children = [launch(options) for _ in range(settings.detectors)]
    # Otherwise OpenBLAS, which nothing here uses, starts one thread per processor, and these spin
    # while the detectors start.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from worker.composition import build_handler  # noqa: PLC0415
    from worker.detector.pool import DetectorPool  # noqa: PLC0415
    from worker.telemetry import configure_logging  # noqa: PLC0415

    configure_logging()
    handler = build_handler(settings, DetectorPool(options, settings.detectors, children))
    handler.connect(settings.image_bucket)
    return handler
