"""What marked images do to a detector: they crash, hang, hoard, babble.

Never imported by the harness or by the worker. `ambush.py` copies it, as `sitecustomize.py`, to a
folder of the run that stands in PYTHONPATH: every Python of the worker runs it at its start, and it
waits for OpenCV, which only detectors import. So nothing in the product knows of it.

A detector at work may open no file and start no process: what needs that is done beforehand.
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

# As in files.py and ambush.py, which can't be imported from here.
_MARK: Final = b"chaos-mark:"
_ONCE: Final = b"once"
_STATE: Final = Path(__file__).with_name("state")
_TIMES: Final = struct.Struct("<dd")

# After the harness has harmed a detector, an image that misbehaves only once is good for so long:
# two misfortunes at a time would rightly fail it.
_RESPITE_SECONDS: Final = 16


def _spin() -> NoReturn:
    while True:
        pass


def _freeze() -> None:
    """Hold the interpreter's lock in native code, so that not even a signal's handler runs."""
    ctypes.PyDLL(None).sleep(1000)


def _hoard() -> None:
    hoard = []
    while True:
        hoard.append(bytearray(64 * 2**20))


def _spawn() -> None:
    """Leave a process behind, if that can be done."""
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
    """Answer what no detector would, on every pipe that takes it."""
    for descriptor in pipes:
        with suppress(OSError):
            os.write(descriptor, b"\xff" * 64)


def _open_pipes() -> list[int]:
    """All pipes that this process has."""
    found = []
    for link in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            if str(link.readlink()).startswith("pipe:"):
                found.append(int(link.name))
    return found


class _Saboteur:
    """Looks at images before OpenCV does."""

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
        """Do what the image says, if it says anything."""
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

    def imdecode(encoded: Any, *options: Any) -> Any:  # noqa: ANN401, OpenCV's own
        saboteur.obey(bytes(encoded))
        return decode(encoded, *options)

    cv2.imdecode = imdecode  # type: ignore[attr-defined]


class _Waiting:
    """Waits in `sys.meta_path` for OpenCV to be imported, once."""

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
