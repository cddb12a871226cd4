"""Atomic file writes, and the rule that they replace nothing by accident."""

import fcntl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from landmarks.cli.advice import WrongCallError
from landmarks.errors import LandmarkError


class FileBusyError(LandmarkError):
    """Raised when another process is writing the same file."""

    code = "FILE_BUSY"


def refuse_existing(paths: Iterable[Path], advice: str = "use --force to replace it") -> None:
    """Check that nothing would be replaced. Devices and pipes are no files.

    Raises:
        WrongCallError: one of the files exists.
    """
    for path in paths:
        if path.is_file():
            raise WrongCallError(f"{path} already exists: {advice}")


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield the path of a temporary file that replaces `path` when the block ends.

    If the block raises, also on Ctrl-C, the temporary file is deleted and `path` is unchanged.
    Devices and pipes can't be replaced, so `path` itself is yielded.

    Raises:
        FileBusyError: another process is writing the same file.
        OSError: the file can't be written.
    """
    if path.exists() and not path.is_file():
        yield path
        return
    final = path.resolve()  # keep a symbolic link, and replace its target
    part = final.with_name(f"{final.name}.part")
    # The lock ends with the process, so a file left behind by a killed process blocks nothing.
    with part.open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise FileBusyError(f"{part}: another command is writing this file") from error
        try:
            yield part
            part.replace(final)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
