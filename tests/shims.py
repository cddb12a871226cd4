"""Compiles the image's shim, and a library that refuses to name threads, like Lambda."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SHIM_SOURCE = Path(__file__).parents[1] / "image" / "pthread_shim.c"

# glibc's answer if the kernel returns EPERM.
REFUSAL_SOURCE = """
int pthread_setname_np(unsigned long thread, const char *name)
{
    (void)thread;
    (void)name;
    return 1;
}
"""

# The MediaPipe source file that complains, in two lines of which the worker logs the first.
THREAD_NAME_ERROR = "threadpool_pthread_impl.cc"


def compile_shim(folder: Path) -> Path:
    """Compile the shim as the image's Dockerfile does."""
    return _compile(SHIM_SOURCE, folder / "libpthread_shim.so")


def compile_refusal(folder: Path) -> Path:
    """Compile a library that answers every attempt to name a thread with EPERM."""
    source = folder / "refusal.c"
    source.write_text(REFUSAL_SOURCE, encoding="utf-8")
    return _compile(source, folder / "librefusal.so")


def _compile(source: Path, library: Path) -> Path:
    flags = ["-shared", "-fPIC", "-O2", "-nostdlib", "-s", "-o", str(library), str(source)]
    subprocess.run([*_compiler(), *flags], check=True, timeout=120)
    return library


def _compiler() -> list[str]:
    if compiler := shutil.which("cc"):
        return [compiler]
    if importlib.util.find_spec("ziglang"):
        target = f"{os.uname().machine}-linux-gnu.2.26"
        return [sys.executable, "-m", "ziglang", "cc", "-target", target]
    pytest.skip("there is no C compiler: neither cc nor the package ziglang")
