"""The detector's process: images in on one pipe, landmarks out on another.

Run by `launch.py` as `python -m worker.detector.child OPTIONS`. Whatever an
image does to the decoders or to MediaPipe, it does here: a process without
credentials, with little memory and few system calls, which may die at any time.
"""

import os
import signal
import sys
from contextlib import closing, suppress
from pathlib import Path
from typing import BinaryIO, Final

from landmarks.errors import DetectorMemoryError, ImageError
from worker.detector.confinement import limit_resources, refuse_system_calls
from worker.detector.launch import ChildOptions
from worker.detector.protocol import HEADER, Kind, encode_detection, encode_failure, frame
from worker.result import Detection

# The parent kills a child that is late; where the parent itself is gone, the
# child's own clock does it, this much later.
_ALARM_GRACE_SECONDS: Final = 5


_EXIT_OUT_OF_MEMORY: Final = 3


# A person with a face and raised hands: what looks at it has loaded every model. NASA's
# portrait of Eileen Collins, in the public domain, with drawn arms; 256 pixels square.
_WARM_UP_PHOTO: Final = Path(__file__).with_name("warm_up.jpg")


def _take_pipes() -> tuple[BinaryIO, BinaryIO]:
    """The two pipes, moved away from where a library might read or print."""
    source, sink = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(2, 1)
    os.close(null)
    return source, sink


def _read_image(source: BinaryIO) -> bytes | None:
    """The next image; None when the parent has closed the pipe or died."""
    header = source.read(HEADER.size)
    if len(header) < HEADER.size:
        return None
    length, _ = HEADER.unpack(header)
    content = source.read(length - 1)
    return content if len(content) == length - 1 else None


def main(arguments: list[str]) -> None:
    """Answer images until the parent closes the pipe."""
    options = ChildOptions.from_json(arguments[0])
    source, sink = _take_pipes()
    limit_resources(options.memory_bytes)
    # After the limits, so that they hold for whatever these libraries allocate.
    from worker.detector.decode import decode_image, encode_mask  # noqa: PLC0415
    from worker.detector.graph import HolisticGraph  # noqa: PLC0415

    def detect(content: bytes) -> Detection:
        image = decode_image(
            content, max_pixels=options.max_image_pixels, max_side=options.model.max_image_side
        )
        landmarks, mask = graph.process(image.pixels)
        png = None if mask is None else encode_mask(mask)
        return Detection(landmarks, image.width, image.height, image.format, png)

    with closing(HolisticGraph(options.model)) as graph:
        with suppress(ImageError):  # of settings that refuse even this one
            detect(_WARM_UP_PHOTO.read_bytes())
        _confine()
        sink.write(frame(Kind.READY))
        sink.flush()
        while (content := _read_image(source)) is not None:
            signal.alarm(int(options.timeout_seconds) + _ALARM_GRACE_SECONDS)
            try:
                answer = frame(Kind.DETECTION, encode_detection(detect(content)))
            except ImageError as error:
                answer = frame(Kind.FAILURE, encode_failure(error))
            except MemoryError:
                _exit_out_of_memory(sink, options.memory_bytes)
            signal.alarm(0)
            sink.write(answer)
            sink.flush()


def _confine() -> None:
    try:
        refuse_system_calls()
    except OSError as error:
        # A kernel without filters: the other limits hold, and the log tells.
        sys.stderr.write(f"E not confined: {error}\n")


def _exit_out_of_memory(sink: BinaryIO, memory_bytes: int) -> None:
    """Say so and go: what a failed allocation has left half done is not used again."""
    error = DetectorMemoryError(f"needs more than the {memory_bytes >> 20} MiB allowed")
    sink.write(frame(Kind.FAILURE, encode_failure(error)))
    sink.flush()
    os._exit(_EXIT_OUT_OF_MEMORY)


if __name__ == "__main__":
    main(sys.argv[1:])
