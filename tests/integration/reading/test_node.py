"""The JavaScript example reads what Python reads."""

import numpy as np
import pytest

from landmarks import LandmarkTable
from landmarks.enums import LandmarkEncoding
from landmarks.errors import TooManyPixelsError
from landmarks.groups import GROUPS, Landmarks
from tests.fakes import seen_nobody, seen_people
from tests.integration.reading.conftest import Save
from tests.integration.reading.node import EXAMPLE, install, read_in_node, run_node, try_node
from worker.result import Detection
from worker.table import ResultsTable

pytestmark = pytest.mark.parametrize("dynamodb", ["dynalite"], indirect=True)

KEY = "fotos/Zürich 1+1/été.jpg"


def doubles(array: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> str:
    """Return the numbers as the bytes of double-precision floats."""
    return array.astype("<f8").tobytes().hex()


@pytest.mark.parametrize("encoding", LandmarkEncoding)
def test_node_reads_the_numbers_that_python_reads(written: ResultsTable, save: Save) -> None:
    """All groups, in every encoding, and all other attributes are equal."""
    save(KEY)
    result = LandmarkTable(written.item.Meta.table_name).get(KEY)
    assert result is not None

    (item,) = read_in_node(written.item.Meta.table_name, KEY)

    for group, array in result.landmarks.found():
        assert item.pop(group.name) == doubles(array)
    as_python_has_it = result.to_json()
    assert item["model"].items() <= as_python_has_it["model"].items()  # int16: not the defaults
    as_python_has_it["model"] = item["model"]
    assert item == {name: as_python_has_it[name] for name in item}
    assert item.keys() | {group.name for group in GROUPS} == as_python_has_it.keys()


@pytest.mark.parametrize("max_people", [8])
@pytest.mark.parametrize("encoding", LandmarkEncoding)
def test_node_reads_the_people_that_python_reads(written: ResultsTable, save: Save) -> None:
    """Everybody's groups, box and score."""
    save(KEY, outcome=seen_people())
    result = LandmarkTable(written.item.Meta.table_name).get(KEY)
    assert result is not None

    (item,) = read_in_node(written.item.Meta.table_name, KEY)

    _, *others = result.people
    as_python_has_them = result.to_json()["other_people"]
    assert len(item["other_people"]) == len(others) == 2
    for read, person, expected in zip(
        item["other_people"], others, as_python_has_them, strict=True
    ):
        groups = {group.name: doubles(array) for group, array in person.landmarks.found()}
        assert read == expected | groups


@pytest.mark.parametrize("max_people", [8])
def test_everybodys_left_wrist_is_printed(written: ResultsTable, save: Save) -> None:
    """The example's second program prints a line for each person."""
    save(KEY, "a", outcome=seen_people())
    (seen,) = LandmarkTable(written.item.Meta.table_name).query(KEY)

    printed = run_node(install(EXAMPLE) / "left-wrist.mjs", written.item.Meta.table_name, KEY)

    wrists = [person.pose["left_wrist"] for person in seen.people if person.pose]
    assert printed.splitlines() == [
        f"a: left wrist at {w.x * 640:.0f}, {w.y * 480:.0f}, visibility {w.visibility:.2f}"
        for w in wrists
    ]


def test_node_reads_extreme_numbers(written: ResultsTable, save: Save) -> None:
    """Negative zero and the smallest and largest numbers are unchanged."""
    limits = np.finfo(np.float32)
    edges = np.resize(
        np.array([-0.0, limits.smallest_subnormal, limits.max, limits.min, 1 / 3], np.float32),
        (33, 4),
    )
    save(KEY, outcome=Detection(Landmarks(pose_landmarks=edges), 64, 64, "png"))

    (item,) = read_in_node(written.item.Meta.table_name, KEY)

    assert item["pose_landmarks"] == doubles(edges)


def test_node_reads_items_without_landmarks(written: ResultsTable, save: Save) -> None:
    """The items of a key are returned in order of bucket, without groups."""
    save(KEY, "a", seen_nobody())
    save(KEY, "b", TooManyPixelsError("64000000 pixels"))

    nobody, failed = read_in_node(written.item.Meta.table_name, KEY)

    assert (nobody["bucket"], nobody["status"]) == ("a", "not_detected")
    assert (failed["status"], failed["error_code"]) == ("failed", "TOO_MANY_PIXELS")
    assert not {group.name for group in GROUPS} & (nobody.keys() | failed.keys())


def test_left_wrist_is_printed_where_python_sees_it(written: ResultsTable, save: Save) -> None:
    """The example's second program prints the same pixels as Python."""
    save(KEY, "a")
    save(KEY, "b", seen_nobody())
    seen, _ = LandmarkTable(written.item.Meta.table_name).query(KEY)
    assert seen.pose is not None
    wrist = seen.pose["left_wrist"]

    printed = run_node(install(EXAMPLE) / "left-wrist.mjs", written.item.Meta.table_name, KEY)

    place = f"{wrist.x * 640:.0f}, {wrist.y * 480:.0f}, visibility {wrist.visibility:.2f}"
    assert printed.splitlines() == [f"a: left wrist at {place}", "b: not_detected"]


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        ([], 2, "usage: node left-wrist.mjs TABLE KEY"),
        (["results"], 2, "usage: node left-wrist.mjs TABLE KEY"),
        (["nowhere", KEY], 1, "table nowhere: Requested resource not found"),
        (["RESULTS", "other.jpg"], 1, "table RESULTS has no result for other.jpg"),
    ],
    ids=["nothing", "no key", "no table", "no result"],
)
def test_what_is_missing_is_said_in_one_line(
    arguments: list[str], status: int, said: str, written: ResultsTable
) -> None:
    """An argument, the table or the key; the exit status is not zero."""
    table = written.item.Meta.table_name
    program = install(EXAMPLE) / "left-wrist.mjs"

    ran = try_node(program, *(argument.replace("RESULTS", table) for argument in arguments))

    assert (ran.returncode, ran.stdout) == (status, "")
    assert ran.stderr == f"{said.replace('RESULTS', table)}\n"


def test_no_region_is_said_in_one_line(
    written: ResultsTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing that the SDK reports ends in a stack trace."""
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    table = written.item.Meta.table_name

    ran = try_node(install(EXAMPLE) / "left-wrist.mjs", table, KEY)

    assert (ran.returncode, ran.stderr) == (1, f"table {table}: Region is missing\n")
