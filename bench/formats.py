"""`python -m bench.formats [FILE.heic…]`: what decoding costs in each format.

Each HEIC photo is compared with the same picture in the other formats. Nothing here can write HEIC,
so without real photos, two of the benchmark's of 12 megapixels are compared without it.
"""

import argparse
import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from statistics import median
from typing import Any, Final

from PIL import Image

from bench import photos, prices
from bench.cost import WORKER_MB
from worker.detector.decode import decode_image
from worker.detector.launch import MALLOC_VARIABLES

_ROUNDS: Final = 7
_PICTURES: Final = 2
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


def measure(pictures: Iterable[Mapping[str, bytes]]) -> dict[str, tuple[float, float]]:
    """Return median milliseconds of CPU and the median ratio to JPEG, by format.

    Args:
        pictures: the files of each picture, by format.
    """
    seconds: defaultdict[str, list[float]] = defaultdict(list)
    for files in pictures:
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


def _pictures(heics: Sequence[Path]) -> Iterator[dict[str, bytes]]:
    for path in heics:
        content = path.read_bytes()
        pixels = decode_image(content, max_pixels=_MAX_PIXELS).pixels
        yield {"HEIC": content, **_files(Image.fromarray(pixels))}
    if not heics:
        yield from map(_files, photos.enlarged(photos.bundled()[:_PICTURES]))


def _files(picture: Image.Image) -> dict[str, bytes]:
    files = {}
    for name, (file_format, options) in _OPTIONS.items():
        file = BytesIO()
        picture.save(file, file_format, **options)
        files[name] = file.getvalue()
    return files


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(prog="python -m bench.formats", description=__doc__)
    parser.add_argument("heics", type=Path, nargs="*", metavar="FILE", help="HEIC files")
    heics = parser.parse_args(arguments).heics
    if not MALLOC_VARIABLES.items() <= os.environ.items():  # as in a detector's process
        command = [sys.executable, "-m", "bench.formats", *(arguments or sys.argv[1:])]
        os.execve(sys.executable, command, os.environ | MALLOC_VARIABLES)  # noqa: S606, restart with malloc's settings
    dollars_a_ms = (
        WORKER_MB
        / prices.LAMBDA_MEGABYTES_A_GB
        * prices.LAMBDA_GB_SECOND["x86_64"]
        * prices.MILLION
        / 1000
    )
    sys.stdout.write(
        "| format | CPU ms | ÷ JPEG | dollars a million |\n| --- | ---: | ---: | ---: |\n"
    )
    for name, (milliseconds, ratio) in measure(_pictures(heics)).items():
        dollars = milliseconds * dollars_a_ms
        sys.stdout.write(f"| {name} | {milliseconds:.0f} | {ratio:.1f} | {dollars:.2f} |\n")


if __name__ == "__main__":
    main()
