"""Batches, selection, estimate and state of `landmarks enqueue`, without any service."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from landmarks.cli.enqueue import batches
from landmarks.cli.enqueue.batches import (
    BATCH_BYTES,
    Batch,
    JobOptions,
    Message,
    Position,
    pending_batches,
    read_batches,
)
from landmarks.cli.enqueue.entries import (
    Entry,
    Found,
    OrderError,
    Refusal,
    Selection,
    moment_of,
    suffixes_of,
)
from landmarks.cli.enqueue.estimate import estimate
from landmarks.cli.enqueue.s3_sources import S3Url, prefetched
from landmarks.cli.enqueue.state import State, Tally

NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)


@dataclass
class Listed:
    """A source of what a test lists; cursors are the places in the list, from 1."""

    found: list[Found]
    dated: bool = True
    asked_after: list[str] = field(default_factory=list)

    def entries(self, after: str) -> Iterator[Found]:
        """See `Source`."""
        self.asked_after.append(after)
        yield from self.found[int(after or 0) :]


def entries(count: int, key: str = "{}.jpg") -> list[Found]:
    """So many entries."""
    return [Entry(key.format(number), str(number)) for number in range(1, count + 1)]


def read(*sources: Listed, start: Position | None = None) -> list[Batch]:
    """All batches of what is an image."""
    return list(read_batches(sources, Selection(), JobOptions(), start or Position()))


def test_batches_hold_ten() -> None:
    """Twenty-five messages of two sources are three batches, the last one smaller."""
    found = read(Listed(entries(12)), Listed(entries(13)))

    assert [len(batch.messages) for batch in found] == [10, 10, 5]
    assert [batch.position for batch in found] == [(0, "10"), (1, "8"), (1, "13")]


def test_batches_stay_within_what_sqs_takes() -> None:
    """Long bodies make smaller batches, and none gets lost."""
    found = read(Listed(entries(10, "{}" + "x" * 60_000 + ".jpg")))

    assert [len(batch.messages) for batch in found] == [4, 4, 2]
    assert all(batch.bytes <= BATCH_BYTES for batch in found)
    assert [batch.position.cursor for batch in found] == ["4", "8", "10"]


def test_what_is_not_sent_is_counted_with_the_batch_before_or_around_it() -> None:
    """Refused lines and unwanted entries ride along, in order."""
    found: list[Found] = [Entry("a.txt", "1"), Refusal("?", "no", "2"), Entry("b.jpg", "3")]

    (batch,) = read(Listed([*found, Entry("c.txt", "4")]))

    assert (batch.left_out, len(batch.refused), len(batch.messages)) == (2, 1, 1)
    assert batch.position == (0, "4")


def test_a_long_stretch_of_nothing_moves_the_position(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing is wanted, an empty batch comes now and then."""
    monkeypatch.setattr(batches, "_BATCH_ENTRIES", 4)

    found = read(Listed(entries(10, "{}.txt")))

    assert [(batch.left_out, batch.position.cursor) for batch in found] == [
        (4, "4"),
        (4, "8"),
        (2, "10"),
    ]


def test_reading_goes_on_behind_a_position() -> None:
    """Sources before it are not asked, its own goes on, later ones begin anew."""
    sources = [Listed(entries(3)), Listed(entries(3)), Listed(entries(1))]

    (batch,) = read(*sources, start=Position(1, "2"))

    assert [source.asked_after for source in sources] == [[], ["2"], [""]]
    assert [message.key for message in batch.messages] == ["3.jpg", "1.jpg"]


def test_pending_messages_do_not_move_the_position() -> None:
    """They come in batches of ten at the position that was reached."""
    messages = [Message(str(number)) for number in range(12)]

    found = list(pending_batches(messages, Position(0, "99")))

    assert [len(batch.messages) for batch in found] == [10, 2]
    assert {batch.position for batch in found} == {Position(0, "99")}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("7d", NOW - timedelta(days=7)),
        ("90m", NOW - timedelta(minutes=90)),
        ("12h", NOW - timedelta(hours=12)),
        ("2w", NOW - timedelta(weeks=2)),
        ("2026-01-31", datetime(2026, 1, 31, tzinfo=UTC)),
        ("2026-01-31T10:00", datetime(2026, 1, 31, 10, tzinfo=UTC)),
        ("2026-01-31T10:00+02:00", datetime(2026, 1, 31, 10, tzinfo=timezone(timedelta(hours=2)))),
    ],
)
def test_moments(text: str, expected: datetime) -> None:
    """Durations reach back, dates are UTC unless they say otherwise."""
    assert moment_of(text, NOW) == expected


@pytest.mark.parametrize("text", ["", "7", "7y", "-7d", "tomorrow", "2026-13-01"])
def test_no_moments(text: str) -> None:
    """Anything else is an error."""
    with pytest.raises(ValueError, match=r"isoformat|month"):
        moment_of(text, NOW)


def test_an_entry_of_the_very_moment_is_wanted() -> None:
    """Since includes its moment; what is older, and only that, is left out."""
    selection = Selection((), NOW)

    assert selection.wants(Entry("a", "", modified=NOW))
    assert not selection.wants(Entry("a", "", modified=NOW - timedelta(seconds=1)))


def test_suffixes_need_no_dot() -> None:
    """People write them with and without, in any case."""
    assert suffixes_of(["jpg", ".PNG", "_final.jpg"]) == (".jpg", ".png", "_final.jpg")


@pytest.mark.parametrize("text", ["", "s3://", "s3:///key", "https://b/key", "bucket/key"])
def test_no_s3_urls(text: str) -> None:
    """What names no bucket is refused."""
    with pytest.raises(OrderError):
        S3Url.parse(text)


def test_s3_urls_are_literal() -> None:
    """Nothing in a key is decoded."""
    assert S3Url.parse("s3://b/a%20+?#/é") == S3Url("b", "a%20+?#/é")


def test_a_million_messages_cost_what_the_list_says() -> None:
    """A request for ten small messages, and one more for each begun 64 KiB of larger ones."""
    small = Batch(Position(), [Message("x" * 100)] * 10, bytes=1_000)
    large = Batch(Position(), [Message("x" * 20_000)] * 10, bytes=200_000)

    assert estimate([small] * 100_000).sqs_dollars == pytest.approx(0.04)
    assert estimate([large]).sqs_requests == 4


def test_prefetching_keeps_order_and_ends() -> None:
    """All items in order, and errors where they belong."""

    def broken() -> Iterator[int]:
        yield from range(3)
        raise LookupError

    assert list(prefetched(range(5))) == [0, 1, 2, 3, 4]
    items = prefetched(broken())
    assert [next(items), next(items)] == [0, 1]
    with pytest.raises(LookupError):
        list(items)


def test_a_state_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    """Position, pending files and tally survive the file; no other file stays."""
    file = tmp_path / "state.json"
    state = State(
        {"sources": ["-"]},
        NOW.isoformat(),
        "unsent.jsonl",
        Position(1, 'é"\\ 1+1.jpg'),
        [Message("{}", "b", "k.jpg", Path("/a/k.jpg"), 7), Message("{}")],
        Tally(1, 2, 3, 4),
    )

    state.save(file)

    assert State.load(file, {"sources": ["-"]}) == state
    assert list(tmp_path.iterdir()) == [file]
