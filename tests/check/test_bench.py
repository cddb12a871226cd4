"""What `make bench` computes from its samples, and that its stand-in services are good enough."""

from collections.abc import Iterator, Mapping
from time import monotonic
from typing import Any

import boto3
import pytest

from bench.encodings import in_16_bits, sizes, units
from bench.figures import Figure, figures
from bench.items import item_bytes, value_bytes, write_units
from bench.local import BUCKET, LocalServices
from bench.programs.poller import poll
from bench.rounds import record
from landmarks.enums import LandmarkEncoding
from landmarks.errors import ObjectNotFoundError
from landmarks.job import Job
from tests.fakes import seen_person
from tests.infra.cloudformation import ROOT
from worker.model import ModelOptions
from worker.result import Result
from worker.s3 import ObjectReader
from worker.table import ResultsTable

KEY = "2026/a b+c é.jpg"
JOB = Job(BUCKET, KEY)
ITEM = {"object_key": {"S": "k" * 1000}, "bucket": {"S": "b"}}


class Samples(dict[str, list[float]]):
    """Three rounds of every sample; each took 100 unless the test says otherwise."""

    def __missing__(self, name: str) -> list[float]:
        """Three equal rounds."""
        return [100.0] * 3


def found(**samples: list[float]) -> dict[str, Figure]:
    """The figures of three rounds, by name."""
    return {figure.name: figure for figure in figures(Samples(samples), [ITEM])}


def test_ratios_compare_samples_of_the_same_round() -> None:
    """A round in which the machine is slow is slow for both sides."""
    over = found(worker_cpu_ms=[55, 220, 110], limit_cpu_ms=[50, 200, 100])["worker_over_limit"]

    assert over.value == pytest.approx(1.1)


def test_photos_without_people_have_no_figures_of_people() -> None:
    """A folder of photos need not show anybody."""
    names = found().keys()
    counted = found(everyone_cpu_ms=[150.0] * 3, alone_cpu_ms=[140.0] * 3)

    assert not names & {"people_over_ideal", "one_person_over_single"}
    assert counted["people_over_ideal"].value == pytest.approx(1.5)
    assert counted["one_person_over_single"].met


@pytest.mark.parametrize(
    ("name", "sample", "missed", "met"),
    [
        ("worker_over_limit", "worker_cpu_ms", 101.0, 99.0),
        ("worker_over_limit_complexity_0", "worker_complexity_0_cpu_ms", 98.0, 96.0),
        ("parent_cpu_ms", "worker_parent_cpu_ms", 2.6, 2.4),
        ("children_speedup", "hundred_two_children_wall_ms", 55.0, 54.0),
        ("baseline_over_worker_gb_seconds", "baseline_wall_ms", 400.0, 415.0),
    ],
)
def test_a_target_is_an_upper_or_a_lower_bound(
    name: str, sample: str, missed: float, met: float
) -> None:
    """Less is better for what is spent, more for what is gained."""
    assert not found(**{sample: [missed] * 3})[name].met
    assert found(**{sample: [met] * 3})[name].met


@pytest.mark.parametrize(
    ("number", "size"),
    [("0", 1), ("7", 2), ("0.5", 2), ("0.123456", 4), ("-0.123456", 5), ("1.5e-07", 2)],
)
def test_a_number_takes_a_byte_for_two_digits_and_one_more(number: str, size: int) -> None:
    """Zeros at either end and the exponent take nothing, a sign takes one."""
    assert value_bytes({"N": number}) == size


def test_lists_and_maps_take_three_bytes_and_one_for_each_element() -> None:
    """Two landmarks, by hand: 1 + 3 + 2 x (1 + 3 + 3 x (1 + 1 + 2))."""
    point: dict[str, Any] = {"M": {name: {"N": "0.5"} for name in "xyz"}}

    assert item_bytes({"g": {"L": [point, point]}}) == 36


def test_table_md_has_the_sizes_of_every_encoding() -> None:
    """Every row that follows from an item's bytes is in the page."""
    page = (ROOT / "docs" / "table.md").read_text("utf-8")

    assert [row for row in sizes() if f"| {' | '.join(row)} |" not in page] == []


def test_table_md_has_the_write_units_of_int16() -> None:
    """By what is found of a person, the length of the key, and where the job comes from."""
    page = " ".join((ROOT / "docs" / "table.md").read_text("utf-8").split())
    assert (
        "with keys of 24 to 79 bytes: with a face 8 → 4, and both hands 8 → 5 (24 bytes in a "
        "message: 4); pose only 2 → 2 (24 bytes, or 42 in a message: 1)." in page
    )

    for name, both_hands, one_hand, face, pose in units():
        fewer = name == "24 bytes, message"
        least = name.startswith("24 bytes") or name == "42 bytes, message"
        assert both_hands == f"8 → {4 if fewer else 5}"
        assert one_hand == face == "8 → 4"
        assert pose == f"2 → {1 if least else 2}"


@pytest.fixture
def near(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalServices]:
    """The stand-in services, for every client that the test creates."""
    with LocalServices() as services:
        for name, value in services.environment.items():
            monkeypatch.setenv(name, value)
        yield services


def test_the_stand_ins_answer_like_s3_and_dynamodb(near: LocalServices) -> None:
    """The worker reads an object, stores its result and finds it again."""
    near.put(KEY, b"content")
    reader = ObjectReader(boto3.client("s3"), max_image_bytes=1_000_000)
    table, other = ResultsTable("bench-results", ModelOptions()), Job(BUCKET, "other.jpg")

    with reader.open(JOB) as source:
        assert source
        assert source.read(monotonic() + 60) == b"content"
        table.save(Result(JOB, source.identity, seen_person()))
    with reader.open(JOB, unless_etag=source.identity.etag) as unchanged:
        assert unchanged is None
    with pytest.raises(ObjectNotFoundError), reader.open(other):
        pass

    stored = table.stored(JOB)
    assert stored
    assert table.stored_together([JOB, other]) == {
        JOB.object_name: stored,
        other.object_name: None,
    }
    (item,) = near.items()
    assert write_units(item) == 8
    assert write_units(in_16_bits(item)) == 4
    ResultsTable("bench-results", ModelOptions(), encoding=LandmarkEncoding.INT16).save(
        Result(JOB, source.identity, seen_person())
    )
    (small,) = near.items()
    assert item_bytes(in_16_bits(item)) == item_bytes(small)


class Listener:
    """A handler that keeps the ids of the messages it is given."""

    detectors_failing = False

    def __init__(self) -> None:
        """None yet."""
        self.ids: list[str] = []

    def handle(self, event: Mapping[str, Any], *_: object, **__: object) -> Mapping[str, Any]:
        """Keep the ids, and report no failure."""
        self.ids += [message["messageId"] for message in event["Records"]]
        return {"batchItemFailures": []}


def test_poller_empties_the_queue_in_memory() -> None:
    """Each message is handed over once."""
    handler, ids = Listener(), [f"{number}.jpg" for number in range(25)]

    poll(handler, [record(each) for each in ids], batches=2)

    assert sorted(handler.ids) == sorted(ids)
