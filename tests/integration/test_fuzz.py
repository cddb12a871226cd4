"""A short, seeded run of `make fuzz`, and its corpus."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.fuzz import images, messages
from tests.pictures import mutants
from worker.detector.pool import DetectorPool

CORPUS = Path(images.__file__).with_name("corpus")


@pytest.fixture(scope="module")
def pool() -> Iterator[DetectorPool]:
    """One real detector process."""
    with closing(images.detectors()) as pool:
        yield pool


@pytest.fixture(scope="module")
def decoders() -> Iterator[DetectorPool]:
    """One real process that only decodes."""
    with closing(images.decoders()) as pool:
        yield pool


def test_damaged_messages_are_jobs_or_one_named_error() -> None:
    """Tries 20,000 damaged messages."""
    answers = messages.count(messages.mutants(seed=1), 20_000)

    assert answers.total() == 20_000
    assert min(answers["jobs"], answers["ignored"], answers["MessageError"]) > 200


def test_damaged_images_kill_no_detector(pool: DetectorPool) -> None:
    """One process answers 1,000 damaged images."""
    pids, findings = pool.pids, images.Findings()

    images.try_images(pool, images.detect, mutants(seed=1, count=1000), findings)

    assert findings.answers.total() == 1000
    assert findings.answers["nobody"] > 100
    assert not findings.culprits
    assert pool.pids == pids
    assert findings.peak_bytes <= images.MEMORY_BYTES


def test_damaged_images_kill_nothing_that_decodes_for_drawings(decoders: DetectorPool) -> None:
    """One process answers 1,000 others; the first HEIF file brings a new one, which is kept."""
    findings = images.Findings()

    images.try_images(decoders, images.decode, mutants(seed=2, count=1000), findings)

    assert findings.answers.total() == 1000
    assert findings.answers["a picture"] > 100
    assert not findings.culprits
    assert decoders.restarts == 0
    assert findings.peak_bytes <= images.MEMORY_BYTES


@pytest.mark.parametrize("path", sorted(CORPUS.glob("messages/*")), ids=lambda path: path.name)
def test_known_bad_messages_are_jobs_or_one_named_error(path: Path) -> None:
    """The corpus of messages."""
    assert messages.judge(path.read_bytes().decode(errors="surrogatepass"))


@pytest.mark.parametrize("path", sorted(CORPUS.glob("images/*")), ids=lambda path: path.name)
def test_known_bad_images_kill_no_process(
    pool: DetectorPool, decoders: DetectorPool, path: Path
) -> None:
    """The corpus of images."""
    findings = images.Findings()

    images.try_images(pool, images.detect, [path.read_bytes()], findings)
    images.try_images(decoders, images.decode, [path.read_bytes()], findings)

    assert not findings.culprits
