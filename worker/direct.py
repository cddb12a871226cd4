"""One image directly: `{"bucket": …, "key": …}` in, its landmarks out."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, TypeGuard

from landmarks.encoding import DECIMALS
from landmarks.errors import (
    LandmarkError,
    MessageError,
    ObjectDeletedError,
    ObjectNotFoundError,
    PermanentError,
    error_code,
)
from landmarks.groups import Landmarks
from landmarks.item import landmarks_as_json, landmarks_of, others_of
from landmarks.job import DIRECT_FIELDS, Fields, Job, decode_direct
from worker.jobs import Buckets
from worker.pipeline import Pipeline
from worker.result import Result
from worker.table import ResultsTable
from worker.telemetry import Telemetry
from worker.verdict import Verdict

Answer = Mapping[str, Any]


class DirectHandler:
    """Processes an image at once, stores the result, and answers with it.

    Args:
        pipeline: does the job.
        results: has the landmarks of objects that are already done.
        telemetry: is told about requests that are refused.
        buckets: which ones may be named.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        results: ResultsTable,
        telemetry: Telemetry,
        *,
        buckets: Buckets,
    ) -> None:
        self._pipeline = pipeline
        self._results = results
        self._telemetry = telemetry
        self._buckets = buckets

    def handle(self, event: Fields, deadline: float) -> Answer:
        """Answer with landmarks, or with what is wrong."""
        try:
            job = decode_direct(event, default_bucket=self._buckets.default)
            self._buckets.check(job)
        except MessageError as error:
            self._telemetry.refused(error)
            return _answer(HTTPStatus.BAD_REQUEST, str(error))
        try:
            (outcome,) = self._pipeline.run([job], deadline)
            return self._answer_outcome(job, outcome)
        except LandmarkError as error:
            return _answer_error(error)

    def _answer_outcome(self, job: Job, outcome: Result | Verdict | Exception) -> Answer:
        if isinstance(outcome, PermanentError):
            self._telemetry.refused(outcome)
        if isinstance(outcome, Exception):
            return _answer_error(outcome)
        if outcome is Verdict.IGNORED:
            return _answer(HTTPStatus.UNPROCESSABLE_ENTITY, "a folder marker, not an image")
        if outcome is Verdict.DUPLICATE:
            item = self._results.get(job)
            return _answer_people(landmarks_of(item), [person for person, _ in others_of(item)])
        if not isinstance(outcome, Result) or outcome.superseded:
            message = "a newer version of this object is already stored"
            return _answer(HTTPStatus.INTERNAL_SERVER_ERROR, message)
        found = outcome.outcome
        if isinstance(found, LandmarkError):
            return _answer(HTTPStatus.UNPROCESSABLE_ENTITY, f"{found.code}: {found}")
        return _answer_people(found.landmarks, found.others)


def is_direct(event: object) -> TypeGuard[Fields]:
    """Whether an event is, or was meant to be, of the direct form."""
    return isinstance(event, Mapping) and (not event or not DIRECT_FIELDS.isdisjoint(event))


def _answer_people(first: Landmarks, others: Sequence[Landmarks]) -> Answer:
    if not first.person_found:
        return _answer(HTTPStatus.UNPROCESSABLE_ENTITY, "no person found in the image")
    data = _person(first)
    if others:
        data["other_people"] = [_person(other) for other in others]
    return _answer(HTTPStatus.OK, None, data)


def _person(landmarks: Landmarks) -> dict[str, Any]:
    person, score = landmarks_as_json(landmarks), landmarks.person_score
    return person if score is None else person | {"person_score": round(score, DECIMALS)}


def _answer_error(error: Exception) -> Answer:
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    if isinstance(error, ObjectNotFoundError | ObjectDeletedError):
        status = HTTPStatus.NOT_FOUND
    elif isinstance(error, MessageError):
        status = HTTPStatus.BAD_REQUEST
    return _answer(status, f"{error_code(error)}: {error}")


def _answer(
    status: HTTPStatus, message: str | None, data: Mapping[str, Any] | None = None
) -> Answer:
    return {"statusCode": int(status), "body": {"message": message, "data": data}}
