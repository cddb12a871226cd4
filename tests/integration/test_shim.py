"""The shim without a container: a preloaded library refuses to name threads, like Lambda."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.shims import THREAD_NAME_ERROR, compile_refusal, compile_shim
from worker.detector.launch import ChildOptions
from worker.model import ModelOptions

ROOT = Path(__file__).parents[2]
OPTIONS = ChildOptions(
    model=ModelOptions(model_complexity=1),
    max_image_pixels=1_000_000,
    timeout_seconds=30,
    memory_bytes=1536 * 1024 * 1024,
)


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shim's library."""
    return compile_shim(tmp_path_factory.mktemp("shim"))


@pytest.fixture(scope="module")
def refusal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library that refuses to name threads."""
    return compile_refusal(tmp_path_factory.mktemp("refusal"))


def said_with(*libraries: Path) -> str:
    """Return a detector's standard error from start to end, without an image."""
    done = subprocess.run(
        [sys.executable, "-m", "worker.detector.child", OPTIONS.to_json()],
        env={**os.environ, "LD_PRELOAD": ":".join(map(str, libraries)), "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert done.stdout, "it was never ready"
    return done.stderr.decode()


def test_shim_keeps_the_log_free_of_thread_names(shim: Path, refusal: Path) -> None:
    """With the shim, nothing is logged about thread names."""
    assert THREAD_NAME_ERROR not in said_with(shim, refusal)


def test_without_the_shim_the_log_has_them(refusal: Path) -> None:
    """Without the shim, MediaPipe logs an error for each thread."""
    assert THREAD_NAME_ERROR in said_with(refusal)


def test_shim_needs_no_other_library(shim: Path) -> None:
    """The shim needs no library and no glibc version, so it loads on every base image."""
    content = shim.read_bytes()

    assert b"pthread_setname_np" in content
    assert b"libc." not in content
    assert b"GLIBC_" not in content
