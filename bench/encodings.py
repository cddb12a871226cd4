"""`python -m bench.encodings`: the values of LANDMARK_ENCODING compared.

Sizes and prices follow from DynamoDB's rules. Times are those between a result and the body of a
request or response, without the network: PynamoDB, botocore and JSON. With `--images`, also how far
int16 moves the landmarks of photographs.
"""

import argparse
import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, Final

import boto3
import numpy as np
from botocore.parsers import create_parser
from botocore.serialize import create_serializer

from bench import photos
from bench.cost import read_units
from bench.items import item_bytes, write_units
from landmarks.encoding import Int16Attribute, decode
from landmarks.enums import LandmarkEncoding
from landmarks.groups import GROUPS, FloatArray, Landmarks
from landmarks.item import LandmarkItem, bind_item
from landmarks.job import Job
from landmarks.result import LandmarkResult
from worker.detector.decode import decode_image
from worker.detector.graph import HolisticGraph
from worker.model import ModelOptions
from worker.result import Detection, ObjectIdentity, Result
from worker.table import ResultsTable

_ROUNDS: Final = 101

# Errors of places in the image are told for one whose longer side has this many pixels.
_SIDE: Final = 4000
_MAX_PIXELS: Final = 50_000_000

# Ordinary buckets and keys of 24, 42 and 79 bytes.
_OBJECTS: Final = (
    ("my-photos", "2026/01/02/IMG_12345.jpg"),
    ("landmark-images", "uploads/2026/01/02/IMG_20260102_030405.jpg"),
    ("landmark-worker-imagebucket-1a2b3c4d5e6f-0123456789", "uploads/" * 5 + "7" * 35 + ".jpg"),
)
_SEQUENCER: Final = "0055AED6DCD90281E5"

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

    groups: dict[str, Any] = {g.name: group(g.name, g.points[0], len(g.columns)) for g in GROUPS}
    return Landmarks(**groups, pose_score=0.987654, person_score=None)


def build(
    encoding: LandmarkEncoding,
    name: tuple[str, str] = _OBJECTS[1],
    *,
    sequencer: str | None = _SEQUENCER,
    without: Sequence[str] = (),
) -> LandmarkItem:
    """The worker's item of a person, from an S3 event or, without a sequencer, from a message."""
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    seen = replace(person(), **{f"{group}_landmarks": None for group in without})
    result = Result(
        job=Job(*name, message_id="00000000-0000-4000-8000-000000000000"),
        identity=ObjectIdentity("0" * 32, moment, 2_000_000, sequencer=sequencer),
        outcome=Detection(seen, 4032, 3024, "jpeg"),
        fetch_ms=12,
        detect_ms=134,
        total_ms=156,
    )
    table = ResultsTable("landmark-results", ModelOptions(), encoding=encoding)
    return table.build(result)


def in_16_bits(item: Attributes) -> Attributes:
    """Return a stored item, with bytes in base64, as `LANDMARK_ENCODING=int16` would store it."""
    raw = {
        name: {"B": b64decode(value["B"])} if "B" in value else value
        for name, value in item.items()
    }
    small = bind_item("any", LandmarkEncoding.INT16).from_raw_data(raw)
    small.encoding = LandmarkEncoding.INT16 if "pose_landmarks" in item else None
    small.prefix = None
    attributes: Attributes = small.serialize(null_check=False)
    return attributes


def sizes() -> Iterator[Sequence[str]]:
    """Rows of what follows from an item's size: name, then a column for each encoding."""
    items = [build(encoding).serialize() for encoding in LandmarkEncoding]
    size = [item_bytes(item) for item in items]
    writes, reads = [write_units(item) for item in items], [read_units(count) for count in size]
    yield "bytes of an item", *(f"{count:,}" for count in size)
    yield "write units", *map(str, writes)
    yield "read units, eventually consistent", *(f"{units / 2:g}" for units in reads)


def units() -> Iterator[Sequence[str]]:
    """Rows of write units: an object, then binary and int16 for fewer and fewer groups."""
    fewer = [(), ("left_hand",), ("left_hand", "right_hand"), ("left_hand", "right_hand", "face")]
    for name in _OBJECTS:
        for kind, sequencer in (("message", None), ("S3 event", _SEQUENCER)):
            cells = [
                [
                    str(write_units(build(e, name, sequencer=sequencer, without=w).serialize()))
                    for w in fewer
                ]
                for e in (LandmarkEncoding.BINARY, LandmarkEncoding.INT16)
            ]
            pairs = (" → ".join(pair) for pair in zip(*cells, strict=True))
            yield f"{len(name[1])} bytes, {kind}", *pairs


def exactness(folder: Path) -> Iterator[Sequence[str]]:
    """Rows of how far int16 moves the landmarks of photographs: group, count, median, maximum."""
    errors: dict[str, list[float]] = {}
    with closing(HolisticGraph(ModelOptions())) as graph:
        for path in photos.in_folder(folder):
            image = decode_image(path.read_bytes(), max_pixels=_MAX_PIXELS)
            found = list(graph.process(image.pixels).landmarks.found())
            stored = {group.name: Int16Attribute(group).serialize(array) for group, array in found}
            read = decode(stored, LandmarkEncoding.INT16)
            size = np.array([image.width, image.height]) * _SIDE / max(image.width, image.height)
            for group, array in found:
                moved = array.astype(float) - read[group.name]
                world = group.name == "pose_world_landmarks"
                places = 1000 * moved[:, :3] if world else moved[:, :2] * size
                errors.setdefault(group.name, []).extend(np.linalg.norm(places, axis=1).tolist())
    for name, moves in errors.items():
        unit = "mm" if name == "pose_world_landmarks" else "pixels"
        yield name, f"{len(moves):,}", f"{median(moves):.2f} {unit}", f"{max(moves):.2f} {unit}"


def times(rounds: int = _ROUNDS) -> Iterator[Sequence[str]]:
    """Rows of median times of alternating runs: name, then milliseconds and ratios to binary."""
    samples: dict[str, list[float]] = {}
    works = {encoding: (_encoder(encoding), _decoder(encoding)) for encoding in LandmarkEncoding}
    for _ in range(rounds):
        for encoding, parts in works.items():
            for name, work in zip(("encode", "decode"), parts, strict=True):
                start = perf_counter()
                work()
                samples.setdefault(f"{name} {encoding}", []).append(perf_counter() - start)
    for name in ("encode", "decode"):
        medians = [1000 * median(samples[f"{name} {e}"]) for e in LandmarkEncoding]
        yield name, *(f"{ms:.2f} ms, {ms / medians[0]:.2f} times" for ms in medians)


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
    parser = argparse.ArgumentParser(prog="python -m bench.encodings")
    parser.add_argument("--images", type=Path, help="folder of photographs, to measure exactness")
    folder = parser.parse_args().images
    for row in chain(sizes(), times(), units(), exactness(folder) if folder else ()):
        print("|", " | ".join(row), "|")  # noqa: T201, the program's output


if __name__ == "__main__":
    main()
