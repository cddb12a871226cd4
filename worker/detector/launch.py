"""Starts a detector process with its options, environment and pipes.

Imports little, so that the first process starts before the parent imports anything large.
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

Child = subprocess.Popen[bytes]

_PACKAGE_ROOT: Final = Path(__file__).parents[2]

# Not even root can create files in /proc, which only Linux has.
_WORKING_DIRECTORY: Final = "/proc" if Path("/proc").is_dir() else "/"

# The only variables that a detector inherits, so it gets no credentials.
_INHERITED_VARIABLES: Final = (
    "LANG",
    "LC_ALL",
    "LD_LIBRARY_PATH",
    "LD_PRELOAD",
    "PATH",
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONPATH",
)

# Address space of a process. What an image may take is checked before it is decoded; the limit
# stops what was not foreseen. Masks leave holes: see _MASK_MALLOC_VARIABLES.
_MEMORY_BYTES: Final = 1536 * 1024 * 1024
_MASK_MEMORY_BYTES: Final = 2048 * 1024 * 1024

# Address space without an image, at complexity 2. Measured: 0.73 GB with two processors. More
# processors mean more threads, whose stacks take 8 MB each: 0.9 GB is enough for 16.
_MODEL_BYTES: Final = 880_000_000

# More of it with models for several people, whose graphs have threads of their own. Measured: 0.23
# GB with two processors, 0.1 GB of it resident.
_PEOPLE_BYTES: Final = 240_000_000

# What an image may take, with its file. All of it is resident, and 0.42 GB of MediaPipe: with 80 MB
# of file for each of four jobs in the parent, and 0.1 GB for the parent itself, 1.57 GB.
_IMAGE_BYTES: Final = _MEMORY_BYTES - _MODEL_BYTES

# Memory per pixel during detection: the pixels and MediaPipe's copy. With masks, MediaPipe holds
# the last and the current one at 4 bytes per pixel, and the PNG takes 1 more; of these 15 bytes at
# most 13 are resident.
_DETECTION_BYTES_PER_PIXEL: Final = 6
_MASK_DETECTION_BYTES_PER_PIXEL: Final = 13

# Settings of glibc, read when a process starts.
MALLOC_VARIABLES: Final = {
    # Each additional arena reserves 64 MB of address space.
    "MALLOC_ARENA_MAX": "2",
    # Reuse memory for pixels. By default, glibc maps new memory for each image and the kernel
    # clears it page by page: 27 % of the CPU time at 12 megapixels.
    "MALLOC_MMAP_MAX_": "0",
    # Memory kept between images, enough for 12 megapixels.
    "MALLOC_TRIM_THRESHOLD_": str(256 * 1024 * 1024),
}

# With masks, large blocks are mapped after all. Otherwise the last mask, which MediaPipe holds,
# stays in the middle of the heap and leaves holes that pixels don't fit in: after nine images of up
# to 50 megapixels, the process had 1.6 GB instead of 1.0 GB. Mapping costs time from 11 megapixels,
# where pixels reach the threshold: 8 % at 12 megapixels. 32 MB is glibc's upper limit.
_MASK_MALLOC_VARIABLES: Final = {
    "MALLOC_ARENA_MAX": MALLOC_VARIABLES["MALLOC_ARENA_MAX"],
    "MALLOC_MMAP_THRESHOLD_": str(32 * 1024 * 1024),
    "MALLOC_TRIM_THRESHOLD_": MALLOC_VARIABLES["MALLOC_TRIM_THRESHOLD_"],
}


@dataclass(frozen=True, slots=True)
class ChildOptions:
    """A detector's options, passed as JSON on its command line.

    Attributes:
        model: MediaPipe's options; None for a process that only decodes.
        max_image_pixels: larger images are rejected before decoding.
        timeout_seconds: how long the parent waits for an answer.
        memory_bytes: limit of the process's address space.
        heif: whether the process can decode HEIF; loading the decoder takes time and memory.
        image_bytes: memory that one image may take; what takes more is rejected before decoding.
            None for no such check.
        picture_side: without a model, the longest side of the pictures that the process returns,
            in pixels.
    """

    model: ModelOptions | None
    max_image_pixels: int
    timeout_seconds: float
    memory_bytes: int
    heif: bool = False
    image_bytes: int | None = None
    picture_side: int = 0

    @property
    def makes_masks(self) -> bool:
        """Whether the process returns segmentation masks."""
        return self.model is not None and self.model.segmentation

    @property
    def bytes_per_pixel(self) -> int:
        """Memory that detection takes per pixel."""
        return _MASK_DETECTION_BYTES_PER_PIXEL if self.makes_masks else _DETECTION_BYTES_PER_PIXEL

    @property
    def max_mask_pixels(self) -> int:
        """The number of pixels that a mask may have."""
        if self.image_bytes is None:
            return self.max_image_pixels
        return min(self.max_image_pixels, self.image_bytes // self.bytes_per_pixel)

    def to_json(self) -> str:
        """Return the options as one command-line argument."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Parse options written by `to_json`."""
        values = json.loads(text)
        model = values["model"] and ModelOptions(**values["model"])
        return cls(**{**values, "model": model})


def child_options(settings: Settings) -> ChildOptions:
    """Return a detector's options for these settings.

    Raises:
        SettingsError: the model is not installed.
    """
    require_model(settings.model)
    return ChildOptions(
        model=settings.model,
        max_image_pixels=settings.max_image_pixels,
        timeout_seconds=settings.detect_timeout_seconds,
        memory_bytes=_MASK_MEMORY_BYTES if settings.model.segmentation else _MEMORY_BYTES,
        image_bytes=_IMAGE_BYTES - (_PEOPLE_BYTES if settings.model.max_people > 1 else 0),
    )


def launch(options: ChildOptions) -> Child:
    """Start a process and return immediately, while it imports and warms up."""
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "worker.detector.child", options.to_json()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=_environment(options),
        cwd=_WORKING_DIRECTORY,
        bufsize=0,
        start_new_session=True,  # the parent handles Ctrl-C
    )


def _environment(options: ChildOptions) -> dict[str, str]:
    inherited = {name: os.environ[name] for name in _INHERITED_VARIABLES if name in os.environ}
    path = os.pathsep.join(filter(None, (str(_PACKAGE_ROOT), inherited.get("PYTHONPATH"))))
    return {
        **inherited,
        **(_MASK_MALLOC_VARIABLES if options.makes_masks else MALLOC_VARIABLES),
        "PYTHONPATH": path,
        # Read when OpenCV is imported; a second line of defence after the header check.
        "OPENCV_IO_MAX_IMAGE_PIXELS": str(options.max_image_pixels),
        # By default, OpenBLAS starts a thread per processor, which nothing uses. Their stacks take
        # address space: on 8 processors, no detector started with 1.5 GB. Without them, 0.9 GB is
        # enough on 16.
        "OPENBLAS_NUM_THREADS": "1",
    }
