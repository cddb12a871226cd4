"""Damaged images: the detector has to answer in time and survive."""

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from landmarks.errors import DetectorError, ImageError
from worker.detector.launch import ChildOptions
from worker.detector.pool import DetectorPool
from worker.model import ModelOptions

TIMEOUT_SECONDS = 15.0
MEMORY_BYTES = 1536 * 1024 * 1024

OPTIONS = ChildOptions(
    model=ModelOptions(model_complexity=1),
    max_image_pixels=50_000_000,
    timeout_seconds=TIMEOUT_SECONDS,
    memory_bytes=MEMORY_BYTES,
    heif=True,
)


@dataclass
class Findings:
    """The answers, and the images that killed a detector."""

    answers: Counter[str] = field(default_factory=Counter)
    culprits: list[bytes] = field(default_factory=list)
    slowest_seconds: float = 0.0


def try_images(pool: DetectorPool, images: Iterable[bytes], findings: Findings) -> None:
    """Send images through real detector processes, and keep those that killed one."""
    for content in images:
        start = time.monotonic()
        try:
            answer = "a person" if _found(pool, content) else "nobody"
        except DetectorError as error:
            answer = error.code
            findings.culprits.append(content)
        except ImageError as error:
            answer = error.code
        findings.answers[answer] += 1
        findings.slowest_seconds = max(findings.slowest_seconds, time.monotonic() - start)


def _found(pool: DetectorPool, content: bytes) -> bool:
    deadline = time.monotonic() + 4 * TIMEOUT_SECONDS
    return pool.detect(content, deadline).landmarks.person_found


def peak_bytes(pid: int) -> int:
    """The peak address space of a process."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmPeak:"))
    return int(line.split()[1]) * 1024
