"""`python -m bench.largest`: the largest picture of each kind, and what it takes.

Each kind has a worker of its own, as in a function of 1,769 MB, which gets ten copies in a batch.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

from bench.local import LocalServices
from bench.program import Program
from bench.rounds import ONE_CORE, record
from tests.largest import KINDS, person_jpeg
from worker.detector.header import read_header
from worker.detector.launch import ChildOptions, child_options
from worker.model import ModelOptions
from worker.settings import Settings

_COPIES: Final = 10
_MAX_BYTES: Final = Settings("unused").max_image_bytes


class _Picture(NamedTuple):
    name: str
    content: bytes


def pictures(options: ChildOptions) -> Iterator[_Picture]:
    """Yield the largest pictures."""
    largest = person_jpeg(16_384, 15_232)
    yield _Picture("JPEG", largest)
    yield _Picture("JPEG of 80 MB", largest + bytes(_MAX_BYTES - len(largest)))
    yield _Picture("JPEG of 51 megapixels", person_jpeg(8_688, 5_870))
    for kind in KINDS:
        yield _Picture(kind.name, kind.largest(options))


def measure(picture: _Picture, *, masks: bool, log: Path) -> str:
    """Return a row of the table."""
    with LocalServices() as services:
        settings = {
            **services.environment,
            "DETECTORS": "1",
            "MIN_DETECTION_CONFIDENCE": "0.05",
            **({"SEGMENTATION_BUCKET": "masks"} if masks else {}),
        }
        keys = [f"{number}" for number in range(_COPIES)]
        for key in keys:
            services.put(key, picture.content)
        with Program("worker", settings, cores=ONE_CORE, log=log) as program:
            program.wait_until_ready()
            answer, usage = program.ask({"Records": [record(key) for key in keys]})
            peak_mb = program.peak_mb()
        outcomes = {item["status"]["S"] for item in services.items()}
    if answer != {"batchItemFailures": []} or not outcomes <= {"detected", "not_detected"}:
        raise RuntimeError(f"{picture.name}: {answer}, {outcomes}")
    header = read_header(picture.content, max_pixels=sys.maxsize)
    megapixels = header.width * header.height / 1e6
    cpu_seconds = usage.per(_COPIES).cpu_ms / 1000
    return f"| {picture.name} | {megapixels:.0f} | {cpu_seconds:.1f} | {peak_mb:,.0f} |"


def main() -> None:
    """Print a table without masks and one with."""
    with TemporaryDirectory() as folder:
        for masks in (False, True):
            options = child_options(Settings("unused", model=ModelOptions(segmentation=masks)))
            sys.stdout.write(
                f"\n{'With' if masks else 'Without'} masks\n\n"
                "| kind | megapixels | CPU seconds | peak MB |\n|---|---:|---:|---:|\n"
            )
            for picture in pictures(options):
                row = measure(picture, masks=masks, log=Path(folder, "log"))
                sys.stdout.write(f"{row}\n")
                sys.stdout.flush()


if __name__ == "__main__":
    main()
