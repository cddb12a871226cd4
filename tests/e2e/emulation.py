"""Programs for arm64 on another processor, by QEMU and the kernel's binfmt_misc."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_BINFMT = Path("/proc/sys/fs/binfmt_misc")
# Debian's description of the format and its interpreter, which the kernel opens at once and
# therefore finds in containers as well.
_DESCRIPTION = Path("/usr/lib/binfmt.d/qemu-aarch64.conf")
_MAGIC_OF_ARM64 = "7f454c460201010000000000000000000200b7"


class NoEmulationError(Exception):
    """Raised when this machine can't run programs for arm64; the message says what is missing."""


@contextmanager
def arm64() -> Iterator[None]:
    """Let this machine and its containers run programs for arm64.

    Raises:
        NoEmulationError: it can't.
    """
    if os.uname().machine == "aarch64" or _is_registered():
        yield
        return
    if not _DESCRIPTION.exists():
        raise NoEmulationError("no QEMU for arm64: `apt-get install qemu-user-static` on Debian")
    if os.geteuid() != 0:
        raise NoEmulationError("QEMU is not registered for arm64, and only root can do that")
    description = _DESCRIPTION.read_text(encoding="ascii").strip()
    try:
        if not (_BINFMT / "register").exists():
            command = ["mount", "-t", "binfmt_misc", "binfmt_misc", str(_BINFMT)]
            subprocess.run(command, check=True, capture_output=True)
        (_BINFMT / "register").write_text(description, encoding="ascii")
    except (OSError, subprocess.CalledProcessError) as error:
        raise NoEmulationError(f"QEMU can't be registered for arm64: {error}") from error
    try:
        yield
    finally:
        (_BINFMT / description.split(":")[1]).write_text("-1", encoding="ascii")


def _is_registered() -> bool:
    """Whether the kernel has an interpreter for arm64 that works in containers."""
    if not _BINFMT.is_dir():
        return False
    for path in _BINFMT.iterdir():
        if path.name in {"register", "status"}:
            continue
        facts = path.read_text(encoding="ascii").splitlines()
        flags = next((fact for fact in facts if fact.startswith("flags:")), "")
        if facts[0] == "enabled" and "F" in flags and f"magic {_MAGIC_OF_ARM64}00" in facts:
            return True
    return False
