"""Conditional writes to the results table, and reads from it."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pynamodb.exceptions import DoesNotExist, PutError, PynamoDBException
from pynamodb.expressions.condition import Condition

from landmarks.dynamodb import DENIED_CODES, fault_code
from landmarks.encoding import DECIMALS
from landmarks.enums import FAILED, LandmarkEncoding
from landmarks.errors import (
    AccessDeniedError,
    ImageError,
    ObjectNotFoundError,
    ServiceError,
    TransientError,
)
from landmarks.groups import Landmarks, MaskPlace
from landmarks.item import (
    BoundingBoxMap,
    DurationsMap,
    ImageMap,
    LandmarkItem,
    ModelMap,
    SegmentationMap,
    bind_item,
    prefix_of,
)
from landmarks.job import Job, ObjectName
from worker.model import ModelOptions, mediapipe_version, options_hash
from worker.result import Result
from worker.s3 import ObjectIdentity
from worker.verdict import SUMMARY, Stored, normalised, timestamp

# DynamoDB's limit for one request.
_BATCH_GET: Final = 100


_CONDITION_FAILED: Final = "ConditionalCheckFailedException"


class ResultsTable:
    """The results table, as this worker's model options see it."""

    def __init__(
        self,
        table_name: str,
        options: ModelOptions,
        ttl_days: int | None = None,
        encoding: LandmarkEncoding = LandmarkEncoding.BINARY,
    ) -> None:
        """Use a table.

        Args:
            table_name: its name.
            options: what landmarks are computed with.
            ttl_days: results expire after so many days; None keeps them.
            encoding: how landmarks are written. What is stored in another one is as good.
        """
        self.item = bind_item(table_name, encoding)
        self._options = options
        self._options_hash = options_hash(options)
        self._model = ModelMap(
            mediapipe_version=mediapipe_version(),
            model_complexity=options.model_complexity,
            refine_face_landmarks=options.refine_face_landmarks,
            min_detection_confidence=options.min_detection_confidence,
            min_landmark_confidence=options.min_landmark_confidence,
        )
        self._ttl_days = ttl_days

    def connect(self) -> None:
        """Build the client now: threads that met a cold one would each build their own."""
        _ = self.item._get_connection().connection.client  # noqa: SLF001, no public way

    def stored(self, job: Job) -> Stored | None:
        """What is stored for the job's object; None if nothing is.

        Raises:
            TransientError: DynamoDB can't be asked.
        """
        with _service_errors():
            try:
                item = self.item.get(
                    job.key, job.bucket, consistent_read=True, attributes_to_get=SUMMARY
                )
            except DoesNotExist:
                return None
        return Stored.of(item)

    def stored_together(self, jobs: Iterable[Job]) -> dict[ObjectName, Stored | None]:
        """What is stored for the objects of many jobs, in one request for a hundred of them.

        An object that DynamoDB gives no answer about is not in the dictionary. Ten together take
        an eighth of the CPU time that ten single questions take.
        """
        names = list({job.object_name: None for job in jobs})
        found: dict[ObjectName, Stored | None] = {}
        for start in range(0, len(names), _BATCH_GET):
            with suppress(TransientError), _service_errors():
                found |= self._get_together(names[start : start + _BATCH_GET])
        return found

    def _get_together(self, names: Sequence[ObjectName]) -> dict[ObjectName, Stored | None]:
        # Not PynamoDB's `batch_get`: it asks for what DynamoDB left out again and again.
        answer = self.item._get_connection().batch_get_item(  # noqa: SLF001, no public way
            [{"object_key": key, "bucket": bucket} for bucket, key in names],  # type: ignore[misc]
            consistent_read=True,
            attributes_to_get=SUMMARY,
        )
        table = self.item.Meta.table_name
        responses = answer.get("Responses", {}).get(table)
        if responses is None:
            return {}  # what botocore makes of an answer that was cut short
        found: dict[ObjectName, Stored | None] = dict.fromkeys(names)
        for left_out in answer.get("UnprocessedKeys", {}).get(table, {}).get("Keys", []):
            del found[left_out["bucket"]["S"], left_out["object_key"]["S"]]
        for raw in responses:
            item = self.item.from_raw_data(raw)
            found[item.bucket, item.object_key] = Stored.of(item)
        return found

    def done_etag(self, job: Job, stored: Stored | None) -> str | None:
        """The content with which the job would have nothing left to do, if there is such."""
        if job.force or stored is None or not stored.may_stand_for(job):
            return None
        return stored.etag if self._is_done(stored) else None

    def holds(self, stored: Stored | None, identity: ObjectIdentity) -> bool:
        """Whether the very version that was opened is done, for all that is known of it.

        An event about content that has been replaced leads to the present one, which
        has events of its own.
        """
        return (
            stored is not None
            and self._is_done(stored)
            and identity.sequencer is None
            and (stored.etag, stored.version_id) == (identity.etag, identity.version_id)
            and stored.last_modified == timestamp(identity.last_modified)
        )

    def _is_done(self, stored: Stored) -> bool:
        return stored.status != FAILED and stored.options_hash == self._options_hash

    def get(self, job: Job) -> LandmarkItem:
        """The whole item of the job's object.

        Raises:
            ObjectNotFoundError: there is none.
            TransientError: DynamoDB can't be asked.
        """
        with _service_errors():
            try:
                return self.item.get(job.key, job.bucket, consistent_read=True)
            except DoesNotExist as error:
                raise ObjectNotFoundError(f"no result for {job.key!r}") from error

    def save(self, result: Result) -> bool:
        """Store a result, unless one of a newer content is there.

        Returns:
            whether it was stored.

        Raises:
            TransientError: DynamoDB can't be asked.
        """
        item = self._build(result)
        try:
            with _service_errors():
                item.save(self._not_newer(result.identity))
        except _Superseded:
            return False
        return True

    def _not_newer(self, identity: ObjectIdentity) -> Condition:
        stored, sequencer = self.item, normalised(identity.sequencer)
        ordered: Condition = stored.source_last_modified <= timestamp(identity.last_modified)
        if sequencer is not None:
            by_time = stored.sequencer.does_not_exist() & ordered
            ordered = (stored.sequencer <= sequencer) | by_time
        # Rather than the key: an item that somebody else began is not in the way.
        condition: Condition = stored.source_last_modified.does_not_exist() | ordered
        return condition

    def _build(self, result: Result) -> LandmarkItem:
        now = datetime.now(UTC)
        return self.item(
            model=self._model,
            options_hash=self._options_hash,
            processed_at=now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            expires_at=now + timedelta(days=self._ttl_days) if self._ttl_days else None,
            **result_attributes(result),
        )


