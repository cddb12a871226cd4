"""A file that has its name only once it is whole."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Where to write what is to be `path`: a file beside it, renamed at the end of the block.

    If the block ends otherwise, by Ctrl-C too, what was written is deleted, and what stood at
    `path` before is still there. A device or a pipe is written as it is.
    """
    if path.exists() and not path.is_file():
        yield path
        return
    final = path.resolve()  # behind a symbolic link, which stays one
    part = final.with_name(f"{final.name}.part")
    try:
        yield part
        part.replace(final)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
