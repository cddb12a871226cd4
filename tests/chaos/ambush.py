"""The folder in PYTHONPATH that has detectors obey marked images, and what it remembers.

Memory is shared with `saboteur.py` through a mapped file: a detector may open none any more.
"""

import mmap
import shutil
import struct
import time
from pathlib import Path
from typing import Final

# When the harness last harmed a detector, when an image last misbehaved (seconds since 1970), and
# a byte for each image that has. As in saboteur.py, which can't import it.
_TIMES: Final = struct.Struct("<dd")
_STATE_BYTES: Final = 2**18


class Ambush:
    """One folder, of one run."""

    def __init__(self, folder: Path) -> None:
        """Lay it."""
        self.folder = folder
        folder.mkdir()
        shutil.copy(Path(__file__).with_name("saboteur.py"), folder / "sitecustomize.py")
        with (folder / "state").open("wb+") as file:
            file.truncate(_STATE_BYTES)
            self._state = mmap.mmap(file.fileno(), _STATE_BYTES)

    def note_harm(self) -> None:
        """Now a detector is harmed: images that misbehave only once are to be good for a while."""
        _, misbehaved = _TIMES.unpack_from(self._state)
        _TIMES.pack_into(self._state, 0, time.time(), misbehaved)

    def quiet_seconds(self) -> float:
        """How long ago it is that an image misbehaved."""
        misbehaved: float = _TIMES.unpack_from(self._state)[1]
        return time.time() - misbehaved

    def misbehaved(self) -> int:
        """How many images have misbehaved."""
        return self._state[_TIMES.size :].count(1)

    def close(self) -> None:
        """Let go of the memory."""
        self._state.close()
