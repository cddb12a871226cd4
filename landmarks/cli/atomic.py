"""A file that has its name only once it is whole."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from landmarks.errors import LandmarkError


class FileBusyError(LandmarkError):
    """Raised when somebody else is writing the same file."""

    code = "FILE_BUSY"


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Where to write what is to be `path`: a file beside it, renamed at the end of the block.

    If the block ends otherwise, by Ctrl-C too, what was written is deleted, and what stood at
    `path` before is still there. A device or a pipe is written as it is.

    Raises:
        FileBusyError: another process is writing the same file in this way.
        OSError: it can't be written there.
    """
    if path.exists() and not path.is_file():
        yield path
        return
    final = path.resolve()  # behind a symbolic link, which stays one
    part = final.with_name(f"{final.name}.part")
    with _locked(part):
        try:
            yield part
            part.replace(final)
        except BaseException:
            part.unlink(missing_ok=True)
            raise


@contextmanager
def _locked(part: Path) -> Iterator[None]:
    """The lock ends with the process, however that ends: a file left behind is in nobody's way."""
    with part.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise FileBusyError(f"{part}: another command is writing it") from error
        yield
