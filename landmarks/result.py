"""Typed, read-only results, as applications read them from the table."""

from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, Self

from landmarks.groups import (
    BoundingBox,
    Durations,
    ImageInfo,
    Landmarks,
    MaskPlace,
    ModelInfo,
)
from landmarks.item import (
    KEYS,
    OF_A_PERSON,
    SUMMARY_ATTRIBUTES,
    LandmarkItem,
    bind_item,
    item_as_json,
    landmarks_of,
    others_of,
    prefix_of,
)
from landmarks.person import Person, PersonView

# An item in DynamoDB's JSON: {"status": {"S": "failed"}, …}.
Attributes = Mapping[str, Mapping[str, Any]]

# PynamoDB can't parse an item without a table name; any name works.
_Item: Final = bind_item("any")


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultSummary:
    """One object's result without landmarks. Only `key`, `bucket` and `status` are always set.

    This is not a `LandmarkResult` whose landmarks are None, because None means "not found". Type
    checkers reject access to landmarks that were not read.

    Attributes:
        key: the object's key.
        bucket: the object's bucket.
        status: "detected", "not_detected" or "failed".
        error_code: stable, upper case; None unless the status is "failed".
        error_message: explanation of the error code.
        pose_score: score of MediaPipe's person detector for the first person, 0 to 1; None if it
            found nobody.
        bounding_box: box around the first person's visible pose landmarks, normalised.
        people_count: how many people are stored. None if no more than one was looked for, and in
            results read from the index, which does not contain it.
        image: size in pixels, format, size in bytes, orientation, and whether it is truncated.
        etag: ETag of the processed content.
        source_last_modified: when that content was uploaded.
        options_hash: results with the same hash come from the same models and options, so their
            landmarks are comparable.
        job_id: the producer's id for the job.
        processed_at: when the landmarks were computed.
    """

    key: str
    bucket: str
    status: str
    error_code: str | None
    error_message: str | None
    pose_score: float | None
    bounding_box: BoundingBox | None
    people_count: int | None
    image: ImageInfo | None
    etag: str | None
    source_last_modified: datetime | None
    options_hash: str | None
    job_id: str | None
    processed_at: datetime | None
    _attributes: Attributes = field(repr=False, hash=False)

    @classmethod
    def from_attributes(cls, attributes: Attributes) -> Self | None:
        """Parse an item in DynamoDB's JSON, as returned by a boto3 client.

        Args:
            attributes: types and values by name, `{"status": {"S": "failed"}, …}`, with binary
                values as bytes.

        Returns:
            None for an item without `status`, which an application created and the worker has not
            filled in yet.
        """
        names = (*KEYS, *SUMMARY_ATTRIBUTES)
        summary = {name: attributes[name] for name in names if name in attributes}
        return cls(**_summary_of(_read(summary), summary)) if "status" in summary else None

    @property
    def prefix(self) -> str:
        """Bucket and folder, each followed by a slash: the result's partition key in the index."""
        return prefix_of(self.bucket, self.key)

    def to_json(self) -> dict[str, Any]:
        """Return every attribute under its name in the table, ready for `json.dumps`.

        Absent attributes are left out.
        """
        values = item_as_json(_read(self._attributes))
        return {name: values[name] for name in (*KEYS, *SUMMARY_ATTRIBUTES) if name in values}


