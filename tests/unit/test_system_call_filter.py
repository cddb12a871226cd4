"""The detector's system call filter for each processor, as the kernel would run it."""

import os
import re
import struct
from errno import ENOSYS, EPERM
from pathlib import Path

import pytest

from worker.detector import confinement

ALLOW = confinement._ALLOW
ARCHITECTURES = confinement._ARCHITECTURES
X86_64, ARM64 = ARCHITECTURES["x86_64"], ARCHITECTURES["aarch64"]
LISTED = {*confinement._SEEN, *confinement._UNSEEN}

# Debian's linux-libc-dev installs both, whatever the processor. ARM's kernel has generic numbers.
HEADERS = {
    "x86_64": ("x86_64-linux-gnu/asm/unistd_64.h", "asm/unistd_64.h"),
    "aarch64": ("asm-generic/unistd.h",),
}

THREAD = 0x3D0F00  # the flags of pthread_create
FORK = 17  # SIGCHLD
READ_WRITE, EXECUTE = 3, 4
PRIVATE, ANONYMOUS = 2, 0x20


def verdict(machine: str, call: str | int, *arguments: int, audit: int | None = None) -> int:
    """Interpret the filter of a processor; returns its answer to a system call."""
    architecture = ARCHITECTURES[machine]
    number = architecture.numbers[call] if isinstance(call, str) else call
    padded = [*arguments, 0, 0, 0, 0, 0, 0][:6]
    data = struct.pack("<IIQ6Q", number, audit or architecture.audit, 0, *padded)
    instructions = b"".join(confinement._program(architecture))
    program: list[tuple[int, int, int, int]] = list(struct.iter_unpack("HBBI", instructions))
    accumulator, place = 0, 0
    while True:
        code, if_true, if_false, operand = program[place]
        place += 1
        if code == confinement._LOAD:
            (accumulator,) = struct.unpack_from("<I", data, operand)
        elif code == confinement._AND:
            accumulator &= operand
        elif code == confinement._IF_EQUAL:
            place += if_true if accumulator == operand else if_false
        else:
            assert code == confinement._RETURN
            return operand


def refusal(number: int) -> int:
    """The filter's answer that makes a call fail with an error number."""
    return confinement._ERRNO | number


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_numbers_are_those_of_the_kernel(machine: str) -> None:
    """Each number is that of linux/unistd.h."""
    paths = [Path("/usr/include", name) for name in HEADERS[machine]]
    header = next((path for path in paths if path.exists()), None)
    if header is None:
        pytest.skip("there are no kernel headers: `apt-get install linux-libc-dev` on Debian")
    text = header.read_text(encoding="ascii")
    defined = re.findall(r"^#define __NR(?:3264)?_(\w+)\s+(\d+)$", text, re.MULTILINE)

    numbers = ARCHITECTURES[machine].numbers

    assert numbers == {name: int(number) for name, number in defined if name in numbers}


def test_only_the_timer_differs() -> None:
    """Every other listed call has a number on both processors."""
    assert LISTED - X86_64.numbers.keys() == {"setitimer"}
    assert LISTED - ARM64.numbers.keys() == {"alarm"}


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_only_what_is_listed_gets_through(machine: str) -> None:
    """Of all numbers, with arguments that fail all checks, exactly the listed ones are allowed."""
    numbers = ARCHITECTURES[machine].numbers

    answers = {number: verdict(machine, number, *[2**64 - 1] * 6) for number in range(500)}

    allowed = {number for number, answer in answers.items() if answer == ALLOW}
    assert allowed == {numbers[name] for name in LISTED & numbers.keys()}
    assert answers.pop(numbers["clone3"]) == refusal(ENOSYS)
    assert set(answers.values()) == {ALLOW, refusal(EPERM)}


@pytest.mark.parametrize("machine", ARCHITECTURES)
@pytest.mark.parametrize(
    ("name", "arguments", "allowed"),
    [
        ("mmap", (0, 4096, READ_WRITE, PRIVATE | ANONYMOUS), True),
        ("mmap", (0, 4096, READ_WRITE, PRIVATE), False),
        ("mmap", (0, 4096, READ_WRITE | EXECUTE, PRIVATE | ANONYMOUS), False),
        ("mprotect", (0, 4096, READ_WRITE), True),
        ("mprotect", (0, 4096, READ_WRITE | EXECUTE), False),
        ("clone", (THREAD,), True),
        ("clone", (FORK,), False),
        ("tgkill", (1, 1, 0), False),
        ("tgkill", (os.getpid(), 1, 6), True),
    ],
)
def test_arguments_are_checked(
    machine: str,
    name: str,
    arguments: tuple[int, ...],
    allowed: bool,  # noqa: FBT001, a parameter of the test
) -> None:
    """No mapped files, no new executable memory, only threads, and signals only to itself."""
    assert (verdict(machine, name, *arguments) == ALLOW) is allowed


@pytest.mark.parametrize(
    ("machine", "other"),
    [("x86_64", ARM64.audit), ("aarch64", X86_64.audit), ("aarch64", 0x40000028)],
    ids=["x86-64", "arm64", "32-bit ARM"],
)
def test_calls_by_the_numbers_of_another_processor_are_refused(machine: str, other: int) -> None:
    """Nothing is allowed, not even exit."""
    answers = {verdict(machine, number, audit=other) for number in range(500)}

    assert answers == {refusal(EPERM)}
