"""Batches, files, durations and state of `landmarks enqueue`, without services."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import pytest

from landmarks.cli.enqueue import messages
from landmarks.cli.enqueue.messages import (
    BATCH_BYTES,
    START,
    Batch,
    Jobs,
    Message,
    Position,
    batched,
)
from landmarks.cli.enqueue.s3_sources import prefetched
from landmarks.cli.enqueue.sources import Entry, FileSource
from landmarks.cli.enqueue.state import State, Totals
from landmarks.cli.options import Duration, Place

NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)


@dataclass
class Listed:
    """A source of given entries; cursors are their positions, from 1."""

    found: list[Entry]
    asked_after: list[str] = field(default_factory=list)

    def entries(self, after: str) -> Iterator[Entry]:
        """See `Source.entries`."""
        self.asked_after.append(after)
        yield from self.found[int(after or 0) :]


def entries(count: int, key: str = "{}.jpg") -> list[Entry]:
    """Return this many entries."""
    return [Entry(key.format(number), str(number)) for number in range(1, count + 1)]


def read(*sources: Listed, start: Position = START) -> list[Batch]:
    """Return all batches of keys that end with `.jpg`."""
    return list(Jobs(sources, suffixes=(".jpg",)).batches(start))


def test_batches_hold_ten() -> None:
    """Twenty-five messages from two sources make three batches."""
    found = read(Listed(entries(12)), Listed(entries(13)))

    assert [len(batch.messages) for batch in found] == [10, 10, 5]
    assert [batch.position for batch in found] == [(0, "10"), (1, "8"), (1, "13")]


def test_batches_stay_within_what_sqs_takes() -> None:
    """Long messages make smaller batches, and none is lost."""
    found = read(Listed(entries(10, "{}" + "x" * 60_000 + ".jpg")))

    assert [len(batch.messages) for batch in found] == [4, 4, 2]
    assert all(batch.bytes <= BATCH_BYTES for batch in found)
    assert [batch.position.cursor for batch in found] == ["4", "8", "10"]


def test_what_is_not_sent_is_counted_in_order() -> None:
    """Invalid and skipped entries belong to the batch they were read with."""
    found = [Entry("a.txt", "1"), Entry("?", "2", error="no"), Entry("b.jpg", "3")]

    (batch,) = read(Listed([*found, Entry("c.txt", "4")]))

    assert (batch.skipped, batch.unsent, len(batch.messages)) == (2, [("?", "no")], 1)
    assert batch.position == (0, "4")


def test_the_position_moves_where_nothing_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Empty batches report the position if everything is skipped."""
    monkeypatch.setattr(messages, "_BATCH_ENTRIES", 4)

    found = read(Listed(entries(10, "{}.txt")))

    assert [(batch.skipped, batch.position.cursor) for batch in found] == [
        (4, "4"),
        (4, "8"),
        (2, "10"),
    ]


def test_reading_continues_after_a_position() -> None:
    """Reading resumes within a source and skips earlier sources."""
    sources = [Listed(entries(3)), Listed(entries(3)), Listed(entries(1))]

    (batch,) = read(*sources, start=Position(1, "2"))

    assert [source.asked_after for source in sources] == [[], ["2"], [""]]
    assert [message.key for message in batch.messages] == ["3.jpg", "1.jpg"]


def test_pending_messages_do_not_move_the_position() -> None:
    """Batches of pending messages have the position that was reached."""
    found = list(batched([Message(str(n)) for n in range(12)], Position(0, "99")))

    assert [len(batch.messages) for batch in found] == [10, 2]
    assert {batch.position for batch in found} == {Position(0, "99")}


def test_an_object_of_the_very_moment_is_wanted() -> None:
    """--since includes its own time, and objects without a date."""
    found = [
        Entry("a", "1", modified=NOW),
        Entry("b", "2", modified=NOW - timedelta(seconds=1)),
        Entry("c", "3"),
    ]

    (batch,) = Jobs([Listed(found)], since=NOW).batches()

    assert [message.key for message in batch.messages] == ["a", "c"]
    assert batch.skipped == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90s", timedelta(seconds=90)),
        ("15m", timedelta(minutes=15)),
        ("24h", timedelta(hours=24)),
        ("7d", timedelta(days=7)),
        ("2w", timedelta(weeks=2)),
    ],
)
def test_durations(text: str, expected: timedelta) -> None:
    """Durations from seconds to weeks work in all commands."""
    assert Duration().convert(text, None, None) == expected


@pytest.mark.parametrize("text", ["", "7", "7y", "-7d", "0d", "1.5h", "9999999999w"])
def test_what_is_not_a_duration_is_told_what_is(text: str) -> None:
    """The error gives examples; durations before the calendar are rejected, too."""
    with pytest.raises(click.BadParameter, match="such as 90s, 15m, 24h, 7d or 2w"):
        Duration().convert(text, None, None)


def test_prefetching_keeps_order_and_ends() -> None:
    """Items and errors come in order."""

    def broken() -> Iterator[int]:
        yield from range(3)
        raise LookupError

    assert list(prefetched(range(5))) == [0, 1, 2, 3, 4]
    items = prefetched(broken())
    assert [next(items), next(items)] == [0, 1]
    with pytest.raises(LookupError):
        list(items)


def test_a_folder_continues_after_any_of_its_files(tmp_path: Path) -> None:
    """After each cursor come exactly the files that follow it."""
    for name in ("b.jpg", "a/z.jpg", "a/deep/x.jpg", "a-c/y.jpg", "c/w.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    source = FileSource(tmp_path, Place("bucket", "new"))

    found = list(source.entries(""))

    assert [entry.key for entry in found] == [
        "new/b.jpg",
        "new/a/z.jpg",
        "new/a/deep/x.jpg",
        "new/a-c/y.jpg",
        "new/c/w.jpg",
    ]
    for number, entry in enumerate(found, 1):
        assert list(source.entries(entry.cursor)) == found[number:]


def test_what_is_not_a_file_is_an_error_of_its_own(tmp_path: Path) -> None:
    """Broken links, links to folders, pipes and invalid names are errors."""
    (tmp_path / "circle").symlink_to(tmp_path)
    (tmp_path / "itself.jpg").symlink_to(tmp_path / "itself.jpg")
    (tmp_path / "nowhere.jpg").symlink_to(tmp_path / "gone")
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / os.fsdecode(b"\xff.jpg")).touch()

    found = FileSource(tmp_path, Place("bucket", "")).entries("")

    assert {entry.cursor: entry.error for entry in found} == {
        "circle": "links to folders are not followed",
        "itself.jpg": "Too many levels of symbolic links",
        "nowhere.jpg": "No such file or directory",
        "pipe.jpg": "not a regular file",
        "\udcff.jpg": "the name is not UTF-8",
    }


def test_a_state_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    """Position, pending files and totals are restored, and no other file is left."""
    file = tmp_path / "state.json"
    state = State(
        {"sources": ["-"]},
        NOW.isoformat(),
        "unsent.jsonl",
        Position(1, 'é"\\ 1+1.jpg'),
        [Message("{}", "b", "k.jpg", Path("/a/k.jpg"), 7), Message("{}")],
        Totals(1, 2, 3),
    )

    state.save(file)

    assert State.load(file, {"sources": ["-"]}) == state
    assert list(tmp_path.iterdir()) == [file]