@dataclass(frozen=True, slots=True, kw_only=True)
class LandmarkResult(PersonView, ResultSummary):
    """One object's result, including its landmarks.

    Landmarks, scores and the bounding box are those of the first person; `people` has everyone.

    Attributes:
        landmarks: all groups, with read-only arrays; None for groups that were not found.
        people: everyone who was found, the first person included; empty if nobody was.
        segmentation: bucket and key of the first person's mask; None if there is none.
        version_id: version that was processed; None without versioning.
        duration_ms: how long the job took.
        model: the model and options that computed the landmarks.
    """

    landmarks: Landmarks = field(repr=False, compare=False)
    people: tuple[Person, ...] = field(repr=False, compare=False)
    segmentation: MaskPlace | None
    version_id: str | None
    duration_ms: Durations | None
    model: ModelInfo | None

    @classmethod
    def from_attributes(cls, attributes: Attributes) -> Self | None:
        """Parse an item in DynamoDB's JSON; see `ResultSummary.from_attributes`.

        Raises:
            ValueError: landmarks have the wrong size, or another person has no pose.
        """
        if "status" not in attributes:
            return None
        item = _read(attributes)
        return cls(
            **_summary_of(item, attributes),
            landmarks=landmarks_of(item),
            people=_people_of(item),
            segmentation=item.segmentation,
            version_id=item.version_id,
            duration_ms=item.duration_ms,
            model=item.model,
        )

    @classmethod
    def from_stream(cls, image: Attributes) -> Self | None:
        """Parse an item from a DynamoDB stream record, in which binary values are base64.

        Args:
            image: `record["dynamodb"]["NewImage"]` or `OldImage`.

        Returns:
            None for an item without `status`, which an application created and the worker has not
            filled in yet.

        Raises:
            ValueError: a binary value is not valid base64, or not a whole number of landmarks.
        """
        return cls.from_attributes({name: _unpacked(value) for name, value in image.items()})

    def of_person(self, number: int) -> Self:
        """Return this result as if only one of its people had been found.

        Args:
            number: index in `people`.

        Raises:
            IndexError: there is no such person.
        """
        if not 0 <= number < len(self.people):
            raise IndexError(f"no person {number} among {len(self.people)}")
        attributes = dict(self._attributes)
        others = attributes.pop("other_people", None)
        if number and others:
            for name in OF_A_PERSON:
                attributes.pop(name, None)
            attributes |= others["L"][number - 1]["M"]
        alone = self.from_attributes(attributes)
        if alone is None:
            raise ValueError("an item without status")
        return replace(alone, people=(self.people[number],))

    def to_json(self) -> dict[str, Any]:
        """Return every attribute under its name in the table, ready for `json.dumps`.

        Landmarks have the form of MediaPipe's JSON: `{"landmark": [{"x": …, "y": …}, …]}`.
        Absent attributes are left out.
        """
        return item_as_json(_read(self._attributes))


def _read(attributes: Attributes) -> LandmarkItem:
    return _Item.from_raw_data(dict(attributes))


def _people_of(item: LandmarkItem) -> tuple[Person, ...]:
    first = landmarks_of(item)
    people = [(first, item.bounding_box), *others_of(item)] if first.person_found else []
    return tuple(
        Person(number=number, landmarks=landmarks, bounding_box=box, image=item.image)
        for number, (landmarks, box) in enumerate(people)
    )


def _summary_of(item: LandmarkItem, attributes: Attributes) -> dict[str, Any]:
    """Return the fields of a `ResultSummary`."""
    return {
        "key": item.object_key,
        "bucket": item.bucket,
        "status": item.status,
        "error_code": item.error_code,
        "error_message": item.error_message,
        "pose_score": item.pose_score,
        "bounding_box": item.bounding_box,
        "people_count": item.people_count,
        "image": item.image,
        "etag": item.etag,
        "source_last_modified": _moment(item.source_last_modified),
        "options_hash": item.options_hash,
        "job_id": item.job_id,
        "processed_at": _moment(item.processed_at),
        "_attributes": attributes,
    }


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _unpacked(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an attribute with base64 values decoded to bytes, also those of other people."""
    match value:
        case {"B": str(text)}:
            return {"B": b64decode(text, validate=True)}
        case {"M": dict(fields)}:
            return {"M": {name: _unpacked(field) for name, field in fields.items()}}
        case {"L": list(elements)}:
            return {"L": [_unpacked(element) for element in elements]}
        case _:
            return value
