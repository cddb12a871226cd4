"""The worker's access to the results table: looks up what is stored, and saves results."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from botocore.config import Config
from pynamodb.exceptions import DoesNotExist, PutError
from pynamodb.expressions.condition import Condition

from landmarks.dynamodb import fault_code, service_errors
from landmarks.encoding import DECIMALS
from landmarks.enums import DETECTED, FAILED, LandmarkEncoding
from landmarks.errors import (
    ImageError,
    ObjectNotFoundError,
    ServiceError,
    TableNotFoundError,
    TransientError,
)
from landmarks.groups import BoundingBox, Durations, ImageInfo, Landmarks, ModelInfo
from landmarks.item import LandmarkItem, bind_item, iso, prefix_of
from landmarks.job import Job, ObjectName
from worker.model import ModelOptions, architecture, mediapipe_version, options_hash
from worker.result import Detection, ObjectIdentity, Result
from worker.verdict import Stored, normalised, timestamp

# botocore rebuilds its default user agent twice for every request.
_CLIENT_CONFIG: Final = Config(user_agent="landmark-worker")

_MAX_BATCH_GET: Final = 100  # DynamoDB's limit
_LOOKED_UP: Final = [
    "object_key",
    "bucket",
    "status",
    "etag",
    "options_hash",
    "sequencer",
    "source_last_modified",
    "version_id",
]


class ResultsTable:
    """The results table, for one set of model options.

    Args:
        table_name: name of the table.
        options: options that landmarks are computed with.
        ttl_days: results expire after this many days; None to keep them.
        encoding: how landmarks are written. Results in another encoding still count as done.
        prefix_index: whether the table has the index by folder. If not, int16 items, which have to
            be small, have no `prefix`.
    """

    def __init__(
        self,
        table_name: str,
        options: ModelOptions,
        ttl_days: int | None = None,
        encoding: LandmarkEncoding = LandmarkEncoding.BINARY,
        *,
        prefix_index: bool = False,
    ) -> None:
        self.item = bind_item(table_name, encoding)
        self._int16 = encoding is LandmarkEncoding.INT16
        self._has_prefix = prefix_index or not self._int16
        self._options_hash = options_hash(options)
        self._several_people = options.max_people > 1
        self._model = ModelInfo(
            mediapipe_version=mediapipe_version(),
            model_complexity=options.model_complexity,
            refine_face_landmarks=options.refine_face_landmarks,
            min_detection_confidence=options.min_detection_confidence,
            min_landmark_confidence=options.min_landmark_confidence,
            architecture=architecture(),
        )
        self._ttl_days = ttl_days

    def connect(self) -> None:
        """Create the client now; otherwise each thread would create its own."""
        connection = self.item._get_connection().connection  # noqa: SLF001, no public API
        connection.session.set_default_client_config(_CLIENT_CONFIG)
        _ = connection.client

    def get(self, job: Job) -> LandmarkItem:
        """Return the full item of the job's object.

        Raises:
            ObjectNotFoundError: there is no item.
            TransientError: DynamoDB fails or can't be reached.
        """
        with _service_errors():
            try:
                return self.item.get(job.key, job.bucket, consistent_read=True)
            except DoesNotExist as error:
                raise ObjectNotFoundError(f"no result for {job.key!r}") from error

    def stored(self, job: Job) -> Stored | None:
        """Return what is stored for the job's object; None if nothing is.

        Raises:
            TransientError: DynamoDB fails or can't be reached.
        """
        with _service_errors():
            try:
                item = self.item.get(
                    job.key, job.bucket, consistent_read=True, attributes_to_get=_LOOKED_UP
                )
            except DoesNotExist:
                return None
        return self._stored(item)

    def stored_together(self, jobs: Iterable[Job]) -> dict[ObjectName, Stored | None]:
        """Return what is stored for the objects of many jobs, with one request per hundred.

        Objects for which DynamoDB returned no answer are left out. A request for ten objects takes
        an eighth of the CPU time of ten single requests.
        """
        names = list(dict.fromkeys(job.object_name for job in jobs))
        found: dict[ObjectName, Stored | None] = {}
        for start in range(0, len(names), _MAX_BATCH_GET):
            with suppress(TransientError), _service_errors():
                found |= self._get_together(names[start : start + _MAX_BATCH_GET])
        return found

    def save(self, result: Result, over: Stored | None = None) -> bool:
        """Store a result, unless the table has a result for newer content.

        Args:
            result: the result to store.
            over: what a forced job found in the table, and replaces even if it is newer. Newer
                content stored since then is kept.

        Returns:
            whether the result was stored.

        Raises:
            TransientError: DynamoDB fails or can't be reached.
        """
        condition = self._not_newer(result.identity)
        if result.job.force and over is not None:
            condition |= (self.item.source_last_modified == over.last_modified) & (
                self.item.etag == over.etag
            )
        with _service_errors():
            try:
                self.build(result).save(condition)
            except PutError as error:
                if fault_code(error) == "ConditionalCheckFailedException":
                    return False
                raise
        return True

    def build(self, result: Result) -> LandmarkItem:
        """Return the item of a result."""
        job, identity, now = result.job, result.identity, datetime.now(UTC)
        return self.item(
            object_key=job.key,
            bucket=job.bucket,
            prefix=prefix_of(job.bucket, job.key) if self._has_prefix else None,
            status=result.status,
            encoding=LandmarkEncoding.INT16 if self._int16 and result.status == DETECTED else None,
            etag=identity.etag,
            version_id=identity.version_id,
            sequencer=normalised(identity.sequencer),
            source_last_modified=timestamp(identity.last_modified),
            job_id=job.job_id,
            message_id=job.message_id,
            attempts=job.attempts,
            duration_ms=Durations(
                fetch=result.fetch_ms, detect=result.detect_ms, total=result.total_ms
            ),
            segmentation=result.segmentation,
            model=self._model,
            options_hash=self._options_hash,
            processed_at=iso(now),
            expires_at=now + timedelta(days=self._ttl_days) if self._ttl_days else None,
            **self._outcome(result.outcome, identity.size_bytes),
        )

    def _outcome(self, outcome: Detection | ImageError, size_bytes: int) -> dict[str, Any]:
        if isinstance(outcome, ImageError):
            return {
                "error_code": outcome.code,
                "error_message": str(outcome),
                "image": ImageInfo(None, None, None, size_bytes),
            }
        image = ImageInfo(
            outcome.width,
            outcome.height,
            outcome.format,
            size_bytes,
            orientation=outcome.orientation,
            truncated=outcome.truncated,
        )
        people = self._people(outcome) if self._several_people else {}
        return {"image": image, **_landmarks(outcome.landmarks), **people}

    def _people(self, detection: Detection) -> dict[str, Any]:
        others = [_landmarks(person) for person in detection.others]
        count = len(others) + detection.landmarks.person_found
        return {"people_count": count, "other_people": others or None}

    def _stored(self, item: LandmarkItem) -> Stored | None:
        if not item.source_last_modified:
            return None  # created by an application: not a result yet
        return Stored(
            etag=item.etag,
            version_id=item.version_id,
            sequencer=item.sequencer,
            last_modified=item.source_last_modified,
            done=item.status != FAILED and item.options_hash == self._options_hash,
        )

    def _get_together(self, names: Sequence[ObjectName]) -> dict[ObjectName, Stored | None]:
        # PynamoDB's `batch_get` retries unprocessed keys forever.
        answer = self.item._get_connection().batch_get_item(  # noqa: SLF001, no public API
            [{"object_key": key, "bucket": bucket} for bucket, key in names],  # type: ignore[misc]
            consistent_read=True,
            attributes_to_get=_LOOKED_UP,
        )
        table = self.item.Meta.table_name
        responses = answer.get("Responses", {}).get(table)
        if responses is None:
            return {}  # botocore parses a truncated answer as an empty one
        found: dict[ObjectName, Stored | None] = dict.fromkeys(names)
        for left_out in answer.get("UnprocessedKeys", {}).get(table, {}).get("Keys", []):
            del found[left_out["bucket"]["S"], left_out["object_key"]["S"]]
        for raw in responses:
            item = self.item.from_raw_data(raw)
            found[item.bucket, item.object_key] = self._stored(item)
        return found

    def _not_newer(self, identity: ObjectIdentity) -> Condition:
        """Return the negation of `Stored.is_newer_than` as a DynamoDB condition."""
        stored, sequencer = self.item, normalised(identity.sequencer)
        ordered: Condition = stored.source_last_modified <= timestamp(identity.last_modified)
        if sequencer is not None:
            by_time = stored.sequencer.does_not_exist() & ordered
            ordered = (stored.sequencer <= sequencer) | by_time
        # An item that an application created must not block the result, so don't check the key.
        condition: Condition = stored.source_last_modified.does_not_exist() | ordered
        return condition


@contextmanager
def _service_errors() -> Iterator[None]:
    """Translate PynamoDB's errors. A missing table is an outage, so that jobs are retried."""
    try:
        with service_errors():
            yield
    except TableNotFoundError as error:
        raise ServiceError(f"DynamoDB: {error}") from error


def _landmarks(landmarks: Landmarks) -> dict[str, Any]:
    attributes: dict[str, Any] = {group.name: array for group, array in landmarks.found()}
    for name in ("pose_score", "person_score"):
        score = getattr(landmarks, name)
        if score is not None:
            attributes[name] = round(score, DECIMALS)
    box = landmarks.bounding_box()
    if box is not None:
        attributes["bounding_box"] = BoundingBox(*(round(value, DECIMALS) for value in box))
    return attributes
