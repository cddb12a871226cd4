"""`python -m bench.formats FILE.heic…`: what decoding costs in each format.

Each HEIC photo is compared with the same picture in the other formats. Nothing here can write HEIC,
so real photos are needed.
"""

import argparse
import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from statistics import median
from typing import Any, Final

from PIL import Image

from bench import prices
from bench.cost import WORKER_MB
from worker.detector.decode import decode_image
from worker.detector.launch import MALLOC_VARIABLES

_ROUNDS: Final = 7
_MAX_PIXELS: Final = 250_000_000

# As phones, cameras and editors save them.
_OPTIONS: Final[Mapping[str, tuple[str, Mapping[str, Any]]]] = {
    "JPEG": ("JPEG", {"quality": 90}),
    "JPEG, progressive": ("JPEG", {"quality": 90, "progressive": True}),
    "PNG": ("PNG", {}),
    "WebP": ("WEBP", {"quality": 80}),
    "WebP, lossless": ("WEBP", {"lossless": True, "method": 0}),
    "AVIF": ("AVIF", {"quality": 75, "speed": 8}),
    "BMP": ("BMP", {}),
    "GIF": ("GIF", {}),
    "TIFF, LZW": ("TIFF", {"compression": "tiff_lzw"}),
}


def measure(photos: Sequence[bytes]) -> dict[str, tuple[float, float]]:
    """Return median milliseconds of CPU and the median ratio to JPEG, by format."""
    seconds: defaultdict[str, list[float]] = defaultdict(list)
    for photo in photos:
        files = dict(_files(photo))
        for _ in range(_ROUNDS):  # in turns, because the machine's speed varies
            for name, content in files.items():
                start = time.process_time()
                decode_image(content, max_pixels=_MAX_PIXELS)
                seconds[name].append(time.process_time() - start)
    return {
        name: (
            1000 * median(found),
            median(one / jpeg for one, jpeg in zip(found, seconds["JPEG"], strict=True)),
        )
        for name, found in seconds.items()
    }


def _files(photo: bytes) -> Iterator[tuple[str, bytes]]:
    yield "HEIC", photo
    picture = Image.fromarray(decode_image(photo, max_pixels=_MAX_PIXELS).pixels)
    for name, (file_format, options) in _OPTIONS.items():
        file = BytesIO()
        picture.save(file, file_format, **options)
        yield name, file.getvalue()


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(prog="python -m bench.formats", description=__doc__)
    parser.add_argument("photos", type=Path, nargs="+", help="HEIC files")
    photos = [path.read_bytes() for path in parser.parse_args(arguments).photos]
    if not MALLOC_VARIABLES.items() <= os.environ.items():  # as in a detector's process
        command = [sys.executable, "-m", "bench.formats", *(arguments or sys.argv[1:])]
        os.execve(sys.executable, command, os.environ | MALLOC_VARIABLES)  # noqa: S606, restart with malloc's settings
    dollars_a_ms = (
        WORKER_MB / prices.LAMBDA_MEGABYTES_A_GB * prices.LAMBDA_GB_SECOND * prices.MILLION / 1000
    )
    sys.stdout.write(
        "| format | CPU ms | ÷ JPEG | dollars a million |\n| --- | ---: | ---: | ---: |\n"
    )
    for name, (milliseconds, ratio) in measure(photos).items():
        dollars = milliseconds * dollars_a_ms
        sys.stdout.write(f"| {name} | {milliseconds:.0f} | {ratio:.1f} | {dollars:.2f} |\n")


if __name__ == "__main__":
    main()
