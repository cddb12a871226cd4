"""`python -m bench.encodings`: LANDMARK_ENCODING=maps compared with binary.

Sizes and prices follow from DynamoDB's rules. Times are those between a result and the body of a
request or response, without the network: PynamoDB, botocore and JSON.
"""

import json
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain
from statistics import median
from time import perf_counter
from typing import Any, Final

import boto3
import numpy as np
from botocore.parsers import create_parser
from botocore.serialize import create_serializer

from bench.cost import read_units
from bench.items import item_bytes, write_units
from landmarks.enums import LandmarkEncoding
from landmarks.groups import GROUPS, FloatArray, Landmarks
from landmarks.item import LandmarkItem
from landmarks.job import Job
from landmarks.result import LandmarkResult
from worker.model import ModelOptions
from worker.result import Detection, ObjectIdentity, Result
from worker.table import ResultsTable

_ROUNDS: Final = 101

# Types and values of attributes, by name.
Attributes = Mapping[str, Mapping[str, Any]]


def person() -> Landmarks:
    """Random landmarks of every group: x, y and visibility from 0 to 1, z and metres around 0."""
    random = np.random.default_rng(7)

    def group(name: str, points: int, columns: int) -> FloatArray:
        array = random.random((points, columns), dtype=np.float32)
        array[:, 2] -= 0.5
        if name == "pose_world_landmarks":
            array[:, :2] -= 0.5
        return array

    groups = {g.name: group(g.name, g.points[0], len(g.columns)) for g in GROUPS}
    return Landmarks(**groups, pose_score=0.987654)


def build(encoding: LandmarkEncoding) -> LandmarkItem:
    """The worker's item of a person, for a job from an S3 event."""
    sequencer = "0055AED6DCD90281E5"
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    result = Result(
        job=Job(
            "landmark-images",
            "uploads/2026/01/02/IMG_20260102_030405.jpg",
            message_id="00000000-0000-4000-8000-000000000000",
        ),
        identity=ObjectIdentity("0" * 32, moment, 2_000_000, sequencer=sequencer),
        outcome=Detection(person(), 4032, 3024, "jpeg"),
        fetch_ms=12,
        detect_ms=34,
        total_ms=56,
    )
    table = ResultsTable("landmark-results", ModelOptions(), encoding=encoding)
    return table.build(result)


def sizes() -> Iterator[Sequence[str]]:
    """Rows of what follows from an item's size: name, binary, maps."""
    items = [build(encoding).serialize() for encoding in LandmarkEncoding]
    size = [item_bytes(item) for item in items]
    writes, reads = [write_units(item) for item in items], [read_units(count) for count in size]
    yield "bytes of an item", *(f"{count:,}" for count in size)
    yield "write units", *map(str, writes)
    yield "read units, eventually consistent", *(f"{units / 2:g}" for units in reads)
    yield "read units, strongly consistent", *map(str, reads)


def times(rounds: int = _ROUNDS) -> Iterator[Sequence[str]]:
    """Rows of median times of alternating runs: name, binary, maps, ratio."""
    samples: dict[str, list[float]] = {}
    works = {encoding: (_encoder(encoding), _decoder(encoding)) for encoding in LandmarkEncoding}
    for _ in range(rounds):
        for encoding, parts in works.items():
            for name, work in zip(("encode", "decode"), parts, strict=True):
                start = perf_counter()
                work()
                samples.setdefault(f"{name} {encoding}", []).append(perf_counter() - start)
    for name in ("encode", "decode"):
        binary, maps = (1000 * median(samples[f"{name} {e}"]) for e in LandmarkEncoding)
        yield name, f"{binary:.2f} ms", f"{maps:.2f} ms", f"{maps / binary:.1f} times"


def _encoder(encoding: LandmarkEncoding) -> Callable[[], object]:
    model = boto3.client("dynamodb", region_name="us-east-1").meta.service_model
    operation, serializer = model.operation_model("PutItem"), create_serializer("json")
    item = build(encoding)

    def encode() -> object:
        request = {"TableName": "landmark-results", "Item": item.serialize()}
        return serializer.serialize_to_request(request, operation)

    return encode


def _decoder(encoding: LandmarkEncoding) -> Callable[[], object]:
    model = boto3.client("dynamodb", region_name="us-east-1").meta.service_model
    shape, parser = model.operation_model("GetItem").output_shape, create_parser("json")
    body = json.dumps({"Item": build(encoding).serialize()}, default=_base64).encode()
    answer = {"body": body, "headers": {}, "status_code": 200}

    def decode() -> object:
        return LandmarkResult.from_attributes(parser.parse(answer, shape)["Item"])

    return decode


def _base64(binary: bytes) -> str:
    return b64encode(binary).decode()


def main() -> None:
    """Print the rows of the tables in docs/table.md."""
    for row in chain(sizes(), times()):
        print("|", " | ".join(row), "|")  # noqa: T201, the program's output


if __name__ == "__main__":
    main()
