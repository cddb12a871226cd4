"""Makes a detector crash, hang, exhaust its memory or answer nonsense for a marked image.

Never imported by the harness or the worker: `ambush.py` copies it as `sitecustomize.py` to a folder
in the run's PYTHONPATH. Every Python of the worker runs it at its start, and it waits for OpenCV,
which only detectors import.

A confined detector can open no file and start no process, so files are opened beforehand.
"""

import ctypes
import importlib.util
import mmap
import os
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any, Final, NoReturn

# Same as in files.py and ambush.py, which cannot be imported from here.
_MARK: Final = b"chaos-mark:"
_ONCE: Final = b"once"
_STATE: Final = Path(__file__).with_name("state")
_TIMES: Final = struct.Struct("<dd")

# After the harness has harmed a detector, flaky images behave for this long: an image that fails
# twice would rightly be stored as failed.
_RESPITE_SECONDS: Final = 16


def _spin() -> NoReturn:
    while True:
        pass


def _freeze() -> None:
    """Hold the GIL in native code, so that not even signal handlers run."""
    ctypes.PyDLL(None).sleep(1000)


def _hoard() -> None:
    hoard = []
    while True:
        hoard.append(bytearray(64 * 2**20))


def _spawn() -> None:
    """Try to leave a process behind."""
    with suppress(OSError):
        subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(1000)"])
    os.abort()


def _raise() -> NoReturn:
    raise RuntimeError("the image says so")


def _close(pipes: Sequence[int]) -> None:
    for descriptor in pipes:
        os.close(descriptor)
    time.sleep(1000)


def _babble(pipes: Sequence[int]) -> None:
    """Write nonsense to every pipe."""
    for descriptor in pipes:
        with suppress(OSError):
            os.write(descriptor, b"\xff" * 64)


def _open_pipes() -> list[int]:
    """The file descriptors of all pipes."""
    found = []
    for link in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            if str(link.readlink()).startswith("pipe:"):
                found.append(int(link.name))
    return found


class _Saboteur:
    """Sees images before OpenCV does."""

    def __init__(self) -> None:
        pipes = _open_pipes()
        with _STATE.open("rb+") as file:
            self._state = mmap.mmap(file.fileno(), 0)
        self._actions: Mapping[bytes, Callable[[], object]] = {
            b"segfault": lambda: ctypes.string_at(8),
            b"abort": os.abort,
            b"exit": lambda: os._exit(0),
            b"close": lambda: _close(pipes),
            b"raise": _raise,
            b"spawn": _spawn,
            b"spin": _spin,
            b"freeze": _freeze,
            b"stop": lambda: signal.raise_signal(signal.SIGSTOP),
            b"hoard": _hoard,
            b"babble": lambda: _babble(pipes),
        }

    def obey(self, content: bytes) -> None:
        """Do what the image's mark says, if it has one."""
        at = content.find(_MARK)
        if at < 0:
            return
        action, tries, number = content[at + len(_MARK) :].split(b":", 3)[:3]
        if tries != _ONCE or self._is_time(int(number)):
            self._remember(int(number))
            self._actions[action]()

    def _is_time(self, number: int) -> bool:
        harmed, _ = _TIMES.unpack_from(self._state)
        return not self._state[_TIMES.size + number] and time.time() - harmed > _RESPITE_SECONDS

    def _remember(self, number: int) -> None:
        harmed, _ = _TIMES.unpack_from(self._state)
        _TIMES.pack_into(self._state, 0, harmed, time.time())
        self._state[_TIMES.size + number] = 1


def _sabotage(cv2: ModuleType) -> None:
    saboteur, decode = _Saboteur(), cv2.imdecode

    def imdecode(encoded: Any, *options: Any) -> Any:  # noqa: ANN401, as OpenCV
        saboteur.obey(bytes(encoded))
        return decode(encoded, *options)

    cv2.imdecode = imdecode  # type: ignore[attr-defined]


class _Waiting:
    """Waits in `sys.meta_path` for OpenCV to be imported."""

    def find_spec(
        self, name: str, _path: Sequence[str] | None = None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != "cv2":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                execute(module)
                _sabotage(module)

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


if Path(__file__).name == "sitecustomize.py":
    sys.meta_path.insert(0, _Waiting())
