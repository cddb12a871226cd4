"""The start of a detector's process: its options, its environment, its pipes.

Imports little, so that the first process can be started before the parent has imported
anything large: the two then start side by side.
"""

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Self

from worker.model import ModelOptions, require_model
from worker.settings import Settings

_PACKAGE_ROOT: Final = Path(__file__).parents[2]


# All that a child inherits. Credentials are not among it.
_INHERITED_VARIABLES: Final = (
    "LANG",
    "LC_ALL",
    "LD_LIBRARY_PATH",
    "LD_PRELOAD",
    "PATH",
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONPATH",
)


# Address space, of which MediaPipe at complexity 2 takes 0.9 GB for ordinary
# photographs and 1.2 GB at 49 megapixels; what it really uses is half of that.
_MEMORY_BYTES: Final = 1536 * 1024 * 1024


# With masks: MediaPipe holds two, its last one and the present one, of 4 bytes a pixel, and
# one more byte is a pixel's of the file. Beside the pixels, held twice, that makes 15 bytes:
# 880 MB + 15 x 50 megapixels + 2 x 50 MB of file = 1.73 GB; the rest is for holes between
# them: at 50 megapixels 1.53 GB were seen at the most, with files of 4 MB.
_MASK_MEMORY_BYTES: Final = 2048 * 1024 * 1024


# What a process keeps of the memory that an image has needed: enough for 12 megapixels.
_KEPT_BYTES: Final = 256 * 1024 * 1024


# glibc's, read when a process starts.
MALLOC_VARIABLES: Final = {
    # Every further arena reserves 64 MB of the address space we limit.
    "MALLOC_ARENA_MAX": "2",
    # Pixels come from memory that is there already. By default glibc maps them anew for each
    # image, and has the kernel clear them page by page: 27 % of the CPU time at 12 megapixels.
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(_KEPT_BYTES),
}


# With masks, what is large is mapped anew after all: the last mask, which MediaPipe holds, stays
# amid the heap and leaves holes that pixels don't fit in. After nine images of up to 50 megapixels
# that had come to 1.6 GB, against 1.0 GB so. It is paid for from 11 megapixels on, where pixels
# take that much: at 12 with 8 % of the time. More than 32 MB glibc does not take.
_MASK_MALLOC_VARIABLES: Final = {
    "MALLOC_ARENA_MAX": MALLOC_VARIABLES["MALLOC_ARENA_MAX"],
    "MALLOC_MMAP_THRESHOLD_": str(32 * 1024 * 1024),
    "MALLOC_TRIM_THRESHOLD_": MALLOC_VARIABLES["MALLOC_TRIM_THRESHOLD_"],
}


Child = subprocess.Popen[bytes]


@dataclass(frozen=True, slots=True)
class ChildOptions:
    """What a child has to know, as JSON on its command line.

    Attributes:
        model: MediaPipe's options.
        max_image_pixels: images with more are refused before they are decoded.
        timeout_seconds: how long the parent waits for an answer.
        memory_bytes: how much address space the process may have.
    """

    model: ModelOptions
    max_image_pixels: int
    timeout_seconds: float
    memory_bytes: int

    def to_json(self) -> str:
        """As one argument of a command line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The options that `to_json` wrote."""
        values = json.loads(text)
        return cls(**{**values, "model": ModelOptions(**values["model"])})


def child_options(settings: Settings) -> ChildOptions:
    """The options that the settings ask for.

    Raises:
        SettingsError: the model that the settings name is not installed.
    """
    require_model(settings.model)
    return ChildOptions(
        model=settings.model,
        max_image_pixels=settings.max_image_pixels,
        timeout_seconds=settings.detect_timeout_seconds,
        memory_bytes=_MASK_MEMORY_BYTES if settings.model.segmentation else _MEMORY_BYTES,
    )


def launch(options: ChildOptions) -> Child:
    """Start a process and return at once, while it imports and warms up."""
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "worker.detector.child", options.to_json()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=_environment(options),
        cwd="/proc",  # where nobody, not even root, can make a file
        bufsize=0,
        start_new_session=True,  # Ctrl-C on a terminal is the parent's to handle
    )


def _environment(options: ChildOptions) -> dict[str, str]:
    inherited = {name: os.environ[name] for name in _INHERITED_VARIABLES if name in os.environ}
    path = os.pathsep.join(filter(None, (str(_PACKAGE_ROOT), inherited.get("PYTHONPATH"))))
    return {
        **inherited,
        "PYTHONPATH": path,
        # Read once, when OpenCV is imported: a second line behind the header check.
        "OPENCV_IO_MAX_IMAGE_PIXELS": str(options.max_image_pixels),
        **(_MASK_MALLOC_VARIABLES if options.model.segmentation else MALLOC_VARIABLES),
        # So would OpenBLAS's threads, one a processor, of which nothing here makes use: with them
        # no child came up under 1.5 GB on 8 processors; without, it takes 0.9 GB on 16.
        "OPENBLAS_NUM_THREADS": "1",
    }
