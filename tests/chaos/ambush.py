"""The folder in PYTHONPATH that makes detectors obey marked images, and its state.

The state is shared with `saboteur.py` in a mapped file: a detector cannot open files later.
"""

import mmap
import shutil
import struct
import time
from pathlib import Path
from typing import Final

# When the harness last harmed a detector, when an image last misbehaved (seconds since 1970); then
# a byte for each image that has misbehaved. Same as in saboteur.py, which cannot import it.
_TIMES: Final = struct.Struct("<dd")
_STATE_BYTES: Final = 2**18


class Ambush:
    """The folder of one run."""

    def __init__(self, folder: Path) -> None:
        """Create it."""
        self.folder = folder
        folder.mkdir()
        shutil.copy(Path(__file__).with_name("saboteur.py"), folder / "sitecustomize.py")
        with (folder / "state").open("wb+") as file:
            file.truncate(_STATE_BYTES)
            self._state = mmap.mmap(file.fileno(), _STATE_BYTES)

    def note_harm(self) -> None:
        """Note that a detector is being harmed: for a while flaky images behave."""
        _, misbehaved = _TIMES.unpack_from(self._state)
        _TIMES.pack_into(self._state, 0, time.time(), misbehaved)

    def quiet_seconds(self) -> float:
        """Seconds since an image last misbehaved."""
        misbehaved: float = _TIMES.unpack_from(self._state)[1]
        return time.time() - misbehaved

    def misbehaved(self) -> int:
        """The number of images that have misbehaved."""
        return self._state[_TIMES.size :].count(1)

    def close(self) -> None:
        """Unmap the state."""
        self._state.close()
