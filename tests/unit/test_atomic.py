"""Atomic file writes."""

import os
from pathlib import Path

import pytest

from landmarks.cli.atomic import FileBusyError, atomic_write


def test_a_file_appears_at_the_end(tmp_path: Path) -> None:
    """First only the temporary file exists, then only the final one."""
    file = tmp_path / "a"

    with atomic_write(file) as part:
        part.write_text("whole")
        assert not file.exists()

    assert [(path, path.read_text()) for path in tmp_path.iterdir()] == [(file, "whole")]


@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit, OSError])
def test_an_interrupted_write_changes_nothing(tmp_path: Path, end: type[BaseException]) -> None:
    """However the block is interrupted, the existing file is unchanged."""
    file = tmp_path / "a"
    file.write_text("older")

    def write_half() -> None:
        with atomic_write(file) as part:
            part.write_text("half")
            raise end

    with pytest.raises(end):
        write_half()

    assert [(path, path.read_text()) for path in tmp_path.iterdir()] == [(file, "older")]


def test_two_commands_do_not_write_the_same_file(tmp_path: Path) -> None:
    """The second one fails, and the first is not disturbed."""
    file = tmp_path / "a"

    with atomic_write(file) as part:
        part.write_text("first")
        with pytest.raises(FileBusyError), atomic_write(file):
            pass

    assert file.read_text() == "first"


def test_a_killed_command_blocks_nobody(tmp_path: Path) -> None:
    """A temporary file left behind is overwritten."""
    file = tmp_path / "a"
    (tmp_path / "a.part").write_text("left behind, and longer")

    with atomic_write(file) as part:
        part.write_text("whole")

    assert file.read_text() == "whole"
    assert not (tmp_path / "a.part").exists()


def test_a_symbolic_link_is_kept(tmp_path: Path) -> None:
    """The link's target is replaced or created."""
    link = tmp_path / "link"
    link.symlink_to("a")

    with atomic_write(link) as part:
        part.write_text("whole")

    assert link.is_symlink()
    assert (tmp_path / "a").read_text() == "whole"


def test_a_device_is_written_directly() -> None:
    """A rename would replace the device with a file."""
    with atomic_write(Path(os.devnull)) as part:
        assert part == Path(os.devnull)
        part.write_text("whole")

    assert Path(os.devnull).is_char_device()
