"""Files that appear whole or not at all."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from landmarks.errors import LandmarkError


class FileBusyError(LandmarkError):
    """Raised when another process is writing the same file."""

    code = "FILE_BUSY"


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield the path of a temporary file that replaces `path` when the block ends.

    If the block raises (on Ctrl-C, too), the temporary file is deleted and `path` stays as it
    was. A device or a pipe can't be replaced: it is yielded itself.

    Raises:
        FileBusyError: another process is writing the same file.
        OSError: the file can't be written.
    """
    if path.exists() and not path.is_file():
        yield path
        return
    final = path.resolve()  # a symbolic link is kept, and what it points to is replaced
    part = final.with_name(f"{final.name}.part")
    # The lock ends with the process: a file that a killed one left behind blocks nobody.
    with part.open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise FileBusyError(f"{part}: another command is writing it") from error
        try:
            yield part
            part.replace(final)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
