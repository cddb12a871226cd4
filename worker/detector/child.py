"""The detector process: reads images from one pipe and writes landmarks to another.

`launch.py` runs it as `python -m worker.detector.child OPTIONS`. Decoders and MediaPipe run only
here, in a process without credentials, with limited memory and few system calls, which may die at
any time. Without a model, it returns the decoded pictures themselves.
"""

import os
import signal
import sys
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

import numpy as np
import numpy.typing as npt

from landmarks.errors import DetectorMemoryError, ImageError, UnsupportedFormatError
from worker.detector.confinement import limit_resources, refuse_system_calls
from worker.detector.heif import load_library
from worker.detector.launch import ChildOptions
from worker.detector.protocol import (
    HEADER,
    Kind,
    encode_detection,
    encode_failure,
    encode_picture,
    frame,
)
from worker.model import ModelOptions
from worker.result import Detection

if TYPE_CHECKING:
    from worker.detector.decode import ImageMemory

# What to answer to an image: kind and payload.
_Answer = Callable[[bytes], tuple[Kind, bytes]]
_Pixels = npt.NDArray[np.uint8]

# The parent kills a child that takes too long. If the parent is gone, the child's alarm does,
# this much later.
_ALARM_GRACE_SECONDS: Final = 5

_EXIT_OUT_OF_MEMORY: Final = 3

# A person with face and raised hands, so that all models are loaded, and large enough that OpenCV
# looks for its plugins and starts its threads before the filter forbids it. NASA's portrait of
# Eileen Collins (public domain) with drawn arms, 512 pixels square.
_WARM_UP_PHOTO: Final = Path(__file__).with_name("warm_up.jpg")


def main(arguments: list[str]) -> None:
    """Process images until the parent closes the pipe."""
    options = ChildOptions.from_json(arguments[0])
    source, sink = _take_pipes()
    limit_resources(options.memory_bytes)
    with ExitStack() as stack:
        model = options.model
        answer = _detector(options, model, stack) if model else _decoder(options)
        with suppress(ImageError):  # if the settings reject even this photo
            answer(_WARM_UP_PHOTO.read_bytes())
        if options.heif:
            with suppress(UnsupportedFormatError):  # reported with the image
                load_library()
        _confine()
        _write(sink, Kind.READY)
        while (content := _read_image(source)) is not None:
            signal.alarm(int(options.timeout_seconds) + _ALARM_GRACE_SECONDS)
            try:
                kind, payload = answer(content)
            except ImageError as error:
                kind, payload = Kind.FAILURE, encode_failure(error)
            except MemoryError:
                _exit_out_of_memory(sink, options.memory_bytes)
            signal.alarm(0)
            del content  # or it would be held while the next one is read
            _write(sink, kind, payload)


# These import libraries only when called, so that the limits apply to these libraries' allocations.


def _detector(options: ChildOptions, model: ModelOptions, stack: ExitStack) -> _Answer:
    """Load the model; the stack closes it."""
    from worker.detector.decode import decode_image, encode_mask  # noqa: PLC0415
    from worker.detector.graph import HolisticGraph  # noqa: PLC0415
    from worker.detector.people_graph import PeopleGraph  # noqa: PLC0415

    memory = _image_memory(options)
    new_graph = HolisticGraph if model.max_people == 1 else PeopleGraph
    graph = stack.enter_context(closing(new_graph(model)))

    def detect(content: bytes) -> tuple[Kind, bytes]:
        image = decode_image(
            content,
            max_pixels=options.max_image_pixels,
            max_side=model.max_image_side,
            memory=memory,
        )
        landmarks, mask, others = graph.process(image.pixels)
        png = None if mask is None else encode_mask(mask)
        detection = Detection(
            landmarks,
            image.width,
            image.height,
            image.format,
            mask=png,
            orientation=image.orientation,
            truncated=image.truncated,
            others=others,
        )
        return Kind.DETECTION, encode_detection(detection)

    return detect


def _decoder(options: ChildOptions) -> _Answer:
    """Load OpenCV, or Pillow where that is not installed."""
    decode_pixels: Callable[..., _Pixels]
    try:
        from worker.detector.decode import decode_image  # noqa: PLC0415
    except ModuleNotFoundError:
        from worker.detector.pillow import decode_pixels  # noqa: PLC0415
    else:
        memory = _image_memory(options)

        def decode_pixels(content: bytes, *, max_pixels: int, max_side: int) -> _Pixels:
            image = decode_image(content, max_pixels=max_pixels, max_side=max_side, memory=memory)
            return image.pixels

    def decode(content: bytes) -> tuple[Kind, bytes]:
        pixels = decode_pixels(
            content, max_pixels=options.max_image_pixels, max_side=options.picture_side
        )
        return Kind.PICTURE, encode_picture(pixels)

    return decode


def _image_memory(options: ChildOptions) -> "ImageMemory | None":
    from worker.detector.decode import ImageMemory  # noqa: PLC0415

    if options.image_bytes is None:
        return None
    return ImageMemory(options.image_bytes, options.bytes_per_pixel)


def _take_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Move the two pipes off standard input and output, which libraries might use."""
    source, sink = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(2, 1)
    os.close(null)
    return source, sink


def _confine() -> None:
    try:
        refuse_system_calls()
    except OSError as error:
        # Without kernel support, the other limits still apply, and the parent logs this line.
        sys.stderr.write(f"E not confined: {error}\n")


def _read_image(source: BinaryIO) -> bytes | None:
    """Return the next image; None if the parent has closed the pipe or died."""
    header = source.read(HEADER.size)
    if len(header) < HEADER.size:
        return None
    length, _ = HEADER.unpack(header)
    content = source.read(length - 1)
    return content if len(content) == length - 1 else None


def _write(sink: BinaryIO, kind: Kind, payload: bytes = b"") -> None:
    sink.write(frame(kind, payload))
    sink.flush()


def _exit_out_of_memory(sink: BinaryIO, memory_bytes: int) -> None:
    """Report the error and exit: after a failed allocation, MediaPipe's state is unreliable."""
    error = DetectorMemoryError(f"needs more than the {memory_bytes >> 20} MiB allowed")
    _write(sink, Kind.FAILURE, encode_failure(error))
    os._exit(_EXIT_OUT_OF_MEMORY)


if __name__ == "__main__":
    main(sys.argv[1:])
