"""The HEIF decoder is loaded by the first file that needs it, and by nothing else."""

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from landmarks.errors import CorruptImageError, DeadlineError, UnsupportedFormatError
from tests import heif_files, pictures
from tests.fuzz.images import OPTIONS
from tests.pictures import HEIGHT, WIDTH, photo
from worker.detector.pool import DetectorPool
from worker.result import Detection

WITHOUT = replace(OPTIONS, heif=False)
HEIF, AVIF = heif_files.sample(), pictures.avif()


@pytest.fixture
def pool() -> Iterator[DetectorPool]:
    """One real detector process."""
    with closing(DetectorPool(WITHOUT, size=1)) as pool:
        yield pool


def detect(pool: DetectorPool, content: bytes, seconds: float = 120) -> Detection:
    """Detect with a generous deadline."""
    return pool.detect(content, time.monotonic() + seconds)


def has_decoder(pid: int) -> bool:
    """Whether a process has loaded libheif."""
    return "libheif" in Path(f"/proc/{pid}/maps").read_text(encoding="utf-8")


def test_the_first_heif_file_restarts_a_detector(pool: DetectorPool) -> None:
    """The new process stays for all later images, and is not counted as broken."""
    first = pool.pids
    assert not has_decoder(first[0])

    found = detect(pool, HEIF)
    second = pool.pids

    assert (found.format, found.width, found.height) == ("heif", WIDTH, HEIGHT)
    assert second != first
    for content in (photo("JPEG"), HEIF, AVIF):
        detect(pool, content)
    assert pool.pids == second
    assert has_decoder(second[0])
    assert pool.restarts == 0


def test_other_formats_never_load_it(pool: DetectorPool) -> None:
    """AVIF looks alike, but OpenCV decodes it."""
    pids = pool.pids
    for content in (photo("JPEG"), AVIF, photo("PNG"), photo("WEBP")):
        detect(pool, content)
    assert pool.pids == pids
    assert not has_decoder(pids[0])


def test_a_broken_detector_is_replaced_with_the_decoder(pool: DetectorPool) -> None:
    """The decoder is there after a crash, too."""
    detect(pool, HEIF)
    pool._detectors[0]._process.kill()

    assert detect(pool, HEIF).format == "heif"
    assert pool.restarts == 1


def test_damage_costs_no_further_restart(pool: DetectorPool) -> None:
    """A damaged file is an answer of the new process."""
    damaged = heif_files.file(heif_files.Item(b"hvc1", b"", heif_files.item(HEIF).properties))
    for _ in range(2):
        with pytest.raises(CorruptImageError):
            detect(pool, damaged)
    assert pool.restarts == 0


def test_the_restart_counts_towards_the_deadline(pool: DetectorPool) -> None:
    """Without time for it, the job is retried, and the process is ready then."""
    pool.wait_until_ready()
    with pytest.raises(DeadlineError):
        detect(pool, HEIF, seconds=0.01)
    assert detect(pool, HEIF).format == "heif"


def test_names_the_package_that_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without pi-heif, HEIF is not supported, and the error says what to install."""
    hide = "import sys; sys.modules['_pi_heif'] = None\n"
    (tmp_path / "sitecustomize.py").write_text(hide, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with closing(DetectorPool(WITHOUT, size=1)) as pool:
        with pytest.raises(UnsupportedFormatError, match="pip install pi-heif"):
            detect(pool, HEIF)
        assert detect(pool, photo("JPEG")).format == "jpeg"