class _Superseded(Exception):  # noqa: N818, it is an answer, not an error
    """Raised when the table holds a newer content's result."""


@contextmanager
def _service_errors() -> Iterator[None]:
    """PynamoDB's errors as ours."""
    try:
        yield
    except PynamoDBException as error:
        code = fault_code(error)
        if isinstance(error, PutError) and code == _CONDITION_FAILED:
            raise _Superseded from error
        raise _as_transient(error, code) from error


def _as_transient(error: PynamoDBException, code: str | None) -> TransientError:
    if code in DENIED_CODES:
        return AccessDeniedError(f"DynamoDB refuses the table ({code})")
    return ServiceError(f"DynamoDB: {code or error}")


def result_attributes(result: Result) -> dict[str, Any]:
    """What an item holds of a result, by attribute; what the table's owner adds is not in it."""
    identity, durations = result.identity, result.durations
    return {
        "object_key": result.job.key,
        "bucket": result.job.bucket,
        "prefix": prefix_of(result.job.bucket, result.job.key),
        "status": result.status,
        "etag": identity.etag,
        "version_id": identity.version_id,
        "sequencer": normalised(identity.sequencer),
        "source_last_modified": timestamp(identity.last_modified),
        "job_id": result.job.job_id,
        "message_id": result.message_id,
        "attempts": result.attempts,
        "duration_ms": DurationsMap(
            fetch=durations.fetch, detect=durations.detect, total=durations.total
        ),
        "segmentation": _segmentation(result.segmentation),
        **_outcome_attributes(result),
    }


def _outcome_attributes(result: Result) -> dict[str, Any]:
    outcome, size = result.outcome, result.identity.size_bytes
    if isinstance(outcome, ImageError):
        return {
            "error_code": outcome.code,
            "error_message": str(outcome),
            "image": ImageMap(bytes=size),
        }
    image = ImageMap(width=outcome.width, height=outcome.height, format=outcome.format, bytes=size)
    return {"image": image, **_landmark_attributes(outcome.landmarks)}


def _segmentation(place: MaskPlace | None) -> SegmentationMap | None:
    return None if place is None else SegmentationMap(**place._asdict())


def _landmark_attributes(landmarks: Landmarks) -> dict[str, Any]:
    attributes: dict[str, Any] = {group.name: array for group, array in landmarks.found()}
    if landmarks.pose_score is not None:
        attributes["pose_score"] = round(landmarks.pose_score, DECIMALS)
    box = landmarks.bounding_box()
    if box is not None:
        rounded = {name: round(value, DECIMALS) for name, value in box._asdict().items()}
        attributes["bounding_box"] = BoundingBoxMap(**rounded)
    return attributes
