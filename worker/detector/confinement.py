"""What the detector's process may not do, by the kernel's word.

Limits hold from the start, the system call filter from when the models are
loaded: from then on the process needs its two pipes, memory and time, and an
image that has taken it over gets nothing else. Linux on x86-64.
"""

import ctypes
import os
import resource
import signal
import struct
from collections.abc import Iterable
from typing import Final

# linux/prctl.h
_PR_SET_PDEATHSIG: Final = 1


_PR_SET_DUMPABLE: Final = 4


_PR_SET_NO_NEW_PRIVS: Final = 38


# linux/seccomp.h
_SYS_SECCOMP: Final = 317


_SET_MODE_FILTER: Final = 1


_ALL_THREADS: Final = 1  # SECCOMP_FILTER_FLAG_TSYNC


_ALLOW: Final = 0x7FFF0000


_ERRNO: Final = 0x00050000


_KILL: Final = 0x80000000


# linux/filter.h: load a word, jump if equal, jump if any bit is set, jump if greater
# or equal, return.
_LOAD: Final = 0x20


_IF_EQUAL: Final = 0x15


_IF_BITS: Final = 0x45


_IF_FROM: Final = 0x35


_RETURN: Final = 0x06


_INSTRUCTION: Final = struct.Struct("HBBI")


# Offsets in struct seccomp_data.
_NUMBER: Final = 0


_ARCHITECTURE: Final = 4


_FIRST_ARGUMENT: Final = 16


_X86_64: Final = 0xC000003E


_X32_FIRST_NUMBER: Final = 0x40000000


_CLONE_THREAD: Final = 0x00010000


_CLONE: Final = 56


_CLONE3: Final = 435


# asm/unistd_64.h. Files, sockets, other processes, and the kernel's odd corners.
_REFUSED: Final = {
    "open": 2,
    "shmget": 29,
    "socket": 41,
    "connect": 42,
    "socketpair": 53,
    "fork": 57,
    "vfork": 58,
    "execve": 59,
    "kill": 62,
    "shmat": 30,
    "rename": 82,
    "mkdir": 83,
    "creat": 85,
    "link": 86,
    "unlink": 87,
    "symlink": 88,
    "chmod": 90,
    "ptrace": 101,
    "mount": 165,
    "tkill": 200,
    "openat": 257,
    "mkdirat": 258,
    "unlinkat": 263,
    "renameat": 264,
    "linkat": 265,
    "symlinkat": 266,
    "unshare": 272,
    "prlimit64": 302,
    "open_by_handle_at": 304,
    "setns": 308,
    "process_vm_readv": 310,
    "process_vm_writev": 311,
    "renameat2": 316,
    "memfd_create": 319,
    "bpf": 321,
    "execveat": 322,
    "userfaultfd": 323,
    "io_uring_setup": 425,
    "pidfd_open": 434,
    "openat2": 437,
    "pidfd_getfd": 438,
}


_EPERM: Final = 1


_ENOSYS: Final = 38


_libc = ctypes.CDLL(None, use_errno=True)


def limit_resources(memory_bytes: int) -> None:
    """Bound memory, forbid files and core dumps, and give up the way to any privilege."""
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def hide_from_children() -> None:
    """Let no process of the same user read this one's memory and environment.

    For the parent: its environment holds the credentials.
    """
    _prctl(_PR_SET_DUMPABLE, 0)


def end_with(parent: int) -> None:
    """Have the kernel send SIGTERM here as soon as the process that started this one is gone.

    Args:
        parent: its id; it may be gone already.
    """
    _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGTERM)


def refuse_system_calls() -> None:
    """Refuse this process, all threads of it, everything that it needs no more.

    Raises:
        OSError: the kernel has no such filters.
    """
    program = b"".join(_program())
    buffer = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("HP", len(program) // _INSTRUCTION.size, ctypes.addressof(buffer))
    done = _libc.syscall(_SYS_SECCOMP, _SET_MODE_FILTER, _ALL_THREADS, header)
    if done != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"seccomp: {os.strerror(number)}")


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, value, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"prctl {option}: {os.strerror(number)}")


def _program() -> Iterable[bytes]:
    """The filter, in classic BPF: skips are counted in instructions from the next one."""
    pack = _INSTRUCTION.pack
    yield pack(_LOAD, 0, 0, _ARCHITECTURE)
    yield pack(_IF_EQUAL, 1, 0, _X86_64)
    yield pack(_RETURN, 0, 0, _KILL)
    yield pack(_LOAD, 0, 0, _NUMBER)
    yield pack(_IF_FROM, 0, 1, _X32_FIRST_NUMBER)
    yield pack(_RETURN, 0, 0, _KILL)
    for number in _REFUSED.values():
        yield pack(_IF_EQUAL, 0, 1, number)
        yield pack(_RETURN, 0, 0, _ERRNO | _EPERM)
    # glibc falls back from clone3, whose flags no filter can see, to clone.
    yield pack(_IF_EQUAL, 0, 1, _CLONE3)
    yield pack(_RETURN, 0, 0, _ERRNO | _ENOSYS)
    yield pack(_IF_EQUAL, 0, 3, _CLONE)
    yield pack(_LOAD, 0, 0, _FIRST_ARGUMENT)
    yield pack(_IF_BITS, 1, 0, _CLONE_THREAD)
    yield pack(_RETURN, 0, 0, _ERRNO | _EPERM)
    yield pack(_RETURN, 0, 0, _ALLOW)
