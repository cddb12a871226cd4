"""Damaged images: detectors, and what decodes for drawings, have to answer in time and survive."""

import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from landmarks.errors import DetectorError, ImageError
from landmarks.photograph import PhotoDecoder
from worker.detector.launch import ChildOptions, child_options
from worker.detector.pool import DetectorPool
from worker.model import ModelOptions
from worker.settings import Settings

# Sends an image to one of the pool's processes and names the answer.
Ask = Callable[[DetectorPool, bytes], str]


def _options(max_people: int) -> ChildOptions:
    """As in production, but with the HEIF decoder from the start."""
    model = ModelOptions(model_complexity=1, max_people=max_people)
    return replace(child_options(Settings("unused", model=model)), heif=True)


OPTIONS = _options(max_people=1)
TIMEOUT_SECONDS = OPTIONS.timeout_seconds
MEMORY_BYTES = OPTIONS.memory_bytes

_PICTURE_SIDE = 1600


@dataclass
class Findings:
    """The answers, the images that killed a process, and the processes' peak address space."""

    answers: Counter[str] = field(default_factory=Counter)
    culprits: list[bytes] = field(default_factory=list)
    slowest_seconds: float = 0.0
    peak_bytes: int = 0


def detectors(max_people: int = 1) -> DetectorPool:
    """Start a detector."""
    return DetectorPool(_options(max_people), size=1)


def decoders() -> DetectorPool:
    """Start a process that only decodes, as `overlay` and `report` do."""
    return PhotoDecoder(_PICTURE_SIDE)._processes


def try_images(pool: DetectorPool, ask: Ask, images: Iterable[bytes], findings: Findings) -> None:
    """Send images through real processes, and keep those that killed one."""
    for content in images:
        start = time.monotonic()
        try:
            answer = ask(pool, content)
        except DetectorError as error:
            answer = error.code
            findings.culprits.append(content)
        except ImageError as error:
            answer = error.code
        findings.answers[answer] += 1
        findings.slowest_seconds = max(findings.slowest_seconds, time.monotonic() - start)
    findings.peak_bytes = max(findings.peak_bytes, *map(peak_bytes, pool.pids))


def detect(pool: DetectorPool, content: bytes) -> str:
    """Name what a detector finds."""
    found = pool.detect(content, _deadline())
    if found.others:
        return "several people"
    return "a person" if found.landmarks.person_found else "nobody"


def decode(pool: DetectorPool, content: bytes) -> str:
    """Name what a process without a model returns."""
    pool.decode(content, _deadline())
    return "a picture"


def _deadline() -> float:
    return time.monotonic() + 4 * TIMEOUT_SECONDS


def peak_bytes(pid: int) -> int:
    """The peak address space of a process."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmPeak:"))
    return int(line.split()[1]) * 1024
