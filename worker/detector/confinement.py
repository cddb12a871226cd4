"""Confines a detector process with resource limits and a system call filter.

On Linux, x86-64 and arm64. Elsewhere, commands that only decode photographs run with what limits
there are.

The limits apply from the start, the filter once the models are loaded. From then on, the process
needs only its pipes, memory and clocks, and code that takes it over gets nothing more.
"""

import ctypes
import mmap
import os
import resource
import signal
import struct
import sys
from collections.abc import Iterator
from errno import ENOSYS, EPERM
from typing import Final, NamedTuple

# linux/prctl.h
_PR_SET_PDEATHSIG: Final = 1
_PR_SET_DUMPABLE: Final = 4
_PR_SET_NO_NEW_PRIVS: Final = 38

# linux/seccomp.h
_SET_MODE_FILTER: Final = 1
_ALL_THREADS: Final = 1  # SECCOMP_FILTER_FLAG_TSYNC
_ALLOW: Final = 0x7FFF0000
_ERRNO: Final = 0x00050000

# linux/filter.h: load a word, mask it, jump if equal, return.
_LOAD: Final = 0x20
_AND: Final = 0x54
_IF_EQUAL: Final = 0x15
_RETURN: Final = 0x06
_INSTRUCTION: Final = struct.Struct("HBBI")

# Offsets in struct seccomp_data. Arguments have 8 bytes, lower half first.
_NUMBER: Final = 0
_ARCHITECTURE: Final = 4
_ARGUMENTS: Final = 16

_ALL_BITS: Final = 0xFFFFFFFF

# linux/sched.h: the flags that pthread_create passes. With exactly these, clone creates a thread.
_THREAD_FLAGS: Final = 0x003D0F00

# System calls that strace recorded between loading the last model and the end of the process, on
# Python 3.11 and 3.12: 281 images in every format that OpenCV and libheif decode (including files
# made to crash decoders), model complexities 0 to 2, masks, refined faces and `max_image_side` on
# and off; pipe closed, out of memory, abort, segmentation fault and alarm. In four runs over the
# same images with the filter, only calls that Abseil can do without failed: it may read the number
# and clock rate of the processors from /proc and /sys when two threads first wait for one lock.
# Recorded on x86-64. On arm64, QEMU recorded no others for three images (a person, nobody, damaged)
# but setitimer, which the C library's alarm() calls there.
_SEEN: Final = (
    *("alarm", "brk", "clock_nanosleep", "close", "exit", "exit_group", "futex", "getpid"),
    *("gettid", "madvise", "munmap", "read", "rseq", "rt_sigaction", "rt_sigprocmask"),
    *("sched_getaffinity", "sched_getparam", "sched_getscheduler", "sched_yield"),
    *("set_robust_list", "setitimer", "write"),
)

# System calls that the C library makes with other kernels, clocks or versions, after a signal, and
# when it finds its heap corrupted.
_UNSEEN: Final = (
    *("clock_gettime", "getrandom", "gettimeofday", "mremap", "nanosleep", "restart_syscall"),
    *("rt_sigreturn", "sysinfo", "writev"),
)


class _Condition(NamedTuple):
    """A condition on an argument of a system call: `argument & bits == expected`."""

    argument: int
    bits: int
    expected: int


class _Architecture(NamedTuple):
    """A processor architecture: its constant in linux/audit.h and its system call numbers."""

    audit: int
    numbers: dict[str, int]


# Numbers on x86-64 and on arm64; None where a call doesn't exist or isn't needed.
_NUMBERS: Final[dict[str, tuple[int | None, int | None]]] = {
    "alarm": (37, None),
    "brk": (12, 214),
    "clock_gettime": (228, 113),
    "clock_nanosleep": (230, 115),
    "clone": (56, 220),
    "clone3": (435, 435),
    "close": (3, 57),
    "exit": (60, 93),
    "exit_group": (231, 94),
    "futex": (202, 98),
    "getpid": (39, 172),
    "getrandom": (318, 278),
    "gettid": (186, 178),
    "gettimeofday": (96, 169),
    "madvise": (28, 233),
    "mmap": (9, 222),
    "mprotect": (10, 226),
    "mremap": (25, 216),
    "munmap": (11, 215),
    "nanosleep": (35, 101),
    "read": (0, 63),
    "restart_syscall": (219, 128),
    "rseq": (334, 293),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "sched_getaffinity": (204, 123),
    "sched_getparam": (143, 121),
    "sched_getscheduler": (145, 120),
    "sched_yield": (24, 124),
    "seccomp": (317, 277),
    "set_robust_list": (273, 99),
    "setitimer": (None, 103),
    "sysinfo": (99, 179),
    "tgkill": (234, 131),
    "write": (1, 64),
    "writev": (20, 66),
}


