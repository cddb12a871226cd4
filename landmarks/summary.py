"""A result without its landmarks."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Self

from landmarks.groups import BoundingBox
from landmarks.item import KEYS, SUMMARY_ATTRIBUTES, prefix_of
from landmarks.result import ImageInfo, LandmarkResult


@dataclass(frozen=True, slots=True)
class ResultSummary:
    """A result without its landmarks. Only `key`, `bucket` and `status` are always there.

    Attributes:
        key: the object's key.
        bucket: the object's bucket.
        status: "detected", "not_detected" or "failed".
        error_code: of a failed one, upper case and stable; else None.
        error_message: the same in words.
        pose_score: the person detector's score, 0 to 1; None where nobody was found.
        bounding_box: of the visible pose landmarks, normalised.
        image: size in pixels, format and bytes.
        etag: of the content that was processed.
        source_last_modified: when that content was uploaded.
        options_hash: equal where landmarks may be compared: same models, same options.
        job_id: the producer's name for the job.
        processed_at: when the landmarks were computed.
    """

    key: str
    bucket: str
    status: str
    error_code: str | None
    error_message: str | None
    pose_score: float | None
    bounding_box: BoundingBox | None
    image: ImageInfo | None
    etag: str | None
    source_last_modified: datetime | None
    options_hash: str | None
    job_id: str | None
    processed_at: datetime | None
    _result: LandmarkResult = field(repr=False, compare=False)

    @property
    def prefix(self) -> str:
        """Bucket and directory, with slashes; the index has the result under it."""
        return prefix_of(self.bucket, self.key)

    @classmethod
    def from_attributes(cls, attributes: Mapping[str, Mapping[str, Any]]) -> Self | None:
        """Read an item in DynamoDB's own form, with or without its landmarks.

        Returns:
            None for an item without `status`: somebody else's, the worker has not been there.
        """
        result = LandmarkResult.from_attributes(
            {name: attributes[name] for name in (*KEYS, *SUMMARY_ATTRIBUTES) if name in attributes}
        )
        if result is None:
            return None
        values = {each.name: getattr(result, each.name) for each in fields(cls)[:-1]}
        return cls(**values, _result=result)

    def to_json(self) -> dict[str, Any]:
        """Every attribute under its name in the table, ready for `json.dumps`.

        What the item does not have is left out.
        """
        values = self._result.to_json()
        return {name: values[name] for name in (*KEYS, *SUMMARY_ATTRIBUTES) if name in values}
