"""`docs/vector.json` and the readers: Python, and the examples in JavaScript, Go and Java."""

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import pytest
from jsonschema import Draft202012Validator

from docs import vector
from landmarks import LandmarkTable
from landmarks.enums import LandmarkEncoding
from landmarks.groups import GROUPS
from landmarks.result import LandmarkResult
from tests.integration.reading.node import EXAMPLE, ROOT, read_in_node
from worker.table import ResultsTable

VECTOR = json.loads((ROOT / "docs" / "vector.json").read_text("utf-8"))
_RUN_SECONDS = 600  # ends a hung test

# Programs for the tests around the examples, and their compilers.
READERS = {"go": "main.go", "javac": "Main.java"}


def float32(numbers: list[float]) -> list[float]:
    """Numbers of the file as float32, in double precision."""
    return [float(number) for number in np.array(numbers, np.float32)]


def people(encoding: LandmarkEncoding) -> list[dict[str, list[float]]]:
    """Each person's numbers by group."""
    everyone: list[dict[str, list[float]]] = VECTOR[encoding]["people"]
    return [{name: float32(numbers) for name, numbers in one.items()} for one in everyone]


def stored_people(encoding: LandmarkEncoding) -> list[Mapping[str, Any]]:
    """Each person's attributes in DynamoDB's JSON."""
    item = VECTOR[encoding]["item"]
    return [item, *(other["M"] for other in item["other_people"]["L"])]


def test_the_file_is_what_the_encoder_writes() -> None:
    """`make docs` would not change it."""
    assert (ROOT / "docs" / "vector.json").read_text("utf-8") == vector.text()


@pytest.mark.parametrize("encoding", LandmarkEncoding)
def test_items_of_the_vector_are_as_the_schema_says(encoding: LandmarkEncoding) -> None:
    """And without unknown attributes."""
    schema = json.loads((ROOT / "docs" / "item.schema.json").read_text("utf-8"))
    item = VECTOR[encoding]["item"]

    assert not list(Draft202012Validator(schema).iter_errors(item))
    assert item.keys() <= schema["properties"].keys()


@pytest.mark.parametrize(
    ("encoding", "step"),
    [
        (LandmarkEncoding.BINARY, 0),
        (LandmarkEncoding.INT16, 1 / 4096),
        (LandmarkEncoding.MAPS, 1e-6),
    ],
)
def test_numbers_are_those_of_the_people_to_half_a_step(
    encoding: LandmarkEncoding, step: float
) -> None:
    """The file does not only agree with its own decoder."""
    for numbers, person in zip(people(encoding), vector.people(), strict=True):
        found = {group.name: array for group, array in person.found()}
        assert numbers.keys() == found.keys()
        for name, array in found.items():
            moved = np.array(numbers[name]) - array.ravel().astype(float)
            assert np.abs(moved).max() <= step / 2 + 1e-7 * bool(step)


@pytest.mark.parametrize("encoding", LandmarkEncoding)
def test_python_reads_the_vector(encoding: LandmarkEncoding) -> None:
    """To the last bit, for everyone."""
    result = LandmarkResult.from_stream(VECTOR[encoding]["item"])

    assert result
    assert [
        {group.name: array.astype(float).ravel().tolist() for group, array in one.landmarks.found()}
        for one in result.people
    ] == people(encoding)


@pytest.mark.parametrize("dynamodb", ["dynalite"], indirect=True)
@pytest.mark.parametrize("encoding", LandmarkEncoding)
def test_javascript_reads_the_vector(encoding: LandmarkEncoding, written: ResultsTable) -> None:
    """To the last bit, for everyone, from a table."""
    table = written.item.Meta.table_name
    item = VECTOR[encoding]["item"]
    result = LandmarkResult.from_stream(item)
    assert result
    boto3.client("dynamodb").put_item(TableName=table, Item=dict(result._attributes))
    assert LandmarkTable(table).get(result.key)

    (read,) = read_in_node(table, result.key)

    names = [group.name for group in GROUPS]
    assert [
        {
            name: np.frombuffer(bytes.fromhex(one[name]), "<f8").tolist()
            for name in names
            if name in one
        }
        for one in (read, *read["other_people"])
    ] == people(encoding)


@pytest.fixture(scope="module", params=READERS)
def reader(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Sequence[str]:
    """The command of a compiled reader. A language without its compiler is skipped."""
    if shutil.which(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    folder = tmp_path_factory.mktemp("reader")
    shutil.copy(Path(__file__).parent / "readers" / READERS[request.param], folder)
    if request.param == "go":
        (folder / "go.mod").write_text("module reader\n")
        (folder / "landmarks").mkdir()
        shutil.copy(EXAMPLE / "landmarks.go", folder / "landmarks")
        build, run = ["go", "build", "-o", "reader", "."], [str(folder / "reader")]
    else:
        shutil.copy(EXAMPLE / "Landmarks.java", folder)
        build = ["javac", "-Xlint:all", "-Werror", "Main.java", "Landmarks.java"]
        run = ["java", "-cp", str(folder), "Main"]
    subprocess.run(build, cwd=folder, check=True, timeout=_RUN_SECONDS)
    return run


def line(group: str, value: Mapping[str, Any], encoding: str) -> str:
    """A group as the readers take it."""
    if "B" in value:
        return f"{group} {encoding} {value['B']}\n"
    columns = ("x", "y", "z", "visibility")
    points = [
        [each["M"][name]["N"] for name in columns if name in each["M"]] for each in value["L"]
    ]
    return f"{group} {encoding} {';'.join(','.join(point) for point in points)}\n"


def run(reader: Sequence[str], lines: str) -> list[str]:
    """What a reader prints."""
    printed = subprocess.run(
        reader, input=lines, capture_output=True, text=True, timeout=_RUN_SECONDS, check=True
    ).stdout
    return printed.splitlines()


@pytest.mark.parametrize("encoding", LandmarkEncoding)
def test_go_and_java_read_the_vector(encoding: LandmarkEncoding, reader: Sequence[str]) -> None:
    """To the last bit, for everyone."""
    for stored, expected in zip(stored_people(encoding), people(encoding), strict=True):
        lines = "".join(line(name, stored[name], encoding) for name in expected)
        read = [[float(number) for number in row.split()] for row in run(reader, lines)]
        assert dict(zip(expected, read, strict=True)) == expected


def test_go_and_java_refuse_an_encoding_they_do_not_know(reader: Sequence[str]) -> None:
    """A later version's item is not read as something else."""
    (said,) = run(reader, "face_landmarks int12 AAAA\n")
    assert "unknown encoding" in said
    assert "int12" in said