def _architecture(audit: int, column: int) -> _Architecture:
    numbers = {name: row[column] for name, row in _NUMBERS.items()}
    return _Architecture(
        audit, {name: number for name, number in numbers.items() if number is not None}
    )


# By the kernel's name of the machine.
_ARCHITECTURES: Final = {
    "x86_64": _architecture(0xC000003E, 0),
    "aarch64": _architecture(0xC00000B7, 1),
}

_libc = ctypes.CDLL(None, use_errno=True)


def limit_resources(memory_bytes: int) -> None:
    """Limit the address space, and forbid writing files, core dumps and new privileges."""
    if sys.platform == "linux":  # not tried elsewhere
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def hide_from_children() -> None:
    """Keep processes of the same user from reading this one's memory and environment.

    Called by the parent, whose environment contains the credentials.
    """
    _prctl(_PR_SET_DUMPABLE, 0)


def end_with(parent: int) -> None:
    """Send SIGTERM to this process when its parent ends.

    Args:
        parent: the parent's process id; the parent may already have ended.
    """
    _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGTERM)


def refuse_system_calls() -> None:
    """Allow only the system calls that this process still needs, in all its threads.

    All others fail with EPERM.

    Raises:
        OSError: the kernel or the processor architecture is not supported.
    """
    machine = os.uname().machine
    if sys.platform != "linux" or machine not in _ARCHITECTURES:
        raise OSError(ENOSYS, f"no system call numbers for {sys.platform} on {machine}")
    architecture = _ARCHITECTURES[machine]
    _install(b"".join(_program(architecture)), architecture.numbers["seccomp"])


def _install(program: bytes, seccomp: int) -> None:
    buffer = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("HP", len(program) // _INSTRUCTION.size, ctypes.addressof(buffer))
    if _libc.syscall(seccomp, _SET_MODE_FILTER, _ALL_THREADS, header) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"seccomp: {os.strerror(number)}")


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux" and _libc.prctl(option, value, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"prctl {option}: {os.strerror(number)}")


def _checked() -> dict[str, tuple[_Condition, ...]]:
    """Return the system calls that are only allowed with certain arguments."""
    not_executable = _Condition(argument=2, bits=mmap.PROT_EXEC, expected=0)
    no_file = _Condition(3, mmap.MAP_ANONYMOUS, mmap.MAP_ANONYMOUS)
    return {
        "mmap": (not_executable, no_file),
        "mprotect": (not_executable,),
        "clone": (_Condition(0, _ALL_BITS, _THREAD_FLAGS),),
        "tgkill": (_Condition(0, _ALL_BITS, os.getpid()),),  # abort() signals itself
    }


def _program(architecture: _Architecture) -> Iterator[bytes]:
    """Yield the filter in classic BPF. Jumps count instructions from the next one."""
    numbers = architecture.numbers
    yield _instruction(_LOAD, _ARCHITECTURE)
    yield _instruction(_IF_EQUAL, architecture.audit, 1, 0)
    yield _instruction(_RETURN, _ERRNO | EPERM)
    yield _instruction(_LOAD, _NUMBER)
    for number in (numbers[name] for name in (*_SEEN, *_UNSEEN) if name in numbers):
        yield _instruction(_IF_EQUAL, number, 0, 1)
        yield _instruction(_RETURN, _ALLOW)
    for name, conditions in _checked().items():
        yield _instruction(_IF_EQUAL, numbers[name], 0, 3 * len(conditions) + 2)
        for left, condition in zip(range(len(conditions), 0, -1), conditions, strict=True):
            yield _instruction(_LOAD, _ARGUMENTS + 8 * condition.argument)
            yield _instruction(_AND, condition.bits)
            yield _instruction(_IF_EQUAL, condition.expected, 0, 3 * left - 2)
        yield _instruction(_RETURN, _ALLOW)
        yield _instruction(_RETURN, _ERRNO | EPERM)
    # A filter can't see the flags of clone3. With ENOSYS, glibc falls back to clone.
    yield _instruction(_IF_EQUAL, numbers["clone3"], 0, 1)
    yield _instruction(_RETURN, _ERRNO | ENOSYS)
    yield _instruction(_RETURN, _ERRNO | EPERM)


def _instruction(code: int, operand: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return _INSTRUCTION.pack(code, if_true, if_false, operand)
