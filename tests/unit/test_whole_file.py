"""Files that are there whole or not at all."""

import os
from pathlib import Path

import pytest

from landmarks.cli.atomic import FileBusyError, whole_file


def test_the_name_comes_last(tmp_path: Path) -> None:
    """Until the end there is only a part; then there is only the file."""
    file = tmp_path / "a"

    with whole_file(file) as part:
        part.write_text("whole")
        assert not file.exists()

    assert [(path, path.read_text()) for path in tmp_path.iterdir()] == [(file, "whole")]


@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit, OSError])
def test_what_does_not_get_done_was_never_there(tmp_path: Path, end: type[BaseException]) -> None:
    """What was there before is as it was."""
    file = tmp_path / "a"
    file.write_text("older")

    def write_half() -> None:
        with whole_file(file) as part:
            part.write_text("half")
            raise end

    with pytest.raises(end):
        write_half()

    assert [(path, path.read_text()) for path in tmp_path.iterdir()] == [(file, "older")]


def test_two_do_not_write_the_same_file(tmp_path: Path) -> None:
    """The second is refused, and the first goes on."""
    file = tmp_path / "a"

    with whole_file(file) as part:
        part.write_text("first")
        with pytest.raises(FileBusyError), whole_file(file):
            pass

    assert file.read_text() == "first"


def test_what_was_left_behind_is_in_nobodys_way(tmp_path: Path) -> None:
    """A part whose writer was killed is written over."""
    file = tmp_path / "a"
    (tmp_path / "a.part").write_text("of somebody who was killed, and longer")

    with whole_file(file) as part:
        part.write_text("whole")

    assert file.read_text() == "whole"
    assert not (tmp_path / "a.part").exists()


def test_a_symbolic_link_stays_one(tmp_path: Path) -> None:
    """The file behind it is replaced, and made if it is not there."""
    link = tmp_path / "link"
    link.symlink_to("a")

    with whole_file(link) as part:
        part.write_text("whole")

    assert link.is_symlink()
    assert (tmp_path / "a").read_text() == "whole"


def test_a_device_is_written_as_it_is() -> None:
    """A rename would put a file in its place."""
    with whole_file(Path(os.devnull)) as part:
        assert part == Path(os.devnull)
        part.write_text("whole")

    assert Path(os.devnull).is_char_device()
